import { BatchView } from '../../protocol/records/batch.ts'
import type { Segment } from '../segment.ts'

/** Puts batches at the end of a segment that nobody else knows yet. */
export class SegmentWriter {
  readonly #segment: Segment
  readonly #indexIntervalBytes: number
  readonly #view = new BatchView(Buffer.alloc(0))
  #buffer: Buffer
  #bytes = 0

  constructor(segment: Segment, indexIntervalBytes: number, bufferBytes: number) {
    this.#segment = segment
    this.#indexIntervalBytes = indexIntervalBytes
    this.#buffer = Buffer.allocUnsafe(bufferBytes)
  }

  /** Whether `add` has room for so many bytes; if not, `writeOut` must come first. */
  hasRoomFor(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#buffer.length
  }

  /** Takes a copy of a batch. */
  add(batch: Buffer): void {
    if (batch.length > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(batch.length)
    this.#bytes += batch.copy(this.#buffer, this.#bytes)
  }

  /** Answers how many bytes it wrote. Rejects with what the disk gives, or RangeError for an offset too far away. */
  async writeOut(): Promise<number> {
    const bytes = this.#bytes
    if (bytes === 0) return 0
    const segment = this.#segment
    await segment.file.write([this.#buffer.subarray(0, bytes)], segment.sizeBytes)
    for (let at = 0; at < bytes; at = this.#view.end) {
      this.#view.moveTo(this.#buffer, at)
      if (!segment.canHold(this.#view.lastOffset)) throw new RangeError(`offset ${this.#view.lastOffset}`)
      segment.addBatch(this.#view, this.#indexIntervalBytes)
    }
    this.#bytes = 0
    return bytes
  }
}
