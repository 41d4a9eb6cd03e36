/** The states of a transactional id, by the number that is on disk. */
export const TransactionState = {
  empty: 0,
  ongoing: 1,
  prepareCommit: 2,
  prepareAbort: 3,
  completeCommit: 4,
  completeAbort: 5,
} as const
export type TransactionState = (typeof TransactionState)[keyof typeof TransactionState]

/** As DescribeTransactions prints them, by number. The last two are never at rest, but may be asked for. */
export const stateNames: readonly string[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
]

/** By topic. */
export type TransactionPartitions = ReadonlyMap<string, ReadonlySet<number>>

/** What is known of a transactional id. Never changed in place, so that the one before can be put back. */
export interface Transaction {
  readonly transactionalId: string
  readonly producerId: number
  /** The producer id before the last change; the same one where that did not change it. */
  readonly previousProducerId: number
  /** The id that the producer goes on with once this transaction has ended, because its epochs are used up; else -1. */
  readonly nextProducerId: number
  /** -1 before the id has been initialized. */
  readonly producerEpoch: number
  /** The epoch before the last bump that the producer itself asked for, to know a repeated request by; else -1. */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly state: TransactionState
  readonly partitions: TransactionPartitions
  /** -1 while no transaction is open. */
  readonly startMs: number
  readonly lastUpdateMs: number
  /** The transaction.version that the client goes by: 2 where the end of a transaction bumps the epoch (KIP-890). */
  readonly clientVersion: number
}

export const NO_PRODUCER_ID = -1
export const NO_EPOCH = -1
export const NO_PARTITIONS: TransactionPartitions = new Map()

const MAX_EPOCH = 0x7fff
/** transaction.version from which on the end of a transaction bumps the epoch. */
const EPOCH_BUMP_FROM = 2

export function bumpsEpoch(clientVersion: number): boolean {
  return clientVersion >= EPOCH_BUMP_FROM
}

/** The largest epoch is kept back, so that the coordinator can always fence a producer. */
export function isExhausted(producerEpoch: number): boolean {
  return producerEpoch >= MAX_EPOCH - 1
}

/** Its end is decided; markers are being written. */
export function isPrepared(transaction: Transaction): boolean {
  return transaction.state === TransactionState.prepareCommit || transaction.state === TransactionState.prepareAbort
}

/** Nothing is under way. */
export function isAtRest({ state }: Transaction): boolean {
  return (
    state === TransactionState.empty ||
    state === TransactionState.completeCommit ||
    state === TransactionState.completeAbort
  )
}

export function hasAllPartitions(transaction: Transaction, partitions: TransactionPartitions): boolean {
  for (const [topic, numbers] of partitions) {
    const known = transaction.partitions.get(topic)
    if (known === undefined && numbers.size > 0) return false
    for (const number of numbers) if (!known!.has(number)) return false
  }
  return true
}

/** An id that is seen for the first time. */
export function newTransaction(transactionalId: string, producerId: number, nowMs: number): Transaction {
  return {
    transactionalId,
    producerId,
    previousProducerId: NO_PRODUCER_ID,
    nextProducerId: NO_PRODUCER_ID,
    producerEpoch: NO_EPOCH,
    lastProducerEpoch: NO_EPOCH,
    timeoutMs: 0,
    state: TransactionState.empty,
    partitions: NO_PARTITIONS,
    startMs: -1,
    lastUpdateMs: nowMs,
    clientVersion: 0,
  }
}

/** Every change remembers the producer id that it found. */
function changed(transaction: Transaction, change: Partial<Transaction>): Transaction {
  return { ...transaction, previousProducerId: transaction.producerId, ...change }
}

/** InitProducerId: an epoch, or an id, that begins anew. */
export function initialized(
  transaction: Transaction,
  producer: Pick<Transaction, 'producerId' | 'producerEpoch' | 'lastProducerEpoch'>,
  timeoutMs: number,
  nowMs: number,
): Transaction {
  const begun = { state: TransactionState.empty, partitions: NO_PARTITIONS, startMs: -1, lastUpdateMs: nowMs }
  return changed(transaction, { ...producer, ...begun, timeoutMs })
}

/** `partitions` belong to the transaction, which begins with them if none is open. */
export function withPartitions(
  transaction: Transaction,
  partitions: TransactionPartitions,
  clientVersion: number,
  nowMs: number,
): Transaction {
  const all = new Map(transaction.partitions)
  for (const [topic, numbers] of partitions) {
    if (numbers.size > 0) all.set(topic, new Set([...(all.get(topic) ?? []), ...numbers]))
  }
  return changed(transaction, {
    state: TransactionState.ongoing,
    partitions: all,
    startMs: isAtRest(transaction) ? nowMs : transaction.startMs,
    lastUpdateMs: nowMs,
    clientVersion,
  })
}

/**
 * The end is decided. Under transaction.version 2 the epoch is bumped with it, and `nextProducerId` is what the producer
 * goes on with where that was the last one (else -1).
 */
export function prepared(
  transaction: Transaction,
  commit: boolean,
  clientVersion: number,
  nextProducerId: number,
  nowMs: number,
): Transaction {
  const { producerEpoch } = transaction
  // A producer of the largest epoch is already out of order; its transaction must be got rid of all the same.
  const bumped = producerEpoch === MAX_EPOCH && !commit ? producerEpoch : producerEpoch + 1
  const epochs = bumpsEpoch(clientVersion) ? { producerEpoch: bumped, lastProducerEpoch: producerEpoch } : {}
  return changed(transaction, {
    ...epochs,
    state: commit ? TransactionState.prepareCommit : TransactionState.prepareAbort,
    nextProducerId,
    // An abort of nothing has no beginning of its own.
    startMs: isAtRest(transaction) ? nowMs : transaction.startMs,
    lastUpdateMs: nowMs,
    clientVersion,
  })
}

/** A newer producer, or the clock, ends the transaction: the epoch is bumped so that the old producer cannot go on. */
export function fenced(transaction: Transaction): Transaction {
  const { producerEpoch } = transaction
  const bumped = producerEpoch === MAX_EPOCH ? producerEpoch : producerEpoch + 1
  return { ...transaction, producerEpoch: bumped, lastProducerEpoch: NO_EPOCH }
}

/** All markers are written. */
export function completed(transaction: Transaction, nowMs: number): Transaction {
  const { clientVersion, nextProducerId, state } = transaction
  const isOverflow = bumpsEpoch(clientVersion) && nextProducerId !== NO_PRODUCER_ID
  return changed(transaction, {
    ...(isOverflow ? { producerId: nextProducerId, producerEpoch: 0 } : {}),
    state: state === TransactionState.prepareCommit ? TransactionState.completeCommit : TransactionState.completeAbort,
    nextProducerId: NO_PRODUCER_ID,
    partitions: NO_PARTITIONS,
    lastUpdateMs: nowMs,
  })
}
