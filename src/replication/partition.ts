import { LogError } from '../log/append-error.ts'
import type {
  AppendInfo,
  AppendOptions,
  AppendOrigin,
  FetchData,
  PartitionLogApi,
  ProducerInfo,
  ReadUpTo,
} from '../log/types.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import type { FetchWait } from './purgatory.ts'
import { type VerificationGuard, VerificationGuards } from './verification.ts'

/** Who says nothing of a transaction does not open one. */
const refuse = () => false
const accept = () => true

/** What is special about an append that belongs to a transaction. */
export interface TransactionalAppend {
  readonly producerId: number
  readonly producerEpoch: number
  /** Of a batch of records: -1 for none. */
  readonly baseSequence: number
  /** What the coordinator's word was given for; undefined where the transaction is open, or nobody was asked. */
  readonly guard?: VerificationGuard | undefined
  /** The transaction.version under which a marker is written; left out for records. */
  readonly markerVersion?: number
}

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

/** Whether a batch of the producer came between: one that is refused, or a repeated one, leaves everything as it is. */
function hasWritten(before: ProducerInfo | undefined, after: ProducerInfo): boolean {
  return before?.lastSequence !== after.lastSequence || before.producerEpoch !== after.producerEpoch
}

/** A partition of which this broker has a replica: its log, and its part in the replication of it. */
export class Partition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  #log: PartitionLogApi
  /** min.insync.replicas of the topic. */
  minInsyncReplicas: number
  readonly #mustVerify: () => boolean
  readonly #nodeId: number
  #state: PartitionState
  readonly #guards = new VerificationGuards()
  readonly #openingTransaction = (producerId: number) => this.#guards.get(producerId)
  /** Fetch requests that wait for more in this partition, with their place in the request. */
  readonly #waits = new Map<FetchWait, number>()

  /** `mustVerify`: transaction.partition.verification.enable */
  constructor(
    nodeId: number,
    state: PartitionState,
    log: PartitionLogApi,
    minInsyncReplicas: number,
    mustVerify: () => boolean,
  ) {
    this.topic = state.topic
    this.topicId = state.topicId
    this.partition = state.partition
    this.#log = log
    this.minInsyncReplicas = minInsyncReplicas
    this.#nodeId = nodeId
    this.#mustVerify = mustVerify
    this.#state = state
    this.#begin()
  }

  get log(): PartitionLogApi {
    return this.#log
  }

  /** Its log is another one now, with the same records. */
  moveTo(log: PartitionLogApi): void {
    this.#log = log
    this.#begin()
    this.wakeAll()
  }

  get state(): PartitionState {
    return this.#state
  }

  get isLeader(): boolean {
    return this.#state.leader === this.#nodeId
  }

  get leaderEpoch(): number {
    return this.#state.leaderEpoch
  }

  /** Takes over what the metadata log says now; waiting requests look again. */
  update(state: PartitionState): void {
    const isNewEpoch = state.leaderEpoch !== this.#state.leaderEpoch
    this.#state = state
    if (isNewEpoch) this.#begin()
    this.wakeAll()
  }

  /** A new leader notes where its epoch starts; alone in sync, everything it has is committed. */
  #begin(): void {
    if (!this.isLeader || this.log.offline !== undefined) return
    this.log.assignEpoch(this.#state.leaderEpoch, this.log.logEndOffset)
    this.#advanceHighWatermark()
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
   * INVALID_PRODUCER_EPOCH.
   */
  beginVerification(batch: TransactionalAppend, bumpsEpochs: boolean): VerificationGuard | undefined {
    const { producerId, producerEpoch, baseSequence } = batch
    const known = this.log.producer(producerId)
    return this.#guards.begin(producerId, producerEpoch, baseSequence, bumpsEpochs, known)
  }

  /**
   * Rejects with LogError (AppendError for what the log itself refuses). Takes the buffers over. `transaction`: what is
   * in them, where that opens a transaction only if it is verified, or ends one.
   */
  async append(
    records: readonly Buffer[],
    acks: number,
    origin: AppendOrigin,
    transaction?: TransactionalAppend,
  ): Promise<AppendInfo> {
    const { leaderEpoch, isr, replicas } = this.#state
    if (!this.isLeader) throw new LogError('NOT_LEADER_OR_FOLLOWER', `broker ${this.#nodeId} does not lead ${this}`)
    const minIsr = Math.min(this.minInsyncReplicas, replicas.length)
    if (acks === -1 && isr.length < minIsr) {
      throw new LogError('NOT_ENOUGH_REPLICAS', `${isr.length} replicas are in sync, ${minIsr} are required`)
    }
    const isTransactionVerified = this.#mustVerify() ? refuse : accept
    const options = { leaderEpoch, origin, isTransactionVerified, openingTransaction: this.#openingTransaction }
    const written =
      transaction === undefined
        ? this.log.append(records, options)
        : this.#appendTransactional(records, options, transaction)
    const info = await written
    if (!info.duplicate) this.#committed(info.sizeBytes)
    // Whoever may read only what is decided has more to read now than the marker itself.
    if (transaction?.markerVersion !== undefined) this.wakeAll()
    return info
  }

  #appendTransactional(
    records: readonly Buffer[],
    options: AppendOptions,
    transaction: TransactionalAppend,
  ): Promise<AppendInfo> {
    const { producerId, producerEpoch, guard, markerVersion } = transaction
    if (markerVersion !== undefined) {
      const written = this.log.append(records, { ...options, transactionVersion: markerVersion })
      const now = this.log.producer(producerId)
      if (now?.producerEpoch === producerEpoch && now.currentTxnStartOffset < 0) {
        this.#guards.ended(producerId, producerEpoch)
      }
      return written
    }
    const isTransactionVerified = () => guard !== undefined && this.#guards.get(producerId) === guard
    const before = this.#guards.get(producerId) && this.log.producer(producerId)
    const written = this.log.append(records, this.#mustVerify() ? { ...options, isTransactionVerified } : options)
    const after = this.#guards.get(producerId) && this.log.producer(producerId)
    if (after !== undefined && hasWritten(before, after)) this.#guards.used(producerId)
    return written
  }

  /**
   * What the leader knows is known here, too, as far as the log goes; readers that wait hear of it. An answer of another
   * epoch changes nothing. Throws LogError KAFKA_STORAGE_ERROR.
   */
  followed({ leaderEpoch, highWatermark, logStartOffset, sizeBytes }: Followed): void {
    if (this.isLeader || leaderEpoch !== this.#state.leaderEpoch) return
    const { log } = this
    const before = log.highWatermark
    const after = log.advanceHighWatermark(highWatermark)
    if (logStartOffset > log.logStartOffset) log.advanceLogStart(Math.min(logStartOffset, after), 'leader offset')
    if (after > before) this.wakeAll()
    else if (sizeBytes > 0) for (const [wait, index] of this.#waits) wait.grew(index, sizeBytes)
  }

  #committed(sizeBytes: number): void {
    if (this.isLeader) this.#advanceHighWatermark()
    for (const [wait, index] of this.#waits) wait.grew(index, sizeBytes)
  }

  #advanceHighWatermark(): void {
    const { isr } = this.#state
    if (isr.length === 1 && isr[0] === this.#nodeId) this.log.advanceHighWatermark(this.log.logEndOffset)
  }

  /** Throws LogError. */
  read(
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    upTo: ReadUpTo,
    isGivenBack = false,
  ): FetchData | Promise<FetchData> {
    return this.log.read(offset, { maxBytes, minOneBatch, upTo, isGivenBack })
  }

  /** The offset that readers who may see `upTo` this stop at. */
  bound(upTo: ReadUpTo): number {
    if (upTo === 'logEnd') return this.log.logEndOffset
    return upTo === 'highWatermark' ? this.log.highWatermark : this.log.lastStableOffset
  }

  /** DeleteRecords: answers the new low watermark. Throws LogError OFFSET_OUT_OF_RANGE. */
  deleteRecordsBefore(offset: number): number {
    this.log.advanceLogStart(offset, 'client deletion')
    this.wakeAll()
    return this.log.logStartOffset
  }

  watch(wait: FetchWait, index: number): void {
    this.#waits.set(wait, index)
  }

  unwatch(wait: FetchWait): void {
    this.#waits.delete(wait)
  }

  /** Something else than an append happened: whoever waits looks at once. */
  wakeAll(): void {
    for (const wait of this.#waits.keys()) wait.wake()
  }

  toString(): string {
    return `${this.topic}-${this.partition}`
  }
}
