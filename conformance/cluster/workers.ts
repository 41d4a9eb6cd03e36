import { expect } from 'vitest'
import { PATIENCE_MS } from '../harness/admin.ts'
import type { Cluster } from '../harness/cluster.ts'
import { launchCopiers, launchShareLedger } from '../harness/java.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { type Daemon, eventually } from '../harness/process.ts'
import { readTopic } from '../transactions/topics.ts'
import type { Records } from './verifiable.ts'

/** What Java programs do with a topic that somebody else is writing, until its writer has finished. */
class Workers {
  private readonly daemon: Daemon
  private readonly word: string
  private count = 0

  /** `word` begins the lines that tell of progress. */
  constructor(daemon: Daemon, word: string) {
    this.daemon = daemon
    this.word = word
    daemon.onLine((line) => {
      if (line.startsWith(word)) this.count += 1
    })
  }

  /** Waits until more is done than now. */
  async progress(): Promise<void> {
    const before = this.count
    await eventually(`more ${this.word}`, PATIENCE_MS, async () => {
      if (!this.daemon.running) throw new Error(this.daemon.output().slice(-4000))
      return this.count > before || undefined
    })
  }

  /** Tells that nothing more will come, waits for the end, and answers the last line. */
  async lastLine(): Promise<string> {
    this.daemon.child.stdin!.end()
    expect(await this.daemon.exited, this.daemon.output().slice(-4000)).toBe(0)
    return this.daemon.output('stdout').trim().split('\n').at(-1)!
  }

  async kill(): Promise<void> {
    await this.daemon.end('SIGKILL', 10_000)
  }
}

/** Two copiers in one group that consume, process and produce in transactions. The copy is the topic with `-copy` behind. */
export class Copy {
  readonly workers: Workers
  private readonly topic: string

  private constructor(daemon: Daemon, topic: string) {
    this.topic = topic
    this.workers = new Workers(daemon, 'committed')
  }

  static async launch({ bootstrap }: Cluster, topic: string): Promise<Copy> {
    const args = ['copy', bootstrap, topic, `${topic}-copy`, `${topic}-copier`, '2']
    return new Copy(await launchCopiers(kafkaVersion, args, 'pipe'), topic)
  }

  /** `records` are all of the topic: what is committed of the copy is just these, in each partition in their order. */
  async finish(cluster: Cluster, records: Records, partitions: number): Promise<void> {
    expect(await this.workers.lastLine()).toBe('copied')
    // A copier may have left a transaction behind, beyond which nobody reads until its time has run out.
    const copied = await eventually('the copy', PATIENCE_MS, async () => {
      const topic = `${this.topic}-copy`
      const values = await readTopic(kafkaVersion, cluster, topic, 'read_committed', partitions)
      return values.flat().length >= records.size ? values : undefined
    })
    expect(copied).toEqual(valuesOf(records, partitions))
  }
}

/** The first word of each value, in each partition in their order. */
function valuesOf(records: Records, partitions: number): string[][] {
  const placed = Array.from({ length: partitions }, () => [] as string[])
  for (const [place, value] of records) {
    const [partition, offset] = place.split(':').map(Number)
    placed[partition!]![offset!] = value.split(' ')[0]!
  }
  return placed
}

/** A share group of three members. */
export class ShareGroup {
  readonly workers: Workers

  private constructor(daemon: Daemon) {
    this.workers = new Workers(daemon, 'confirmed')
  }

  static async launch({ bootstrap }: Cluster, topic: string, partitions: number): Promise<ShareGroup> {
    return new ShareGroup(await launchShareLedger(kafkaVersion, ['run', bootstrap, topic, String(partitions)], 'pipe'))
  }

  /** `records` are all of the topic: each was delivered, and none was confirmed twice. */
  async finish(records: Records): Promise<void> {
    expect(await this.workers.lastLine()).toBe(`delivered ${records.size}`)
  }
}
