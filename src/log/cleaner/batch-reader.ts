import { BatchView, batchSizeAt, magicAt } from '../../protocol/records/batch.ts'
import { RecordsError } from '../../protocol/records/errors.ts'
import { HEADER_UP_TO_MAGIC, LENGTH_AT, LOG_OVERHEAD } from '../../protocol/records/layout.ts'
import { AnyBatchView, isPossibleSize } from '../../protocol/records/legacy-batch.ts'
import { DamageError } from '../damage-error.ts'
import type { Segment } from '../segment.ts'
import type { Pace } from './pace.ts'

/** The batches of a segment that is not written to any more, in order, without holding the event loop. */
export class SegmentReader {
  /** The batch visited, of whatever format; it stands in a buffer that the next `fill` overwrites. */
  batch: BatchView = new BatchView(Buffer.alloc(0))
  readonly #views = new AnyBatchView()
  readonly #segment: Segment
  readonly #pace: Pace
  #buffer: Buffer
  #filled = 0
  #at = 0
  /** Where the buffer's first byte lies in the file. */
  #start: number

  constructor(segment: Segment, fromBytes: number, bufferBytes: number, pace: Pace) {
    this.#segment = segment
    this.#pace = pace
    this.#start = fromBytes
    this.#buffer = Buffer.allocUnsafe(Math.max(HEADER_UP_TO_MAGIC, bufferBytes))
  }

  /** Moves to the next batch of the buffer; false when there is no whole one left, and `fill` must follow. */
  next(): boolean {
    try {
      const size = batchSizeAt(this.#buffer, this.#at, this.#filled)
      if (size === 0) return false
      if (!isPossibleSize(magicAt(this.#buffer, this.#at), size)) throw new Error(`a message of ${size} bytes`)
      this.batch = this.#views.at(this.#buffer, this.#at)
      this.#at += size
      return true
    } catch (error) {
      throw this.#damage(error)
    }
  }

  /** Reads on; false at the end of the segment. Throws DamageError, CleaningAborted, or what the disk throws. */
  async fill(): Promise<boolean> {
    const position = this.#start + this.#at
    const restBytes = this.#segment.sizeBytes - position
    if (restBytes === 0) return false
    if (this.#filled > 0 && this.#at === 0) this.#grow(restBytes)
    const target = this.#buffer.subarray(0, Math.min(this.#buffer.length, restBytes))
    const file = this.#segment.beginRead()
    let count: number
    try {
      count = await file.read(target, position)
    } finally {
      this.#segment.endRead()
    }
    this.#pace.check()
    if (count < target.length) throw this.#damage(new Error('the file ends too early'))
    this.#pace.spend(count)
    this.#start = position
    this.#at = 0
    this.#filled = count
    return true
  }

  /** The buffer holds less than one batch. */
  #grow(restBytes: number): void {
    const size = LOG_OVERHEAD + this.#buffer.readInt32BE(LENGTH_AT)
    if (size > restBytes || this.#filled >= size) throw this.#damage(new Error(`a batch of ${size} bytes is cut off`))
    this.#buffer = Buffer.allocUnsafe(size)
  }

  #damage(error: unknown): unknown {
    if (!(error instanceof Error) || (error.constructor !== Error && !(error instanceof RecordsError))) return error
    return new DamageError(this.#segment.path, this.#start + this.#at, error.message)
  }
}
