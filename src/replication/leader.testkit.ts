import { openLog, type TestEnvironment, testEnvironment } from '../log/testkit.ts'
import type { AppendInfo } from '../log/types.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import type { IsrAnswer, IsrChange, IsrChanges } from './isr-changes.ts'
import { Partition, type PartitionState } from './partition.ts'
import { partitionContext, partitionState } from './replication.testkit.ts'

export const LAG_MS = 30_000

interface KnownBroker {
  epoch: number
  fenced: boolean
  inControlledShutdown: boolean
}

/** A controller that answers when it is told to. */
export class AskedChanges implements IsrChanges {
  readonly asked: { readonly change: IsrChange; readonly onAnswer: (answer: IsrAnswer) => void }[] = []

  submit(change: IsrChange, onAnswer: (answer: IsrAnswer) => void): void {
    this.asked.push({ change, onAnswer })
  }

  close(): void {}

  /** The in-sync replicas that were asked for and not answered, in the order of the requests. */
  get isrs(): number[][] {
    return this.asked.map(({ change }) => change.isr.map(({ brokerId }) => brokerId))
  }

  /** Answers the oldest request: it is done, and the partition is in its next epoch, or the error. */
  answer(error: KafkaError = errors.NONE): void {
    const { change, onAnswer } = this.asked.shift()!
    const { leaderEpoch, isr } = change
    const partitionEpoch = change.partitionEpoch + 1
    onAnswer({ error, leaderEpoch, partitionEpoch, isr: isr.map(({ brokerId }) => brokerId) })
  }
}

/** A partition of brokers 1 (this one, in epoch 101), 2 (102) and 3 (103), led here in epoch 4, all in sync. */
export class LedPartitionHarness {
  readonly environment: TestEnvironment = testEnvironment({ tailCacheBytes: 1_000_000 })
  readonly log = openLog(this.environment)
  readonly brokers = new Map<number, KnownBroker>(
    [1, 2, 3].map((id) => [id, { epoch: 100 + id, fenced: false, inControlledShutdown: false }]),
  )
  readonly changes = new AskedChanges()
  readonly partition: Partition

  constructor(change: Partial<PartitionState> = {}, minInsyncReplicas = 2) {
    const { time } = this.environment
    const { brokers, changes } = this
    const context = partitionContext(time, { brokers, isrChanges: changes, maxLagMs: () => LAG_MS })
    const replicas = { replicas: [1, 2, 3], isr: [1, 2, 3] }
    const state = partitionState({ leaderEpoch: 4, partitionEpoch: 10, ...replicas, ...change })
    this.partition = new Partition(context, state, this.log, minInsyncReplicas)
  }

  /** What the metadata says now; a new partition epoch unless told otherwise. */
  update(change: Partial<PartitionState>): void {
    const { state } = this.partition
    this.partition.update({ ...state, partitionEpoch: state.partitionEpoch + 1, ...change })
  }

  /** A record; `outcome` has what its append came to, as far as it is known. */
  append(acks = -1, timeoutMs?: number): { outcome: AppendInfo | KafkaError | 'waits' } {
    const appended: { outcome: AppendInfo | KafkaError | 'waits' } = { outcome: 'waits' }
    const bytes = buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: Buffer.from('value') }])
    this.partition.append([bytes], acks, 'client', undefined, timeoutMs).then(
      (info) => {
        appended.outcome = info
      },
      (error) => {
        appended.outcome = error.error
      },
    )
    return appended
  }

  /** Writes `count` records that nobody waits for. */
  async write(count: number): Promise<void> {
    for (let index = 0; index < count; index++) this.append(1)
    await this.settle()
  }

  /** A follower asks for what is at `offset`. */
  fetch(brokerId: number, offset = this.log.logEndOffset, logStartOffset = 0): KafkaError | undefined {
    const brokerEpoch = this.brokers.get(brokerId)?.epoch ?? -1
    return this.partition.fetchedBy({ brokerId, brokerEpoch, offset, logStartOffset })
  }

  get highWatermark(): number {
    return this.log.highWatermark
  }

  /** Lets everything happen that can, without moving the clock. */
  settle(): Promise<void> {
    return this.environment.time.advance(0)
  }
}
