import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { PATIENCE_MS } from '../harness/admin.ts'
import { freshDir } from '../harness/cache.ts'
import type { Cluster } from '../harness/cluster.ts'
import { type Daemon, eventually } from '../harness/process.ts'
import { toolDaemon } from '../harness/tools.ts'
import { ClusterReader } from './read-back.ts'

/** `partition:offset` -> value. */
export type Records = Map<string, string>

/** Adds one; the same place must always have the same value. */
export function note(records: Records, partition: unknown, offset: unknown, value: string): void {
  const place = `${partition}:${offset}`
  const known = records.get(place)
  if (known !== undefined && known !== value) throw new Error(`${place} had ${known}, and now ${value}`)
  records.set(place, value)
}

/** All records of a topic, without compression and transactions. A value may be there only once. */
export async function recordsOf(cluster: Cluster, topic: string, partitions: number): Promise<Records> {
  const reader = new ClusterReader(cluster)
  const records: Records = new Map()
  const values = new Set<string>()
  try {
    for (let partition = 0; partition < partitions; partition++) {
      const { offset: end } = await reader.endOffset(topic, partition)
      let next = 0
      while (next < end) {
        for (const { baseOffset, values: batch } of (await reader.fetch(topic, partition, next)).batches) {
          for (const [index, value] of batch.entries()) {
            const text = value.toString()
            if (values.has(text)) throw new Error(`${text} is there twice, again at ${partition}:${baseOffset + index}`)
            values.add(text)
            note(records, partition, baseOffset + index, text)
          }
          next = baseOffset + batch.length
        }
      }
    }
    return records
  } finally {
    reader.close()
  }
}

/** Everything in `some` is in `all`. */
export function expectAmong(what: string, some: Records, all: Records): void {
  const lost = [...some].filter(([place, value]) => all.get(place) !== value)
  expect(lost.slice(0, 5), `${what}: ${lost.length} of ${some.size}`).toEqual([])
}

interface ToolEvent {
  readonly name: string
  readonly partition?: number
  readonly offset?: number
  readonly value?: string
}

function eventsOf(daemon: Daemon): ToolEvent[] {
  const lines = daemon.output('stdout').split('\n').slice(0, -1)
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
}

function recordsIn(daemons: readonly Daemon[], name: string): Records {
  const records: Records = new Map()
  for (const daemon of daemons) {
    for (const event of eventsOf(daemon)) {
      if (event.name === name) note(records, event.partition, event.offset, event.value!)
    }
  }
  return records
}

/** Apache Kafka's VerifiableProducer, with retries, which it has not by itself. */
export class VerifiableProducer {
  private readonly daemon: Daemon

  private constructor(daemon: Daemon) {
    this.daemon = daemon
  }

  static async launch({ bootstrap }: Cluster, topic: string, perSecond: number): Promise<VerifiableProducer> {
    const file = join(freshDir('verifiable'), 'producer.properties')
    writeFileSync(file, 'retries=2147483647\nenable.idempotence=true\nrequest.timeout.ms=5000\n')
    const args = ['--bootstrap-server', bootstrap, '--topic', topic, '--acks', '-1', '--command-config', file]
    const daemon = await toolDaemon('kafka-verifiable-producer', [...args, '--throughput', String(perSecond)])
    return new VerifiableProducer(daemon)
  }

  /** What was acknowledged. */
  get acked(): Records {
    return recordsIn([this.daemon], 'producer_send_success')
  }

  /** Waits until more is acknowledged than now. */
  async progress(): Promise<void> {
    const before = this.acked.size
    await eventually('acknowledgements', PATIENCE_MS, async () => this.acked.size > before || undefined)
  }

  async stop(): Promise<void> {
    await this.daemon.end('SIGTERM', 60_000)
    const failed = eventsOf(this.daemon).filter(({ name }) => name === 'producer_send_error')
    expect(failed.slice(0, 3), this.daemon.output('stderr').slice(-2000)).toEqual([])
  }

  async kill(): Promise<void> {
    await this.daemon.end('SIGKILL', 10_000)
  }
}

/** A group of Apache Kafka's VerifiableConsumers. */
export class VerifiableGroup {
  private readonly daemons: readonly Daemon[]

  private constructor(daemons: readonly Daemon[]) {
    this.daemons = daemons
  }

  static async launch(
    { bootstrap }: Cluster,
    topic: string,
    protocol: 'classic' | 'consumer',
    members: number,
  ): Promise<VerifiableGroup> {
    const args = ['--bootstrap-server', bootstrap, '--topic', topic, '--group-id', `${topic}-group`]
    args.push('--group-protocol', protocol, '--reset-policy', 'earliest', '--verbose')
    if (protocol === 'classic') args.push('--session-timeout', '6000')
    const daemons: Daemon[] = []
    while (daemons.length < members) daemons.push(await toolDaemon('kafka-verifiable-consumer', args))
    return new VerifiableGroup(daemons)
  }

  get seen(): Records {
    return recordsIn(this.daemons, 'record_data')
  }

  /** Waits until the members have seen all of `records`, and ends them. */
  async finish(records: Records): Promise<void> {
    await eventually('everything consumed', PATIENCE_MS, async () => {
      const { seen } = this
      const missing = [...records.keys()].find((place) => !seen.has(place))
      if (missing !== undefined) throw new Error(`${missing} has not been consumed; ${seen.size} of ${records.size}`)
      return true
    })
    for (const daemon of this.daemons) {
      expect(daemon.running, `a member ended: ${daemon.output('stderr').slice(-3000)}`).toBe(true)
      await daemon.end('SIGTERM', 30_000)
    }
    expectAmong('consumed', this.seen, records)
  }

  async kill(): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => daemon.end('SIGKILL', 10_000)))
  }
}
