import type { PartitionLogApi } from '../log/types.ts'
import type { Time } from '../platform/time.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import { FollowerProgress } from './follower-progress.ts'
import type { IsrAnswer, IsrChange, IsrChanges } from './isr-changes.ts'
import type { PartitionState } from './partition.ts'

interface KnownBroker {
  readonly epoch: number
  readonly fenced: boolean
  readonly inControlledShutdown: boolean
}

/** What a leader knows of other brokers: the metadata's word. */
export interface KnownBrokers {
  get(brokerId: number): KnownBroker | undefined
}

/** Whether who fetches in `brokerEpoch` (-1: it does not say) is an earlier life of the broker (KIP-903). */
export function isOfEarlierLife(broker: KnownBroker | undefined, brokerEpoch: number): boolean {
  return brokerEpoch !== -1 && broker !== undefined && !broker.fenced && broker.epoch > brokerEpoch
}

/** What leading partitions takes besides the partition. */
export interface Leadership {
  readonly nodeId: number
  readonly time: Time
  readonly brokers: KnownBrokers
  readonly isrChanges: IsrChanges
  /** replica.lag.time.max.ms */
  readonly maxLagMs: () => number
  /** A line for the operator. */
  readonly info: (message: string) => void
}

/** The partition that is led. */
export interface LedPartition {
  readonly log: PartitionLogApi
  readonly minInsyncReplicas: number
  readonly state: PartitionState
  /** The controller has made these the in-sync replicas. */
  isrChanged(isr: readonly number[], partitionEpoch: number): void
  /** The controller has refused to change them. */
  isrKept(): void
}

/** What a follower says of itself when it fetches. */
export interface FollowerFetch {
  readonly brokerId: number
  /** -1 where it does not say. */
  readonly brokerEpoch: number
  readonly offset: number
  readonly logStartOffset: number
}

/** A change of the in-sync replicas that the controller has not answered. */
interface PendingIsr {
  readonly change: IsrChange
  /** Who joins, -1 for nobody. */
  readonly added: number
}

/** Refusals by which the controller says that the partition is as it was. */
const NOT_DONE: ReadonlySet<KafkaError> = new Set([errors.OPERATION_NOT_ATTEMPTED, errors.INELIGIBLE_REPLICA])

/** Refusals after which only the metadata can tell how the partition is. */
const OUT_OF_DATE: ReadonlySet<KafkaError> = new Set([
  errors.UNKNOWN_TOPIC_OR_PARTITION,
  errors.UNKNOWN_TOPIC_ID,
  errors.FENCED_LEADER_EPOCH,
  errors.INVALID_UPDATE_VERSION,
  errors.INVALID_REQUEST,
  errors.NEW_LEADER_ELECTED,
])

/** How long after a failure that nobody expects a change is asked for again. */
const RETRY_MS = 50

const NO_FOLLOWERS: readonly FollowerProgress[] = []

/**
 * The part of a partition's leader: how far its followers are, which of them are in sync, and so up to where records are
 * committed. Lives as long as this broker leads without a break.
 */
export class LeaderState {
  /** Where the leader's epoch begins in its log. */
  epochStartOffset = -1
  readonly #leadership: Leadership
  readonly #partition: LedPartition
  #followers: readonly FollowerProgress[] = NO_FOLLOWERS
  #pending: PendingIsr | undefined

  constructor(leadership: Leadership, partition: LedPartition) {
    this.#leadership = leadership
    this.#partition = partition
  }

  /** Whether others have replicas. */
  get isReplicated(): boolean {
    return this.#followers.length > 0
  }

