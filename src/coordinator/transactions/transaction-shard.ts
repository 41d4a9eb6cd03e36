import { errors } from '../../protocol/errors.ts'
import type { DescribeTransactionsResponse } from '../../protocol/messages/describe-transactions.ts'
import type { ListTransactionsResponse } from '../../protocol/messages/list-transactions.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import { answer, type Result } from '../runtime/result.ts'
import type { CoordinatorShard, ShardContext } from '../runtime/shard.ts'
import { UndoMap } from '../runtime/undo-log.ts'
import { abortedByCoordinator, endedTransaction } from './end-transaction.ts'
import { initializedProducer, mayContinue, type ProducerIdAndEpoch, type TakeProducerId } from './init-producer.ts'
import type { TransactionFilter } from './list-transactions.ts'
import {
  completed,
  hasAllPartitions,
  isAtRest,
  isPrepared,
  NO_EPOCH,
  NO_PRODUCER_ID,
  stateNames,
  type Transaction,
  type TransactionPartitions,
  TransactionState,
  withPartitions,
} from './transaction.ts'
import type { TransactionConfig } from './transaction-config.ts'
import { readTransaction, transactionRecord, transactionTombstone } from './transaction-records.ts'

const ABORT_TIMER = 'abort'
const EXPIRATION_TIMER = 'expiration'
/** A transaction of this timeout is ended by nobody but its producer. */
const NEVER_TIMES_OUT_MS = 2 ** 31 - 1

type ListedTransaction = ListTransactionsResponse['transactionStates'][number]
export type DescribedTransaction = DescribeTransactionsResponse['transactionStates'][number]

/** The time from a load of a shard to its end: afterwards somebody else decides. */
export interface ShardLife {
  readonly partition: number
  isOver: boolean
}

export interface TransactionShardOptions {
  readonly config: TransactionConfig
  /** The finalized transaction.version. */
  readonly transactionVersion: () => number
  readonly takeProducerId: TakeProducerId
  /** The decision to end the transaction is committed: its markers are to be written. May be told more than once. */
  readonly onPrepared: (life: Readonly<ShardLife>, transaction: Transaction) => void
}

/** The transactional ids of one partition of __transaction_state. */
export class TransactionShard implements CoordinatorShard {
  readonly #context: ShardContext
  readonly #options: TransactionShardOptions
  readonly #transactions: UndoMap<string, Transaction>
  readonly #life: ShardLife

  constructor(context: ShardContext, options: TransactionShardOptions) {
    this.#context = context
    this.#options = options
    this.#transactions = new UndoMap(context.undo)
    this.#life = { partition: context.partition, isOver: false }
  }

  replay(record: CoordinatorRecord): void {
    const [transactionalId, transaction] = readTransaction(record)
    if (transaction === undefined) this.#transactions.delete(transactionalId)
    else this.#transactions.set(transactionalId, transaction)
  }

  /** Nobody writes transactions into this topic. */
  replayTransactionEnd(): void {}

  onLoaded(): void {
    for (const transaction of this.#transactions.values()) this.#announce(transaction)
    this.#scheduleAborts()
    this.#scheduleExpiration()
  }

  onUnloaded(): void {
    this.#life.isOver = true
  }

  /** Throws CoordinatorError; CONCURRENT_TRANSACTIONS also where an open transaction had to be aborted first. */
  initProducer(
    transactionalId: string,
    timeoutMs: number,
    expected: ProducerIdAndEpoch | undefined,
  ): Result<ProducerIdAndEpoch | undefined> {
    const known = this.#transactions.get(transactionalId)
    if (known !== undefined) {
      if (expected !== undefined && !mayContinue(known, expected)) throw new CoordinatorError(errors.PRODUCER_FENCED)
      if (isPrepared(known)) throw new CoordinatorError(errors.CONCURRENT_TRANSACTIONS)
      if (known.state === TransactionState.ongoing) return this.#change(this.#aborted(known), undefined)
    }
    const { takeProducerId } = this.#options
    const nowMs = this.#nowMs()
    const next = initializedProducer(transactionalId, known, expected, timeoutMs, takeProducerId, nowMs)
    return this.#change(next, { producerId: next.producerId, producerEpoch: next.producerEpoch })
  }

  /** Throws CoordinatorError. Partitions that are in the transaction already change nothing. */
  addPartitions(
    transactionalId: string,
    producer: ProducerIdAndEpoch,
    partitions: TransactionPartitions,
    clientVersion: number,
  ): Result<void> {
    const transaction = this.#ofProducer(transactionalId, producer)
    if (isPrepared(transaction)) throw new CoordinatorError(errors.CONCURRENT_TRANSACTIONS)
    if (transaction.state === TransactionState.ongoing && hasAllPartitions(transaction, partitions)) {
      return answer(undefined)
    }
    return this.#change(withPartitions(transaction, partitions, clientVersion, this.#nowMs()), undefined)
  }

  /** The transaction that a producer wants to write in; its partitions tell where it may. Throws CoordinatorError. */
  verify(transactionalId: string, producer: ProducerIdAndEpoch): Transaction {
    const transaction = this.#ofProducer(transactionalId, producer)
    if (isPrepared(transaction)) throw new CoordinatorError(errors.CONCURRENT_TRANSACTIONS)
    return transaction
  }

  #ofProducer(transactionalId: string, { producerId, producerEpoch }: ProducerIdAndEpoch): Transaction {
    const transaction = this.#transactions.get(transactionalId)
    if (transaction?.producerId !== producerId) throw new CoordinatorError(errors.INVALID_PRODUCER_ID_MAPPING)
    if (transaction.producerEpoch !== producerEpoch) throw new CoordinatorError(errors.PRODUCER_FENCED)
    return transaction
  }

