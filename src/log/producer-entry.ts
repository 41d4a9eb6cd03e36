/** What is kept of a batch, to know it again when a producer sends it twice. */
export interface ProducerBatch {
  readonly lastSequence: number
  readonly lastOffset: number
  /** Last offset minus first. */
  readonly offsetDelta: number
  readonly timestamp: number
}

/** The state of one producer in one log. Never changed in place, so that the one before can be put back. */
export interface ProducerEntry {
  /** -1 while nothing is known but a marker's coordinator epoch. */
  readonly epoch: number
  readonly coordinatorEpoch: number
  readonly lastTimestamp: number
  /** The first offset of the open transaction, -1 for none. */
  readonly txnFirstOffset: number
  /** The newest batches, oldest first; at most five. */
  readonly batches: readonly ProducerBatch[]
}

export const NO_BATCHES: readonly ProducerBatch[] = []

/** As many batches as an idempotent producer may have in flight. */
export const BATCHES_KEPT = 5

const MAX_SEQUENCE = 0x7fff_ffff

export const UNKNOWN_PRODUCER: ProducerEntry = {
  epoch: -1,
  coordinatorEpoch: -1,
  lastTimestamp: -1,
  txnFirstOffset: -1,
  batches: NO_BATCHES,
}

export function firstSequenceOf(batch: ProducerBatch): number {
  const first = batch.lastSequence - batch.offsetDelta
  return first >= 0 ? first : first + MAX_SEQUENCE + 1
}

/** -1 for a producer without batches. */
export function lastSequenceOf(entry: ProducerEntry): number {
  const last = entry.batches[entry.batches.length - 1]
  return last ? last.lastSequence : -1
}

/** The kept batch of exactly these sequences. */
export function findDuplicate(
  entry: ProducerEntry,
  epoch: number,
  firstSequence: number,
  lastSequence: number,
): ProducerBatch | undefined {
  if (entry.epoch !== epoch) return undefined
  return entry.batches.find((old) => old.lastSequence === lastSequence && firstSequenceOf(old) === firstSequence)
}

export function isNextSequence(last: number, next: number): boolean {
  return next === last + 1 || (next === 0 && last === MAX_SEQUENCE)
}

/** The entry after a data batch. `txnFirstOffset` as it is to be afterwards. */
export function withBatch(
  entry: ProducerEntry,
  epoch: number,
  batch: ProducerBatch,
  txnFirstOffset: number,
): ProducerEntry {
  const old = entry.epoch === epoch ? entry.batches : NO_BATCHES
  const kept = old.length < BATCHES_KEPT ? old : old.slice(1)
  return {
    epoch,
    coordinatorEpoch: entry.coordinatorEpoch,
    lastTimestamp: batch.timestamp,
    txnFirstOffset,
    batches: [...kept, batch],
  }
}
