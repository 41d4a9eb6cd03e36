/** What most fetches ask of a partition (max.partition.fetch.bytes of a consumer). */
const BUFFER_BYTES = 1024 * 1024
/** Smaller reads are not worth a whole buffer. */
const MIN_BYTES = 64 * 1024
/** Free buffers kept. */
const MAX_FREE = 16

/**
 * Buffers for reads that go out to a socket. A new megabyte for every read has to be found, mapped and collected again, and
 * is never in the processor's cache; this costs a third of what a read from the page cache takes.
 *
 * Nobody is bound to give a buffer back: one that is not is garbage like any other. It may be given back once, when
 * nothing refers to it any more.
 */
export class ReadBuffers {
  readonly #free: ArrayBuffer[] = []
  readonly #lent = new WeakSet<ArrayBuffer>()

  /** A buffer of `length` bytes with arbitrary content. */
  take(length: number): Buffer {
    if (length <= MIN_BYTES || length > BUFFER_BYTES) return Buffer.allocUnsafeSlow(length)
    const memory = this.#free.pop() ?? (Buffer.allocUnsafeSlow(BUFFER_BYTES).buffer as ArrayBuffer)
    this.#lent.add(memory)
    return Buffer.from(memory, 0, length)
  }

  /**
   * What of `chunks` are slices of buffers that were taken here can be used again. The caller vouches that nobody reads
   * them any more, and that each buffer's slices are among these chunks. Other chunks are left alone.
   */
  giveBack(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      const memory = chunk.buffer as ArrayBuffer
      if (this.#lent.delete(memory) && this.#free.length < MAX_FREE) this.#free.push(memory)
    }
  }

  /** Whether `giveBack` would have a use for any of `chunks`. */
  hasLent(chunks: readonly Buffer[]): boolean {
    return chunks.some((chunk) => this.#lent.has(chunk.buffer as ArrayBuffer))
  }
}
