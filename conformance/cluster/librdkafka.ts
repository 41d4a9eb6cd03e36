import { expect } from 'vitest'
import { PATIENCE_MS } from '../harness/admin.ts'
import type { Cluster } from '../harness/cluster.ts'
import { type Daemon, eventually } from '../harness/process.ts'
import { launchPython } from '../harness/python.ts'
import { Acknowledged, expectAmong, note, type Records, recordsOf } from './verifiable.ts'

const PROTOCOLS = ['classic', 'consumer'] as const
type Protocol = (typeof PROTOCOLS)[number]

/**
 * A producer of librdkafka, and two groups that read what it writes, one with each protocol; see cluster_load.py. Members that
 * are in a rack have to be sent to replicas there.
 */
export class LibrdkafkaLoad {
  readonly topic: string
  private readonly cluster: Cluster
  private readonly daemon: Daemon
  private readonly partitions: number
  private readonly acked: Acknowledged
  private readonly read: Readonly<Record<Protocol, Records>> = { classic: new Map(), consumer: new Map() }
  private readonly followed: Set<string> = new Set()
  private readonly failed: string[] = []
  private readonly rack: string | undefined
  private member: Daemon | undefined

  private constructor(cluster: Cluster, daemon: Daemon, topic: string, partitions: number, rack?: string) {
    this.cluster = cluster
    this.rack = rack
    this.daemon = daemon
    this.topic = topic
    this.partitions = partitions
    this.acked = new Acknowledged(partitions)
    this.listen(daemon)
  }

  static async launch(
    cluster: Cluster,
    topic: string,
    partitions: number,
    perSecond: number,
    rack?: string,
  ): Promise<LibrdkafkaLoad> {
    const args = [cluster.bootstrap, topic, String(perSecond), ...(rack === undefined ? [] : [rack])]
    return new LibrdkafkaLoad(cluster, await launchPython('cluster_load.py', args), topic, partitions, rack)
  }

  /** Waits until more is acknowledged in every partition than now. */
  async progress(): Promise<void> {
    await this.acked.progress('librdkafka')
  }

  /** Another member of the group with group.protocol=consumer joins, gets something to do, and is killed. */
  async killMember(): Promise<void> {
    const member = await launchPython('cluster_load.py', [this.cluster.bootstrap, this.topic, 'member'])
    this.member = member
    this.listen(member)
    await eventually('a member of librdkafka with work', PATIENCE_MS, async () => {
      if (!member.running) throw new Error(member.output())
      return member.output('stdout').includes('read-consumer') || undefined
    })
    await member.end('SIGKILL', 10_000)
  }

  /** Ends it. Answers all records of the topic: what was acknowledged is there, and each group has read everything. */
  async finish(): Promise<Records> {
    expect(await this.daemon.end('SIGTERM', 400_000), this.daemon.output().slice(-3000)).toBe(0)
    expect(this.daemon.output('stdout').trim().split('\n').at(-1)).toBe('done')
    expect(this.failed).toEqual([])
    expect([...this.followed].sort()).toEqual(this.rack === undefined ? [] : PROTOCOLS)
    const records = await recordsOf(this.cluster, this.topic, this.partitions)
    expectAmong('acknowledged to librdkafka', this.acked.records, records)
    for (const protocol of PROTOCOLS) {
      expectAmong(`read by librdkafka, ${protocol}`, this.read[protocol], records)
      expectAmong(`to be read by librdkafka, ${protocol}`, records, this.read[protocol])
    }
    return records
  }

  async kill(): Promise<void> {
    await this.daemon.end('SIGKILL', 10_000)
    await this.member?.end('SIGKILL', 10_000)
  }

  private listen(daemon: Daemon): void {
    daemon.onLine((line) => {
      const [kind, partition, offset, value] = line.split(' ')
      if (kind === 'acked') this.acked.note(partition, offset, value!)
      else if (kind === 'failed') this.failed.push(line)
      else if (kind === 'followed') this.followed.add(partition!)
      for (const protocol of PROTOCOLS) {
        if (kind === `read-${protocol}`) note(this.read[protocol], partition, offset, value!)
      }
    })
  }
}
