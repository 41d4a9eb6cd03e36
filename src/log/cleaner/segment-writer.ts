import { BatchView } from '../../protocol/records/batch.ts'
import type { Segment } from '../segment.ts'

/** Puts batches at the end of a segment that nobody else knows yet. */
export class SegmentWriter {
  readonly #segment: Segment
  readonly #indexIntervalBytes: number
  readonly #bufferBytes: number
  readonly #view = new BatchView(Buffer.alloc(0))
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(segment: Segment, indexIntervalBytes: number, bufferBytes: number) {
    this.#segment = segment
    this.#indexIntervalBytes = indexIntervalBytes
    this.#bufferBytes = bufferBytes
  }

  /** Whether `writeOut` should follow. */
  get isFull(): boolean {
    return this.#bytes >= this.#bufferBytes
  }

  /** Takes a batch, which must not change before `writeOut`. Batches that lie side by side are written as one piece. */
  add(batch: Buffer): void {
    this.#bytes += batch.length
    const last = this.#pieces[this.#pieces.length - 1]
    if (last?.buffer === batch.buffer && last.byteOffset + last.length === batch.byteOffset) {
      const joined = Buffer.from(last.buffer, last.byteOffset, last.length + batch.length)
      this.#pieces[this.#pieces.length - 1] = joined
    } else this.#pieces.push(batch)
  }

  /** Answers how many bytes it wrote. Rejects with what the disk gives, or RangeError for an offset too far away. */
  async writeOut(): Promise<number> {
    const pieces = this.#pieces
    const bytes = this.#bytes
    if (bytes === 0) return 0
    this.#pieces = []
    this.#bytes = 0
    const segment = this.#segment
    await segment.file.write(pieces, segment.sizeBytes)
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at = this.#view.end) {
        this.#view.moveTo(piece, at)
        if (!segment.canHold(this.#view.lastOffset)) throw new RangeError(`offset ${this.#view.lastOffset}`)
        segment.addBatch(this.#view, this.#indexIntervalBytes)
      }
    }
    return bytes
  }
}
