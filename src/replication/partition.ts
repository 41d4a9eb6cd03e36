import { LogError } from '../log/append-error.ts'
import type { AppendInfo, AppendOrigin, FetchData, PartitionLogApi, ReadUpTo } from '../log/types.ts'
import { type ErrorName, errors, type KafkaError } from '../protocol/errors.ts'
import type { FollowerProgress } from './follower-progress.ts'
import { type FollowerFetch, LeaderState, type Leadership, type LedPartition } from './leader-state.ts'
import { OffsetWaits } from './offset-waits.ts'
import { type PartitionObserver, PartitionWaits } from './partition-waits.ts'
import type { FetchWait } from './purgatory.ts'
import { type TransactionalAppend, TransactionalAppends } from './transactional-appends.ts'
import type { VerificationGuard } from './verification.ts'

/** What the metadata log says of a partition, as far as serving it goes. */
export interface PartitionState {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** Broker id, -1 for none. */
  readonly leader: number
  readonly leaderEpoch: number
  /** Counts every change of it, those of the ISR included. */
  readonly partitionEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** 0 recovered; 1 recovering: elected although it was not in sync. */
  readonly leaderRecoveryState: number
  /** Of a reassignment; those are among `replicas`. */
  readonly addingReplicas: readonly number[]
  readonly removingReplicas: readonly number[]
  /** Whether this broker has had a log of it, as far as it knows. [false] */
  readonly hadLog?: boolean
}

/** What a partition needs besides its log. */
export interface PartitionContext extends Leadership {
  /** transaction.partition.verification.enable */
  readonly mustVerifyTransactions: () => boolean
}

/** What an answer of the leader, once its records are in the log, says to the follower. */
export interface Followed {
  /** The epoch in which it was asked. */
  readonly leaderEpoch: number
  /** The leader's. */
  readonly highWatermark: number
  /** The leader's. */
  readonly logStartOffset: number
  /** Of the records that were appended, 0 for none. */
  readonly sizeBytes: number
}

/** The records are in the log of this broker, and that is all that is known: others may have them or not. */
export class NotReplicatedError extends LogError {
  readonly info: AppendInfo

  constructor(error: KafkaError, info: AppendInfo, message: string) {
    super(error.name as ErrorName, message)
    this.name = 'NotReplicatedError'
    this.info = info
  }
}