  /** What produce requests with acks=all need to be in sync, this broker among them. */
  get minIsr(): number {
    return Math.min(this.#partition.minInsyncReplicas, this.#followers.length + 1)
  }

  /** How many are in sync, one that is about to join included. */
  get maximalIsrSize(): number {
    return this.#partition.state.isr.length + (this.#pending !== undefined && this.#pending.added >= 0 ? 1 : 0)
  }

  /** To be called when the state of the partition is another one. `isrBefore`: who was in sync in the one before. */
  update(isNewEpoch: boolean, isrBefore: readonly number[]): void {
    const { log, state } = this.#partition
    // Where the metadata say what an answer has said, what has been asked for since is under way all the same.
    if (isNewEpoch || this.#pending?.change.partitionEpoch !== state.partitionEpoch) this.#pending = undefined
    const isFirst = this.epochStartOffset === -1
    const nowMs = this.#leadership.time.monotonicMs()
    this.#assign(state.replicas)
    this.#forgetRemoved(isrBefore)
    if (!isNewEpoch) return
    // What is on its way to the disk is of an earlier epoch.
    this.epochStartOffset = log.nextOffset
    log.assignEpoch(state.leaderEpoch, this.epochStartOffset)
    for (const follower of this.#followers) {
      const isInSync = state.isr.includes(follower.brokerId)
      if (!isFirst) follower.restart(this.epochStartOffset, isInSync, nowMs)
      else if (isInSync) follower.assumeCaughtUp(nowMs)
    }
  }

  /** Nothing waits for a replica that the controller took out of those in sync, but its next fetch: its disk may be lost. */
  #forgetRemoved(isrBefore: readonly number[]): void {
    const { isr } = this.#partition.state
    for (const id of isrBefore) if (!isr.includes(id)) this.follower(id)?.fellBehind()
  }

  #assign(replicas: readonly number[]): void {
    const { nodeId } = this.#leadership
    if (replicas.length === 1 && replicas[0] === nodeId) {
      this.#followers = NO_FOLLOWERS
      return
    }
    this.#followers = replicas.filter((id) => id !== nodeId).map((id) => this.follower(id) ?? new FollowerProgress(id))
  }

  /** undefined for one that has no replica. */
  follower(brokerId: number): FollowerProgress | undefined {
    for (const follower of this.#followers) if (follower.brokerId === brokerId) return follower
    return undefined
  }

  /** The followers in sync that have the record at `offset`, or will have it next. */
  inSyncWith(offset: number): FollowerProgress[] {
    const { isr } = this.#partition.state
    return this.#followers.filter(
      ({ brokerId, logStartOffset, logEndOffset }) =>
        isr.includes(brokerId) && logEndOffset >= offset && logStartOffset <= offset,
    )
  }

