import { errors } from '../../protocol/errors.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { ProducerIdAndEpoch, TakeProducerId } from './init-producer.ts'
import {
  bumpsEpoch,
  fenced,
  isExhausted,
  isPrepared,
  NO_PRODUCER_ID,
  prepared,
  type Transaction,
  TransactionState,
} from './transaction.ts'

const LAST_USED_EPOCH = 0x7ffe

/**
 * What EndTxn makes of the transaction; undefined where it has been done already and this is a repetition. Throws
 * CoordinatorError. `clientVersion` is 2 from EndTxn 5 on: each end has an epoch of its own then, and tells repetitions
 * from mistakes by it (KIP-890).
 */
export function endedTransaction(
  transaction: Transaction,
  producer: ProducerIdAndEpoch,
  commit: boolean,
  clientVersion: number,
  take: TakeProducerId,
  nowMs: number,
): Transaction | undefined {
  if (!bumpsEpoch(clientVersion)) return endWithoutBump(transaction, producer, commit, nowMs)
  const { producerId, producerEpoch } = producer
  const isRetryOfOverflow =
    transaction.previousProducerId === producerId &&
    producerEpoch === LAST_USED_EPOCH &&
    transaction.producerEpoch === 0
  const isRetry = isRetryOfOverflow || transaction.producerEpoch === producerEpoch + 1
  if (transaction.producerId !== producerId && !isRetryOfOverflow) {
    throw new CoordinatorError(errors.INVALID_PRODUCER_ID_MAPPING)
  }
  if (!isEpochOf(transaction, producerEpoch, isRetryOfOverflow)) throw new CoordinatorError(errors.PRODUCER_FENCED)
  const { state } = transaction
  if (isPrepared(transaction)) throw whilePrepared(transaction, commit)
  if (state === TransactionState.ongoing) return prepare(transaction, commit, clientVersion, take, nowMs)
  const isSame = (state === TransactionState.completeCommit) === commit
  if (state !== TransactionState.empty && isRetry) {
    if (isSame) return undefined
    throw new CoordinatorError(errors.INVALID_TXN_STATE)
  }
  // A client that does not know whether anything has reached its transaction may abort it to be sure.
  if (commit) throw new CoordinatorError(errors.INVALID_TXN_STATE)
  return prepare(transaction, false, clientVersion, take, nowMs)
}

function isEpochOf(transaction: Transaction, producerEpoch: number, isRetryOfOverflow: boolean): boolean {
  const isSame = producerEpoch === transaction.producerEpoch
  const isBefore = producerEpoch + 1 === transaction.producerEpoch
  if (isPrepared(transaction)) return isBefore
  const isComplete =
    transaction.state === TransactionState.completeCommit || transaction.state === TransactionState.completeAbort
  return isComplete ? isSame || isBefore || isRetryOfOverflow : isSame
}

function whilePrepared(transaction: Transaction, commit: boolean): CoordinatorError {
  const isSame = (transaction.state === TransactionState.prepareCommit) === commit
  return new CoordinatorError(isSame ? errors.CONCURRENT_TRANSACTIONS : errors.INVALID_TXN_STATE)
}

/** EndTxn 0-4: the epoch stays, and the state alone tells what has happened. */
function endWithoutBump(
  transaction: Transaction,
  { producerId, producerEpoch }: ProducerIdAndEpoch,
  commit: boolean,
  nowMs: number,
): Transaction | undefined {
  if (transaction.producerId !== producerId) throw new CoordinatorError(errors.INVALID_PRODUCER_ID_MAPPING)
  if (transaction.producerEpoch !== producerEpoch) throw new CoordinatorError(errors.PRODUCER_FENCED)
  if (isPrepared(transaction)) throw whilePrepared(transaction, commit)
  switch (transaction.state) {
    case TransactionState.ongoing:
      return prepared(transaction, commit, 0, NO_PRODUCER_ID, nowMs)
    case commit ? TransactionState.completeCommit : TransactionState.completeAbort:
      return undefined
    default:
      throw new CoordinatorError(errors.INVALID_TXN_STATE)
  }
}

/**
 * An ongoing transaction is aborted by the coordinator, and its producer fenced. `transactionVersion`: the finalized
 * transaction.version.
 */
export function abortedByCoordinator(
  transaction: Transaction,
  transactionVersion: number,
  take: TakeProducerId,
  nowMs: number,
): Transaction {
  if (bumpsEpoch(transactionVersion)) return prepare(transaction, false, transactionVersion, take, nowMs)
  return prepared(fenced(transaction), false, 0, NO_PRODUCER_ID, nowMs)
}

function prepare(
  transaction: Transaction,
  commit: boolean,
  clientVersion: number,
  take: TakeProducerId,
  nowMs: number,
): Transaction {
  const nextProducerId = isExhausted(transaction.producerEpoch) ? take() : NO_PRODUCER_ID
  return prepared(transaction, commit, clientVersion, nextProducerId, nowMs)
}