/** A partition of which this broker has a replica: its log, and its part in the replication of it. */
export class Partition implements LedPartition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  #log: PartitionLogApi
  /** min.insync.replicas of the topic. */
  minInsyncReplicas: number
  readonly #context: PartitionContext
  #state: PartitionState
  /** While this broker leads, and its log works. */
  #leading: LeaderState | undefined
  readonly #transactions: TransactionalAppends
  readonly #waits = new PartitionWaits()
  /** Appends with acks=all, until the high watermark is past them. */
  readonly #acks: OffsetWaits
  /** Deletions of records, until every live replica has made them. */
  readonly #deletions: OffsetWaits
  /** Whether a transaction was open below the high watermark when that moved last. */
  #isUnstable = false
  #mayWait = true

  constructor(context: PartitionContext, state: PartitionState, log: PartitionLogApi, minInsyncReplicas: number) {
    this.topic = state.topic
    this.topicId = state.topicId
    this.partition = state.partition
    this.#context = context
    this.#log = log
    this.minInsyncReplicas = minInsyncReplicas
    this.#transactions = new TransactionalAppends(context.mustVerifyTransactions)
    this.#acks = new OffsetWaits(context.time)
    this.#deletions = new OffsetWaits(context.time)
    this.#state = state
    this.#watchLogStart()
    this.#begin(true)
  }

  get log(): PartitionLogApi {
    return this.#log
  }

  /** Its log is another one now, with the same records. */
  moveTo(log: PartitionLogApi): void {
    this.#log = log
    this.#watchLogStart()
    const leading = this.#leading
    if (leading === undefined) this.#begin(true)
    else {
      // An epoch without records is in no file that was copied.
      log.assignEpoch(this.#state.leaderEpoch, leading.epochStartOffset)
      this.#advance(leading)
    }
    this.wakeAll()
  }

  #watchLogStart(): void {
    this.#log.onLogStart = () => this.#waits.changed(false)
  }

  get state(): PartitionState {
    return this.#state
  }

  get isLeader(): boolean {
    return this.#state.leader === this.#context.nodeId
  }

  /** Whether this broker leads it, and others have replicas. */
  get leadsOthers(): boolean {
    return this.#leading?.isReplicated === true
  }

  get leaderEpoch(): number {
    return this.#state.leaderEpoch
  }

  /** Takes over what the metadata log says now; waiting requests look again. */
  update(state: PartitionState): void {
    // What the controller has answered may be ahead of the metadata log here.
    if (state.partitionEpoch < this.#state.partitionEpoch) return
    const { leaderEpoch, isr } = this.#state
    this.#state = state
    this.#begin(state.leaderEpoch !== leaderEpoch, isr)
    this.wakeAll()
  }

  /** A new leader notes where its epoch starts; alone in sync, everything it has is committed. */
  #begin(isNewEpoch: boolean, isrBefore: readonly number[] = []): void {
    if (!this.isLeader) this.#endLeading(errors.NOT_LEADER_OR_FOLLOWER)
    else if (this.log.offline !== undefined) this.#endLeading(errors.KAFKA_STORAGE_ERROR)
    else {
      const isNewLeader = this.#leading === undefined
      if (isNewLeader) this.#waits.forgetAppends()
      this.#leading ??= new LeaderState(this.#context, this)
      this.#leading.update(isNewLeader || isNewEpoch, isrBefore)
      this.#advance(this.#leading)
      this.#checkDeletions(this.#leading)
    }
  }

  /** Whoever waits for what only a leader can say is told `error`. */
  #endLeading(error: KafkaError): void {
    // What follows may be cut back.
    this.#waits.forgetAppends()
    if (this.#leading === undefined) return
    this.#leading.end()
    this.#leading = undefined
    this.#transactions.clear()
    this.#acks.fail(error)
    this.#deletions.fail(error)
  }

  /** This broker has no replica any more; `error` says why to whoever waits for others to have what they wrote. */
  end(error: KafkaError): void {
    this.#endLeading(error)
    this.wakeAll()
  }

  /** From now on nobody waits: the broker shuts down. */
  stopWaiting(): void {
    this.#mayWait = false
    this.#acks.fail(errors.NOT_LEADER_OR_FOLLOWER)
    this.#deletions.fail(errors.NOT_LEADER_OR_FOLLOWER)
    this.wakeAll()
  }

  /**
   * Why this broker does not serve the partition to a client that believes in `currentLeaderEpoch` (-1: it does not say);
   * undefined when it does.
   */
  refusal(currentLeaderEpoch: number, mustLead: boolean): KafkaError | undefined {
    if (currentLeaderEpoch !== -1 && currentLeaderEpoch !== this.#state.leaderEpoch) {
      return currentLeaderEpoch < this.#state.leaderEpoch ? errors.FENCED_LEADER_EPOCH : errors.UNKNOWN_LEADER_EPOCH
    }
    if (mustLead && !this.isLeader) return errors.NOT_LEADER_OR_FOLLOWER
    return this.log.offline === undefined ? undefined : errors.KAFKA_STORAGE_ERROR
  }

  /**
   * What a batch of these needs before it is appended; undefined where the transaction is open already. Throws LogError
   * INVALID_PRODUCER_EPOCH, NOT_LEADER_OR_FOLLOWER.
   */
  beginVerification(batch: TransactionalAppend, bumpsEpochs: boolean): VerificationGuard | undefined {
    if (!this.isLeader) throw this.#notLeader()
    return this.#transactions.begin(this.log, batch, bumpsEpochs)
  }

  #notLeader(): LogError {
    return new LogError('NOT_LEADER_OR_FOLLOWER', `broker ${this.#context.nodeId} does not lead ${this}`)
  }

  /**
   * Rejects with LogError: AppendError for what the log itself refuses, NotReplicatedError where it is in the log. Takes the
   * buffers over. `transaction`: what is in them, where that opens a transaction only if it is verified, or ends one. With
   * acks -1 waits at most `timeoutMs` until all in sync have it [no limit].
   */
  async append(
    records: readonly Buffer[],
    acks: number,
    origin: AppendOrigin,
    transaction?: TransactionalAppend,
    timeoutMs = Number.POSITIVE_INFINITY,
  ): Promise<AppendInfo> {
    const { leaderEpoch, isr } = this.#state
    if (!this.isLeader) throw this.#notLeader()
    const leading = this.#leading
    if (leading === undefined) throw new LogError('KAFKA_STORAGE_ERROR', `${this} is offline`)
    if (acks === -1 && isr.length < leading.minIsr) {
      throw new LogError('NOT_ENOUGH_REPLICAS', `${isr.length} replicas are in sync, ${leading.minIsr} are required`)
    }
    const written = this.#transactions.append(this.log, records, leaderEpoch, origin, transaction)
    let info: AppendInfo
    try {
      info = await written
    } catch (error) {
      this.#handOverAfter(error, leading)
      throw error
    }
    if (this.#leading === leading) {
      if (info.duplicate) this.#advance(leading)
      else this.#written(info, leading)
    }
    // Whoever may read only what is decided has more to read now than the marker itself.
    if (transaction?.markerVersion !== undefined) this.wakeAll()
    if (acks === -1 && leading.isReplicated) await this.#replicated(info, leading, timeoutMs)
    return info
  }

  /** Where another replica can lead, this one does not wait until its disk works again, or has room. */
  #handOverAfter(error: unknown, leading: LeaderState): void {
    if (isOfDisk(error) && this.#leading === leading && this.#state.isr.length > 1) this.log.fail(error.message)
  }

  #written({ lastOffset, sizeBytes }: AppendInfo, leading: LeaderState): void {
    if (leading.isReplicated) {
      this.#waits.appended(lastOffset + 1, sizeBytes)
      this.#advance(leading)
    } else {
      leading.advance()
      this.#waits.appendedAndCommitted(sizeBytes)
    }
  }

  /**
   * That too few are in sync after the append is no case of its own: the high watermark does not move then (KIP-966), and
   * the time runs out.
   */
  async #replicated(info: AppendInfo, leading: LeaderState, timeoutMs: number): Promise<void> {
    let error = errors.NONE
    if (this.#leading !== leading || !this.#mayWait) error = errors.NOT_LEADER_OR_FOLLOWER
    else if (this.log.highWatermark <= info.lastOffset) error = await this.#acks.wait(info.lastOffset + 1, timeoutMs)
    if (error === errors.NONE) return
    throw new NotReplicatedError(error, info, `${this}: not known to be replicated up to offset ${info.lastOffset}`)
  }

  #advance(leading: LeaderState): void {
    if (leading.advance()) this.#committed()
  }

  /** The high watermark has moved. */
  #committed(): void {
    const { highWatermark, lastStableOffset } = this.log
    this.#acks.reached(highWatermark)
    this.#waits.committed(highWatermark)
    // A transaction may have ended: readers of what is decided have more to read than what has been committed now.
    if (this.#isUnstable) this.#waits.wakeConsumers()
    this.#isUnstable = lastStableOffset < highWatermark
  }

  /** The controller has answered a request of this leader. */
  isrChanged(isr: readonly number[], partitionEpoch: number): void {
    this.#context.info(`In-sync replicas of ${this} are ${isr} now, in partition epoch ${partitionEpoch}`)
    this.#waits.changed(false)
    this.#state = { ...this.#state, isr, partitionEpoch }
    if (this.#leading !== undefined) this.#advance(this.#leading)
  }

  /** The controller has refused a request of this leader: whoever was about to join is not. */
  isrKept(): void {
    this.checkHighWatermark()
  }

  /** Asks for those who may join the in-sync replicas now to be among them; waits for those no more who may not. */
  brokersChanged(brokerIds: ReadonlySet<number>): void {
    if (this.#leading === undefined) return
    this.#leading.brokersChanged(brokerIds)
    this.#advance(this.#leading)
    this.#checkDeletions(this.#leading)
  }

  /** Asks for those who do not keep up to be taken out of those in sync. */
  checkInSync(): void {
    this.#leading?.shrink()
    this.checkHighWatermark()
  }

  /**
   * To be called when what is known of other brokers, the settings or the time have changed: what the high watermark waits
   * for may not come any more, and producers that wait for it do not send what would make the leader look again.
   */
  checkHighWatermark(): void {
    if (this.#leading !== undefined) this.#advance(this.#leading)
  }

  /**
   * A follower asks for records, and so tells how far it is. Answers why it gets none: NOT_LEADER_OR_FOLLOWER.
   * To be called before they are read, so that it hears of the high watermark that comes of it.
   */
  fetchedBy(fetch: FollowerFetch): KafkaError | undefined {
    const leading = this.#leading
    const follower = leading?.follower(fetch.brokerId)
    if (leading === undefined || follower === undefined) return errors.NOT_LEADER_OR_FOLLOWER
    const before = follower.logEndOffset
    const refusal = leading.fetched(follower, fetch)
    if (refusal !== undefined) return refusal
    if (follower.logEndOffset !== before) this.#advance(leading)
    this.#checkDeletions(leading)
    return undefined
  }

  #checkDeletions(leading: LeaderState): void {
    if (this.#deletions.count > 0) this.#deletions.reached(leading.lowWatermark)
  }

  /** The follower of that broker; undefined where this broker does not lead, or the other is not in sync. */
  inSyncFollower(brokerId: number): FollowerProgress | undefined {
    return this.#state.isr.includes(brokerId) ? this.#leading?.follower(brokerId) : undefined
  }

  /** Followers in sync from which consumers may read on at `offset`; none where this broker does not lead. */
  followersAt(offset: number): readonly FollowerProgress[] {
    return this.#leading?.inSyncWith(offset) ?? []
  }

  /**
   * What the leader knows is known here, too, as far as the log goes; readers that wait hear of it. An answer of another
   * epoch changes nothing. Throws LogError KAFKA_STORAGE_ERROR.
   */
  followed({ leaderEpoch, highWatermark, logStartOffset, sizeBytes }: Followed): void {
    if (this.isLeader || leaderEpoch !== this.#state.leaderEpoch) return
    const { log } = this
    if (sizeBytes > 0) this.#waits.appended(log.logEndOffset, sizeBytes)
    const before = log.highWatermark
    const after = log.advanceHighWatermark(highWatermark)
    if (logStartOffset > log.logStartOffset) log.advanceLogStart(Math.min(logStartOffset, after), 'leader offset')
    if (after > before) this.#committed()
  }

  /** Throws LogError; after one of the disk another replica is to lead, or to be read, where there is one in sync. */
  read(
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    upTo: ReadUpTo,
    isGivenBack = false,
  ): FetchData | Promise<FetchData> {
    const { log } = this
    const failed = (error: unknown): never => {
      if (isOfDisk(error) && this.log === log && this.#state.isr.length > 1) log.fail(error.message)
      throw error
    }
    try {
      const data = log.read(offset, { maxBytes, minOneBatch, upTo, isGivenBack })
      return data instanceof Promise ? data.catch(failed) : data
    } catch (error) {
      return failed(error)
    }
  }

  /** The offset that readers who may see `upTo` this stop at. */
  bound(upTo: ReadUpTo): number {
    if (upTo === 'logEnd') return this.log.logEndOffset
    return upTo === 'highWatermark' ? this.log.highWatermark : this.log.lastStableOffset
  }

  /** A new leader cannot say where what is committed ends before its followers have told it (KIP-207). */
  get isEndUnknown(): boolean {
    return this.#leading !== undefined && this.#leading.epochStartOffset > this.log.highWatermark
  }

  /** DeleteRecords here: answers the lowest offset that some live replica still has. Throws LogError OFFSET_OUT_OF_RANGE. */
  deleteRecordsBefore(offset: number): number {
    this.log.advanceLogStart(offset, 'client deletion')
    this.wakeAll()
    return this.#leading?.lowWatermark ?? this.log.logStartOffset
  }

  /**
   * Resolves once every live replica has deleted what is before `offset`, with REQUEST_TIMED_OUT after `timeoutMs`, or with
   * NOT_LEADER_OR_FOLLOWER or KAFKA_STORAGE_ERROR where that cannot be told any more.
   */
  async whenDeletedBefore(offset: number, timeoutMs: number): Promise<KafkaError> {
    if (this.#leading === undefined || !this.#mayWait) return errors.NOT_LEADER_OR_FOLLOWER
    return this.#leading.lowWatermark >= offset ? errors.NONE : this.#deletions.wait(offset, timeoutMs)
  }

  /**
   * Resolves with NONE once all before `offset` is committed, however long that takes, or with NOT_LEADER_OR_FOLLOWER or
   * KAFKA_STORAGE_ERROR where this broker cannot tell any more.
   */
  async whenCommitted(offset: number): Promise<KafkaError> {
    if (this.#leading === undefined || !this.#mayWait) return errors.NOT_LEADER_OR_FOLLOWER
    return this.log.highWatermark >= offset ? errors.NONE : this.#acks.wait(offset, Number.POSITIVE_INFINITY)
  }

  /** As `deleteRecordsBefore` answers it; undefined where this broker does not lead. */
  get lowWatermark(): number | undefined {
    return this.#leading?.lowWatermark
  }

  /** `seesLogEnd`: what is not committed counts, too. */
  watch(wait: FetchWait, index: number, seesLogEnd: boolean): void {
    this.#waits.watch(wait, index, seesLogEnd)
  }

  unwatch(wait: FetchWait): void {
    this.#waits.unwatch(wait)
  }

  observe(observer: PartitionObserver): void {
    this.#waits.observe(observer)
  }

  unobserve(observer: PartitionObserver): void {
    this.#waits.unobserve(observer)
  }

  /** Something else than an append happened: whoever waits looks at once. */
  wakeAll(): void {
    this.#waits.wakeAll()
  }

  toString(): string {
    return `${this.topic}-${this.partition}`
  }
}

function isOfDisk(error: unknown): error is LogError {
  return error instanceof LogError && error.error === errors.KAFKA_STORAGE_ERROR
}
