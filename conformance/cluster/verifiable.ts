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

/** Calls `listener` with each event that a verifiable client prints from now on. */
function onEvent(daemon: Daemon, listener: (event: ToolEvent) => void): void {
  daemon.onLine((line) => {
    if (line.startsWith('{')) listener(JSON.parse(line))
  })
}

/** What a producer was acknowledged. */
export class Acknowledged {
  readonly records: Records = new Map()
  private readonly counts: number[]

  constructor(partitions: number) {
    this.counts = new Array<number>(partitions).fill(0)
  }

  note(partition: unknown, offset: unknown, value: string): void {
    note(this.records, partition, offset, value)
    this.counts[Number(partition)]! += 1
  }

  /** Waits until more is acknowledged in every partition than now. */
  async progress(who: string): Promise<void> {
    const before = [...this.counts]
    await eventually(`acknowledgements to ${who} in all partitions`, PATIENCE_MS, async () => {
      const waiting = before.findIndex((count, partition) => this.counts[partition] === count)
      if (waiting >= 0) throw new Error(`nothing in partition ${waiting}`)
      return true
    })
  }
}

/** Apache Kafka's VerifiableProducer, with retries, which it has not by itself. */
export class VerifiableProducer {
  readonly topic: string
  private readonly daemon: Daemon
  private readonly partitions: number
  private readonly acked: Acknowledged
  private readonly failed: ToolEvent[] = []

  private constructor(daemon: Daemon, topic: string, partitions: number) {
    this.daemon = daemon
    this.topic = topic
    this.partitions = partitions
    this.acked = new Acknowledged(partitions)
    onEvent(daemon, (event) => {
      if (event.name === 'producer_send_success') this.acked.note(event.partition, event.offset, event.value!)
      else if (event.name === 'producer_send_error') this.failed.push(event)
    })
  }

  static async launch(
    { bootstrap }: Cluster,
    topic: string,
    partitions: number,
    perSecond: number,
  ): Promise<VerifiableProducer> {
    const file = join(freshDir('verifiable'), 'producer.properties')
    const settings = ['retries=2147483647', 'enable.idempotence=true']
    settings.push('request.timeout.ms=3000', 'delivery.timeout.ms=600000')
    writeFileSync(file, `${settings.join('\n')}\n`)
    const args = ['--bootstrap-server', bootstrap, '--topic', topic, '--acks', '-1', '--command-config', file]
    // Keys have records go to all partitions at all times.
    args.push('--throughput', String(perSecond), '--repeating-keys', '100')
    return new VerifiableProducer(await toolDaemon('kafka-verifiable-producer', args), topic, partitions)
  }

  /** Waits until more is acknowledged in every partition than now. */
  async progress(): Promise<void> {
    await this.acked.progress('VerifiableProducer')
  }

  /** Ends it, and answers all records of the topic, in which everything is that was acknowledged. */
  async finish(cluster: Cluster): Promise<Records> {
    await this.daemon.end('SIGTERM', PATIENCE_MS)
    expect(this.failed.slice(0, 3), this.daemon.output('stderr').slice(-2000)).toEqual([])
    const records = await recordsOf(cluster, this.topic, this.partitions)
    expectAmong('acknowledged to VerifiableProducer', this.acked.records, records)
    return records
  }

  async kill(): Promise<void> {
    await this.daemon.end('SIGKILL', 10_000)
  }
}

/** A group of Apache Kafka's VerifiableConsumers. */
export class VerifiableGroup {
  private readonly daemons: Daemon[]
  private readonly seen: Records = new Map()

  private constructor(daemons: Daemon[]) {
    this.daemons = daemons
    for (const daemon of daemons) {
      onEvent(daemon, (event) => {
        if (event.name === 'record_data') note(this.seen, event.partition, event.offset, event.value!)
      })
    }
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
    const launching = Array.from({ length: members }, () => toolDaemon('kafka-verifiable-consumer', args))
    return new VerifiableGroup(await Promise.all(launching))
  }

  /** Kills one member once it has consumed something; the others have to go on where it had committed. */
  async killMember(): Promise<void> {
    const victim = this.daemons[0]!
    await eventually(
      'a member with work',
      PATIENCE_MS,
      async () => victim.output().includes('record_data') || undefined,
    )
    await victim.end('SIGKILL', 10_000)
    this.daemons.shift()
  }

  /** Waits until the members have seen all of `records`, and ends them. */
  async finish(records: Records): Promise<void> {
    const waiting = new Set(records.keys())
    await eventually('everything consumed', PATIENCE_MS, async () => {
      for (const place of waiting) if (this.seen.has(place)) waiting.delete(place)
      if (waiting.size > 0)
        throw new Error(`${[...waiting][0]} has not been consumed; ${waiting.size} of ${records.size}`)
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
