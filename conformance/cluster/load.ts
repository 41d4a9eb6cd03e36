import { PATIENCE_MS, type TopicPlan } from '../harness/admin.ts'
import type { Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/process.ts'
import { Ledger, randomFrom } from '../kill/ledger.ts'
import { ClusterProducer } from './producer.ts'
import { checkLedger } from './read-back.ts'

const REPLICAS = 3
const MIN_IN_SYNC = '2'

/** `OTTLA_KILL_SEED`, or another one each time; it stands in the text of failures. */
export const seed: number = Number(process.env.OTTLA_KILL_SEED ?? Date.now() % 1_000_000)

export interface LoadPlan extends TopicPlan {
  /** The longest that a producer rests between two rounds of batches, in each partition [20]. */
  readonly maxPauseMs?: number
}

/** Idempotent producers on a topic with three replicas, of which two must be in sync. */
export class Load {
  readonly ledger: Ledger
  readonly random: () => number = randomFrom(seed)
  /** When each partition was acknowledged something for the last time, in milliseconds of performance.now. */
  readonly lastAckMs: number[]
  /** The longest time between two acknowledgements of one partition since `resetGaps`. */
  longestGapMs = 0
  private readonly cluster: Cluster
  private readonly producers: ClusterProducer[]
  private readonly acks: number[]
  private isOver = false
  private waiting: Array<{ partition: number; resolve: (atMs: number) => void }> = []

  private constructor(cluster: Cluster, topic: string, partitions: number, producers: number, maxPauseMs: number) {
    this.cluster = cluster
    this.ledger = new Ledger(topic, partitions)
    this.acks = new Array<number>(partitions).fill(0)
    this.lastAckMs = new Array<number>(partitions).fill(performance.now())
    const ports = () => cluster.ports
    const onAck = (partition: number) => this.acknowledged(partition)
    this.producers = Array.from(
      { length: producers },
      (_, index) =>
        new ClusterProducer({
          name: `${topic}-${index}`,
          ledger: this.ledger,
          random: this.random,
          ports,
          onAck,
          maxPauseMs,
        }),
    )
  }

  /** Makes the topic and starts the producers. */
  static async start(cluster: Cluster, topic: string, plan: LoadPlan = {}, producers = 2): Promise<Load> {
    const partitions = plan.assignment?.length ?? plan.partitions ?? 6
    const configs = { 'min.insync.replicas': MIN_IN_SYNC, 'segment.bytes': '1048576', ...plan.configs }
    await cluster.admin.createTopics({ [topic]: { partitions, replicas: REPLICAS, ...plan, configs } })
    const load = new Load(cluster, topic, partitions, producers, plan.maxPauseMs ?? 20)
    await Promise.all(load.producers.map((producer) => producer.start()))
    return load
  }

  get topic(): string {
    return this.ledger.topic
  }

  /** Waits until something more is acknowledged in every partition. */
  async progress(timeoutMs = PATIENCE_MS): Promise<void> {
    if (this.isOver) return
    const before = [...this.acks]
    await eventually(`acknowledgements in all of ${this.topic}`, timeoutMs, async () => {
      for (const producer of this.producers) producer.check()
      const waiting = before.findIndex((count, partition) => this.acks[partition]! === count)
      if (waiting >= 0) throw new Error(`${this.topic}-${waiting}: nothing acknowledged`)
      return true
    })
  }

  /** The time at which something is next acknowledged in a partition, in milliseconds of performance.now. */
  nextAckMs(partition: number): Promise<number> {
    return new Promise((resolve) => this.waiting.push({ partition, resolve }))
  }

  resetGaps(): void {
    this.longestGapMs = 0
    this.lastAckMs.fill(performance.now())
  }

  /** Makes no more records, and waits until all are acknowledged. */
  async end(): Promise<void> {
    this.isOver = true
    await Promise.all(this.producers.map((producer) => producer.finish()))
  }

  /** Ends the producers, then reads everything back and compares. Answers how many records were acknowledged. */
  async finish(): Promise<number> {
    await this.end()
    await checkLedger(this.ledger, this.cluster)
    return this.ledger.ackedCount
  }

  private acknowledged(partition: number): void {
    const nowMs = performance.now()
    this.acks[partition]! += 1
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.lastAckMs[partition]!)
    this.lastAckMs[partition] = nowMs
    for (const { resolve } of this.waiting.filter((each) => each.partition === partition)) resolve(nowMs)
    this.waiting = this.waiting.filter((each) => each.partition !== partition)
  }
}