  /** Answers what the producer goes on with, or -1 and -1 where it keeps what it has. Throws CoordinatorError. */
  end(
    transactionalId: string,
    producer: ProducerIdAndEpoch,
    commit: boolean,
    clientVersion: number,
  ): Result<ProducerIdAndEpoch> {
    const transaction = this.#transactions.get(transactionalId)
    if (transaction === undefined) throw new CoordinatorError(errors.INVALID_PRODUCER_ID_MAPPING)
    const { takeProducerId } = this.#options
    const nowMs = this.#nowMs()
    const next = endedTransaction(transaction, producer, commit, clientVersion, takeProducerId, nowMs)
    if (next === undefined) return answer(producerAfter(transaction, clientVersion))
    return this.#change(next, producerAfter(completed(next, nowMs), clientVersion))
  }

  /** All markers are written. Does nothing where that is known. */
  complete({ transactionalId, producerId, producerEpoch }: Transaction): Result<void> {
    const transaction = this.#transactions.get(transactionalId)
    const isSame = transaction?.producerId === producerId && transaction.producerEpoch === producerEpoch
    if (!isSame || !isPrepared(transaction)) return answer(undefined)
    return this.#change(completed(transaction, this.#nowMs()), undefined)
  }

  describe(transactionalId: string): DescribedTransaction {
    const transaction = this.#transactions.get(transactionalId)
    if (transaction === undefined) {
      return undescribedTransaction(transactionalId, errors.TRANSACTIONAL_ID_NOT_FOUND.code)
    }
    const { producerId, producerEpoch, state, timeoutMs, startMs, partitions } = transaction
    return {
      errorCode: errors.NONE.code,
      transactionalId,
      transactionState: stateNames[state]!,
      transactionTimeoutMs: timeoutMs,
      transactionStartTimeMs: startMs,
      producerId,
      producerEpoch,
      topics: [...partitions].map(([topic, numbers]) => ({ topic, partitions: [...numbers] })),
    }
  }

  list(isWanted: TransactionFilter, nowMs: number): ListedTransaction[] {
    const listed: ListedTransaction[] = []
    for (const transaction of this.#transactions.values()) {
      if (!isWanted(transaction, nowMs)) continue
      const { transactionalId, producerId, state } = transaction
      listed.push({ transactionalId, producerId, transactionState: stateNames[state]! })
    }
    return listed
  }

  /** The state is changed here and now; the record is the picture of it, without what only this coordinator knows. */
  #change<R>(next: Transaction, response: R): Result<R> {
    this.#transactions.set(next.transactionalId, next)
    const records = [transactionRecord(next, this.#options.transactionVersion())]
    if (!isPrepared(next)) return { records, response, replay: false }
    const settled = (error: unknown) => {
      if (error === undefined) this.#announce(next)
    }
    return { records, response, replay: false, settled }
  }

  #announce(transaction: Transaction): void {
    if (isPrepared(transaction)) this.#options.onPrepared(this.#life, transaction)
  }

  #aborted(transaction: Transaction): Transaction {
    const { transactionVersion, takeProducerId } = this.#options
    return abortedByCoordinator(transaction, transactionVersion(), takeProducerId, this.#nowMs())
  }

  #nowMs(): number {
    return this.#context.time.nowMs()
  }

  #scheduleAborts(): void {
    const everyMs = this.#options.config.abortIntervalMs
    this.#context.timers.schedule(ABORT_TIMER, everyMs, () => this.#abortTimedOut(), everyMs)
  }

  #abortTimedOut(): Result<void> {
    const next: Transaction[] = []
    const nowMs = this.#nowMs()
    for (const transaction of this.#transactions.values()) {
      if (isTimedOut(transaction, nowMs)) next.push(this.#aborted(transaction))
    }
    for (const transaction of next) this.#transactions.set(transaction.transactionalId, transaction)
    this.#scheduleAborts()
    const records = next.map((transaction) => transactionRecord(transaction, this.#options.transactionVersion()))
    // A decision whose write was given up on may have been written after all: all of them are told again.
    const decided = [...this.#transactions.values()].filter(isPrepared)
    const settled = (error: unknown) => {
      if (error === undefined) for (const transaction of decided) this.#announce(transaction)
    }
    return { records, response: undefined, replay: false, atomic: false, settled }
  }

  #scheduleExpiration(): void {
    const everyMs = this.#options.config.expirationIntervalMs
    this.#context.timers.schedule(EXPIRATION_TIMER, everyMs, () => this.#expire(), everyMs)
  }

  /** Ids that nobody has used for long go. */
  #expire(): Result<void> {
    const latestMs = this.#nowMs() - this.#options.config.idExpirationMs
    const records: CoordinatorRecord[] = []
    for (const transaction of this.#transactions.values()) {
      if (isAtRest(transaction) && transaction.lastUpdateMs <= latestMs) {
        records.push(transactionTombstone(transaction.transactionalId))
      }
    }
    this.#scheduleExpiration()
    return { records, response: undefined, atomic: false }
  }
}

function isTimedOut({ state, startMs, timeoutMs }: Transaction, nowMs: number): boolean {
  return state === TransactionState.ongoing && timeoutMs < NEVER_TIMES_OUT_MS && startMs + timeoutMs < nowMs
}

function producerAfter({ producerId, producerEpoch }: Transaction, clientVersion: number): ProducerIdAndEpoch {
  const isTold = clientVersion >= 2
  return isTold ? { producerId, producerEpoch } : { producerId: NO_PRODUCER_ID, producerEpoch: NO_EPOCH }
}

export function undescribedTransaction(transactionalId: string, errorCode: number): DescribedTransaction {
  return {
    errorCode,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [],
  }
}
