import type { PersistedState, SharePersister, StateChange } from '../../coordinator/share/share-persister.ts'
import type { SharePartitionKey } from '../../coordinator/share/share-records.ts'
import { combineBatches, type StateBatch } from '../../coordinator/share/state-batch.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { OffsetRange } from './acquire.ts'
import { type Acknowledgement, type ShareLimits, SharePartition } from './share-partition.ts'

export const KEY: SharePartitionKey = { groupId: 'g', topicId: 'kZ2nDsw0T_qn3bZd9sSSAA', partition: 0 }

/** Keeps the state of one share partition in memory, and fails when told to. */
export class MemoryPersister implements SharePersister {
  startOffset = -1
  completeCount = 0
  batches: readonly StateBatch[] = []
  /** What the next operations fail with, one after the other. */
  readonly failures: KafkaError[] = []

  async initialize() {
    return this.#outcome()
  }

  async read(): Promise<PersistedState> {
    return { ...this.#outcome(), stateEpoch: 0, startOffset: this.startOffset, batches: this.batches }
  }

  async write(_: SharePartitionKey, { startOffset, batches, deliveryCompleteCount }: StateChange) {
    const outcome = this.#outcome()
    if (outcome.error !== errors.NONE) return outcome
    this.startOffset = startOffset
    this.completeCount = deliveryCompleteCount
    this.batches = combineBatches(this.batches, batches, startOffset)
    return outcome
  }

  async delete() {
    return this.#outcome()
  }

  async summarise() {
    const { startOffset, completeCount: deliveryCompleteCount } = this
    return { ...this.#outcome(), stateEpoch: 0, leaderEpoch: 0, startOffset, deliveryCompleteCount }
  }

  #outcome() {
    return { error: this.failures.shift() ?? errors.NONE, message: null }
  }
}

/** A share partition over a log of batches that are only offsets. */
export class ShareBench<P extends SharePersister = MemoryPersister> {
  readonly time: VirtualTime
  readonly persister: P
  limits: ShareLimits = { deliveryCount: 5, recordLocks: 2000, lockDurationMs: 30_000, mayRenew: true }
  /** The record batches that are in the log. */
  log: OffsetRange[] = []
  share: SharePartition

  constructor(persister: P, time = new VirtualTime()) {
    this.persister = persister
    this.time = time
    this.share = this.#make()
  }

  #make(): SharePartition {
    return new SharePartition({
      key: KEY,
      leaderEpoch: 0,
      persister: this.persister,
      limits: () => this.limits,
      initialOffset: () => this.log[0]?.baseOffset ?? 0,
      time: this.time,
      onChange: () => {},
    })
  }

  /** Appends batches of so many records each. */
  append(...counts: readonly number[]): this {
    for (const count of counts) {
      const baseOffset = (this.log.at(-1)?.lastOffset ?? -1) + 1
      this.log.push({ baseOffset, lastOffset: baseOffset + count - 1 })
    }
    return this
  }

  async load(): Promise<this> {
    await this.settle(this.share.load())
    return this
  }

  /** Waits for what the persister takes part in. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    return await promise
  }

  /** Another leader takes over from what is stored. */
  async takeOver(): Promise<void> {
    this.share.fence()
    this.share = this.#make()
    await this.load()
  }

  async release(memberId: string): Promise<void> {
    await this.settle(this.share.release(memberId))
  }

  /** A fetch as the manager makes it: `[first, last, delivery count]` of what was acquired. */
  fetch(
    memberId: string,
    { maxRecords = 500, batchSize = 500, isRecordLimit = false, maxBatches = 100, aborted = [] as OffsetRange[] } = {},
  ): [number, number, number][] {
    const { share } = this
    if (!share.tryBeginRead()) return []
    const fetchOffset = share.window.nextFetchOffset()
    const batches = this.log.filter(({ lastOffset }) => lastOffset >= fetchOffset).slice(0, maxBatches)
    const request = { memberId, isRecordLimit, batchSize, maxRecords, fetchOffset, batches }
    const acquired = share.acquire(request, aborted)
    share.endRead()
    return acquired.map(({ firstOffset, lastOffset, deliveryCount }) => [firstOffset, lastOffset, deliveryCount])
  }

  acknowledge(memberId: string, firstOffset: number, lastOffset: number, ...types: readonly number[]): Promise<void> {
    const acknowledgement: Acknowledgement = { firstOffset, lastOffset, acknowledgeTypes: types }
    return this.settle(this.share.acknowledge(memberId, [acknowledgement]))
  }
}
