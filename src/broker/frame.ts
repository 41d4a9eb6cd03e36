import { FRAME_SIZE_BYTES } from '../protocol/frames.ts'

/** A frame whose size no request may have: the connection it came by is to be closed. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

const NOTHING = Buffer.alloc(0)

/**
 * Cuts a byte stream into frames: a 32-bit big-endian size, then so many bytes.
 *
 * A declared size allocates nothing: the chunks are kept as they came until the frame is whole, then joined once. A
 * frame that lies within one chunk is a slice of it, not a copy.
 */
export class FrameDecoder {
  readonly #maxBytes: number
  /** Bytes not yet part of a frame, in order; the first `#skip` bytes of the first chunk are used up. */
  #chunks: Buffer[] = []
  #skip = 0
  #available = 0
  /** Size of the frame being gathered, or -1 while its size field is not complete. */
  #frameSize = -1

  /** `maxBytes`: the largest frame allowed, its size field not counted. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes that came and are not in a whole frame yet, the size field of the next frame included. */
  get bufferedBytes(): number {
    return this.#available + (this.#frameSize < 0 ? 0 : FRAME_SIZE_BYTES)
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#available += chunk.length
  }

  /**
   * The next whole frame, or undefined when more bytes are needed. Throws FrameError for a negative size and for one above
   * the limit; nothing more can be read afterwards.
   */
  next(): Buffer | undefined {
    if (this.#frameSize < 0) {
      if (this.#available < FRAME_SIZE_BYTES) return undefined
      const size = this.#take(FRAME_SIZE_BYTES).readInt32BE(0)
      if (size < 0) throw new FrameError(`a frame of ${size} bytes cannot be`)
      if (size > this.#maxBytes) throw new FrameError(`a frame of ${size} bytes, the limit is ${this.#maxBytes}`)
      this.#frameSize = size
    }
    if (this.#available < this.#frameSize) return undefined
    const frame = this.#take(this.#frameSize)
    this.#frameSize = -1
    return frame
  }

  /** The next `size` bytes, which must be available. */
  #take(size: number): Buffer {
    if (size === 0) return NOTHING
    this.#available -= size
    const first = this.#chunks[0]!
    const start = this.#skip
    if (size < first.length - start) {
      this.#skip += size
      return first.subarray(start, start + size)
    }
    if (size === first.length - start) {
      this.#chunks.shift()
      this.#skip = 0
      return start === 0 ? first : first.subarray(start)
    }
    return this.#join(size)
  }

  #join(size: number): Buffer {
    const parts: Buffer[] = []
    let from = this.#skip
    let missing = size
    let used = 0
    this.#skip = 0
    while (missing > 0) {
      const chunk = this.#chunks[used]!
      const part = chunk.subarray(from, Math.min(chunk.length, from + missing))
      parts.push(part)
      missing -= part.length
      if (from + part.length === chunk.length) used += 1
      else this.#skip = from + part.length
      from = 0
    }
    this.#chunks.splice(0, used)
    return Buffer.concat(parts, size)
  }
}
