import assert from 'node:assert'
import { FRAME_SIZE_BYTES } from './frames.ts'

/** A frame whose size no request may have: the connection it came by is to be closed. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

const NOTHING = Buffer.alloc(0)

/** Buffers to read into: small for a connection that says little, larger once it fills them. */
const MIN_SLAB_BYTES = 4 * 1024
const MAX_SLAB_BYTES = 64 * 1024
/** With less room than this a new slab is taken. */
const MIN_ROOM_BYTES = 1024
/** A frame's own buffer is at most so many times what has come of it: what is only declared allocates nothing. */
const GROWTH = 4

/**
 * Cuts a byte stream into frames: a 32-bit big-endian size, then so many bytes.
 *
 * It offers the buffers to read into (`room`): one after the other in a slab, of which small frames are slices; for a
 * large frame a buffer of its own, which it fills without being copied. Bytes in other buffers are taken as well.
 */
export class FrameDecoder {
  readonly #maxBytes: number
  /** Bytes not yet part of a frame, in order. */
  #chunks: Buffer[] = []
  #available = 0
  /** Size of the frame being gathered, or -1 while its size field is not complete. */
  #frameSize = -1
  #slab = NOTHING
  #slabUsed = 0
  /** The buffer of a large frame, or of its beginning; while it is there `#chunks` is empty. */
  #large: Buffer | undefined

  /** `maxBytes`: the largest frame allowed, its size field not counted. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes that came and are not in a whole frame yet, the size field of the next frame included. */
  get bufferedBytes(): number {
    return this.#available + (this.#frameSize < 0 ? 0 : FRAME_SIZE_BYTES)
  }

  /** Where the next bytes are to go. Whoever asks must put them there. */
  room(): Buffer {
    if (this.#large !== undefined) return this.#large.subarray(this.#available)
    const left = this.#slab.length - this.#slabUsed
    if (this.#frameSize - this.#available > left) {
      this.#large = this.#grown(this.#chunks)
      this.#chunks = []
      return this.#large.subarray(this.#available)
    }
    if (left < MIN_ROOM_BYTES) {
      const wanted = this.#slab.length === 0 ? MIN_SLAB_BYTES : Math.min(2 * this.#slab.length, MAX_SLAB_BYTES)
      this.#slab = Buffer.allocUnsafeSlow(wanted)
      this.#slabUsed = 0
    }
    return this.#slab.subarray(this.#slabUsed)
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#available += chunk.length
    if (this.#large !== undefined) {
      assert(chunk.buffer === this.#large.buffer, 'bytes came elsewhere than in the room that was asked for')
      return
    }
    if (chunk.buffer === this.#slab.buffer) this.#slabUsed += chunk.length
    const last = this.#chunks[this.#chunks.length - 1]
    if (last !== undefined && last.buffer === chunk.buffer && last.byteOffset + last.length === chunk.byteOffset) {
      const length = last.length + chunk.length
      this.#chunks[this.#chunks.length - 1] = Buffer.from(last.buffer, last.byteOffset, length)
    } else this.#chunks.push(chunk)
  }

  /**
   * The next whole frame, or undefined when more bytes are needed. Throws FrameError for a negative size and for one above
   * the limit; nothing more can be read afterwards.
   */
  next(): Buffer | undefined {
    if (this.#large !== undefined) return this.#nextLarge(this.#large)
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

  #nextLarge(large: Buffer): Buffer | undefined {
    if (this.#available < large.length) return undefined
    if (large.length < this.#frameSize) {
      this.#large = this.#grown([large])
      return undefined
    }
    this.#large = undefined
    this.#available -= large.length
    this.#frameSize = -1
    return large
  }

  #grown(parts: readonly Buffer[]): Buffer {
    const capacity = Math.max(MAX_SLAB_BYTES, GROWTH * this.#available)
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#frameSize, capacity))
    let at = 0
    for (const part of parts) at += part.copy(grown, at)
    return grown
  }

  /** The next `size` bytes, which must be available. */
  #take(size: number): Buffer {
    if (size === 0) return NOTHING
    this.#available -= size
    const first = this.#chunks[0]!
    if (size > first.length) return this.#join(size)
    if (size === first.length) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(size)
    return size === first.length ? first : first.subarray(0, size)
  }

  #join(size: number): Buffer {
    const parts: Buffer[] = []
    let missing = size
    let used = 0
    while (missing > 0) {
      const chunk = this.#chunks[used]!
      const part = chunk.subarray(0, missing)
      parts.push(part)
      missing -= part.length
      if (part.length === chunk.length) used += 1
      else this.#chunks[used] = chunk.subarray(part.length)
    }
    this.#chunks.splice(0, used)
    return Buffer.concat(parts, size)
  }
}