  /**
   * Notes what a follower has, which may let it join those in sync. Answers why not: NOT_LEADER_OR_FOLLOWER for a request of
   * an earlier life of the broker (KIP-903).
   */
  fetched(follower: FollowerProgress, { brokerEpoch, offset, logStartOffset }: FollowerFetch): KafkaError | undefined {
    if (isOfEarlierLife(this.#leadership.brokers.get(follower.brokerId), brokerEpoch)) {
      return errors.NOT_LEADER_OR_FOLLOWER
    }
    const nowMs = this.#leadership.time.monotonicMs()
    follower.fetched(offset, logStartOffset, brokerEpoch, this.#partition.log.logEndOffset, nowMs)
    this.#expand(follower)
    return undefined
  }

  /**
   * Brokers are not what they were: one that had caught up before it was let in again need not fetch once more, for which it
   * would wait as long as nothing is written.
   */
  brokersChanged(brokerIds: ReadonlySet<number>): void {
    for (const follower of this.#followers) if (brokerIds.has(follower.brokerId)) this.#expandUnasked(follower)
  }

  /**
   * One that was taken out of those in sync, or that is another registration than the one that fetched, may have lost its
   * log: it has to fetch before it joins.
   */
  #expandUnasked(follower: FollowerProgress): void {
    const { brokerId, brokerEpoch, hasFetched } = follower
    if (hasFetched && brokerEpoch === this.#leadership.brokers.get(brokerId)?.epoch) this.#expand(follower)
  }

  /** Moves the high watermark as far as those in sync are. Answers whether it moved. */
  advance(): boolean {
    const { log, state } = this.#partition
    const before = log.highWatermark
    if (!this.isReplicated) return log.advanceHighWatermark(log.logEndOffset) > before
    // Fewer than that may all be lost together (KIP-966).
    if (state.isr.length < this.minIsr) return false
    const nowMs = this.#leadership.time.monotonicMs()
    const maxLagMs = this.#leadership.maxLagMs()
    const { logEndOffset } = log
    let target = logEndOffset
    for (const follower of this.#followers) {
      if (follower.logEndOffset >= target) continue
      const mustWait =
        state.isr.includes(follower.brokerId) ||
        this.#pending?.added === follower.brokerId ||
        // One that is about to join would never get to a high watermark that runs away from it.
        (follower.isCaughtUp(logEndOffset, nowMs, maxLagMs) && this.#isEligible(follower))
      if (mustWait) target = follower.logEndOffset
    }
    return log.advanceHighWatermark(target) > before
  }

  /** The lowest offset that this broker or a live follower still has. */
  get lowWatermark(): number {
    let lowest = this.#partition.log.logStartOffset
    for (const { brokerId, logStartOffset } of this.#followers) {
      if (logStartOffset < lowest && this.#leadership.brokers.get(brokerId)?.fenced === false) lowest = logStartOffset
    }
    return lowest
  }

  /** Asks that those who have not been caught up for replica.log.time.max.ms are not in sync any more. */
  shrink(): void {
    if (this.#pending !== undefined || !this.isReplicated) return
    const { log, state } = this.#partition
    const { nodeId, time, maxLagMs, info } = this.#leadership
    const nowMs = time.monotonicMs()
    const inSync = state.isr.filter((id) => {
      if (id === nodeId) return true
      return this.follower(id)?.isCaughtUp(log.logEndOffset, nowMs, maxLagMs()) === true
    })
    if (inSync.length === state.isr.length) return
    info(
      `Shrinking ISR of ${state.topic}-${state.partition} from ${state.isr} to ${inSync}; ` +
        `high watermark ${log.highWatermark}, log end ${log.logEndOffset}`,
    )
    this.#propose(inSync, -1)
  }

  /** A replica joins that has all that is committed, and something of this epoch: what came before may be cut off elsewhere. */
  #expand(follower: FollowerProgress): void {
    if (this.#pending !== undefined) return
    const { log, state } = this.#partition
    if (state.isr.includes(follower.brokerId)) return
    if (follower.logEndOffset < log.highWatermark || follower.logEndOffset < this.epochStartOffset) return
    if (this.#isEligible(follower)) this.#propose([...state.isr, follower.brokerId], follower.brokerId)
  }

  #isEligible({ brokerId, brokerEpoch }: FollowerProgress): boolean {
    const broker = this.#leadership.brokers.get(brokerId)
    if (broker === undefined || broker.fenced || broker.inControlledShutdown) return false
    return brokerEpoch === -1 || brokerEpoch === broker.epoch
  }

  #propose(isr: readonly number[], added: number): void {
    const { nodeId, brokers } = this.#leadership
    const { topicId, partition, leaderEpoch, partitionEpoch } = this.#partition.state
    const epochOf = (brokerId: number) =>
      brokerId === nodeId ? brokers.get(nodeId)?.epoch : this.follower(brokerId)?.brokerEpoch
    const withEpochs = isr.map((brokerId) => ({ brokerId, brokerEpoch: epochOf(brokerId) ?? -1 }))
    this.#pending = { change: { topicId, partition, leaderEpoch, partitionEpoch, isr: withEpochs }, added }
    this.#submit(this.#pending)
  }

  #submit(pending: PendingIsr): void {
    this.#leadership.isrChanges.submit(pending.change, (answer) => this.#answered(pending, answer))
  }

  #answered(pending: PendingIsr, { error, leaderEpoch, partitionEpoch, isr }: IsrAnswer): void {
    // The metadata was faster.
    if (this.#pending !== pending) return
    if (error === errors.NONE) {
      const { state } = this.#partition
      if (leaderEpoch !== state.leaderEpoch || partitionEpoch < state.partitionEpoch) return
      this.#pending = undefined
      this.#partition.isrChanged(isr, partitionEpoch)
      this.#forgetRemoved(state.isr)
      // Others may have caught up meanwhile.
      for (const follower of this.#followers) this.#expandUnasked(follower)
    } else if (NOT_DONE.has(error)) {
      this.#pending = undefined
      this.#partition.isrKept()
    } else if (!OUT_OF_DATE.has(error)) {
      this.#leadership.time.after(RETRY_MS, () => {
        if (this.#pending === pending) this.#submit(pending)
      })
    }
  }

  /** This broker leads no more: what is asked for is of no interest. */
  end(): void {
    this.#pending = undefined
  }
}
