import { errors } from '../../protocol/errors.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { initialized, isExhausted, NO_EPOCH, newTransaction, type Transaction } from './transaction.ts'

/** A producer id and the epoch that goes with it. */
export interface ProducerIdAndEpoch {
  readonly producerId: number
  readonly producerEpoch: number
}

/** Gives a producer id that nobody has, or throws `ProducerIdNeeded` where one must be fetched first. */
export type TakeProducerId = () => number

/**
 * The id is to be used by a producer that is new, or that goes on after an error with the id and epoch it had (KIP-360,
 * `expected`). The transaction must be at rest. Throws CoordinatorError PRODUCER_FENCED for one that has a successor.
 */
export function initializedProducer(
  transactionalId: string,
  known: Transaction | undefined,
  expected: ProducerIdAndEpoch | undefined,
  timeoutMs: number,
  take: TakeProducerId,
  nowMs: number,
): Transaction {
  const transaction = known ?? newTransaction(transactionalId, take(), nowMs)
  const { producerId, producerEpoch, lastProducerEpoch } = transaction
  const isLast = isExhausted(producerEpoch)
  if (isLast && (expected === undefined || expected.producerEpoch === producerEpoch)) {
    const last = expected === undefined ? NO_EPOCH : producerEpoch
    const fresh = { producerId: take(), producerEpoch: 0, lastProducerEpoch: last }
    return initialized(transaction, fresh, timeoutMs, nowMs)
  }
  // Apache Kafka stumbles here too.
  if (isLast) throw new CoordinatorError(errors.UNKNOWN_SERVER_ERROR, `${transactionalId} has no epochs left`)
  const bump = (last: number) =>
    initialized(
      transaction,
      { producerId, producerEpoch: producerEpoch + 1, lastProducerEpoch: last },
      timeoutMs,
      nowMs,
    )
  if (expected === undefined) return bump(NO_EPOCH)
  if (producerEpoch === NO_EPOCH || expected.producerEpoch === producerEpoch) return bump(producerEpoch)
  // The same request again: its answer was lost.
  if (expected.producerEpoch === lastProducerEpoch) {
    return initialized(transaction, { producerId, producerEpoch, lastProducerEpoch }, timeoutMs, nowMs)
  }
  throw new CoordinatorError(errors.PRODUCER_FENCED)
}

/** Whether a producer that says it had `expected` can be the one that has the transactional id. */
export function mayContinue(transaction: Transaction, expected: ProducerIdAndEpoch): boolean {
  return (
    transaction.producerEpoch === NO_EPOCH ||
    expected.producerId === transaction.producerId ||
    (expected.producerId === transaction.previousProducerId && isExhausted(expected.producerEpoch))
  )
}
