import { batchSizeAt } from '../protocol/records/batch.ts'
import { AnyBatchView } from '../protocol/records/legacy-batch.ts'

/** Which bytes of a buffer of whole batches a read may have. */
export interface BatchRange {
  start: number
  end: number
  /** The offset after the last batch of the range. */
  nextOffset: number
  /** Whether the range ends before the buffer does because of what was asked for. */
  isFull: boolean
}

const views = new AnyBatchView()

/**
 * The batches of `buffer` that lie between `offset` (the first may begin before it) and `bound`, as many as fit into
 * `maxBytes`, but at least one if `minOneBatch`. Throws RecordsError where there is no batch.
 */
export function selectBatches(
  buffer: Buffer,
  offset: number,
  bound: number,
  maxBytes: number,
  minOneBatch: boolean,
): BatchRange {
  const range: BatchRange = { start: 0, end: 0, nextOffset: offset, isFull: false }
  let position = 0
  for (;;) {
    const size = batchSizeAt(buffer, position, buffer.length)
    if (size === 0) return range
    const nextOffset = views.at(buffer, position).nextOffset
    if (nextOffset <= offset) {
      position += size
      range.start = position
      range.end = position
      continue
    }
    const taken = position + size - range.start
    const fits = taken <= maxBytes || (minOneBatch && range.start === range.end)
    if (nextOffset > bound || !fits) {
      range.isFull = true
      return range
    }
    position += size
    range.end = position
    range.nextOffset = nextOffset
  }
}
