import { selectBatches } from './batch-range.ts'
import type { FetchData } from './types.ts'

interface Chunk {
  readonly baseOffset: number
  readonly nextOffset: number
  /** Whole batches. */
  readonly bytes: Buffer
  /** What keeping it costs. */
  readonly heldBytes: number
}

/** The objects around a chunk. */
const CHUNK_OVERHEAD_BYTES = 200

/** Copying more than this out of leaders' answers costs a follower half as much as all the rest of its work. */
const MAX_CHEAP_COPY_BYTES = 64 * 1024

const MAX_SMALL_PIECES = 8
const SMALL_PIECE_BYTES = 2048

/** What all tail caches of a broker may hold together. The log that was written to longest ago gives way first. */
export class TailBudget {
  readonly #capacityBytes: number
  #heldBytes = 0
  /** In the order of their last additions. */
  readonly #caches = new Set<TailCache>()

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  change(cache: TailCache, deltaBytes: number): void {
    this.#heldBytes += deltaBytes
    if (deltaBytes <= 0) return
    this.#caches.delete(cache)
    this.#caches.add(cache)
    for (const oldest of this.#caches) {
      while (this.#heldBytes > this.#capacityBytes && oldest.evictOldest());
      if (this.#heldBytes <= this.#capacityBytes) return
      this.#caches.delete(oldest)
    }
  }

  forget(cache: TailCache): void {
    this.#caches.delete(cache)
  }
}

/**
 * The newest batches of a log, as the very buffers that were written, for consumers that keep up: they are served
 * without a read and without a copy.
 */
export class TailCache {
  readonly #capacityBytes: number
  readonly #budget: TailBudget
  #chunks: Chunk[] = []
  /** Chunks before this index have been evicted. */
  #head = 0
  #heldBytes = 0
  /** Every batch at or past this offset is here. */
  #fromOffset = 0

  constructor(capacityBytes: number, budget: TailBudget) {
    this.#capacityBytes = capacityBytes
    this.#budget = budget
  }

  /** The lowest offset that can be read here. */
  get fromOffset(): number {
    return this.#fromOffset
  }

  /** Forgets everything; the next chunk begins at or past `offset`. */
  restart(offset: number): void {
    this.#budget.change(this, -this.#heldBytes)
    this.#budget.forget(this)
    this.#chunks = []
    this.#head = 0
    this.#heldBytes = 0
    this.#fromOffset = offset
  }

  /**
   * Adds batches that follow on what is here. `isSeldomRead`: what would cost much to keep is not kept, nor what came
   * before it.
   */
  add(baseOffset: number, nextOffset: number, bytes: Buffer, isSeldomRead = false): void {
    const isCostly = isSeldomRead && bytes.length > MAX_CHEAP_COPY_BYTES && mustCopy(bytes)
    if (isCostly || bytes.length > this.#capacityBytes) {
      this.restart(nextOffset)
      return
    }
    const kept = compact(bytes)
    const heldBytes = kept.buffer.byteLength + CHUNK_OVERHEAD_BYTES
    this.#chunks.push({ baseOffset, nextOffset, bytes: kept, heldBytes })
    this.#heldBytes += heldBytes
    while (this.#heldBytes > this.#capacityBytes && this.#chunks.length - this.#head > 1) this.evictOldest()
    this.#budget.change(this, heldBytes)
  }

  /** False when there is nothing to evict. */
  evictOldest(): boolean {
    const chunk = this.#chunks[this.#head]
    if (!chunk) return false
    this.#head += 1
    this.#fromOffset = chunk.nextOffset
    this.#heldBytes -= chunk.heldBytes
    this.#budget.change(this, -chunk.heldBytes)
    if (this.#head * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#head)
      this.#head = 0
    } else {
      // The slot stays until the next clean-up, its bytes need not.
      this.#chunks[this.#head - 1] = EVICTED
    }
    return true
  }

  /** Forgets what lies below `offset`. */
  dropBelow(offset: number): void {
    while (this.#fromOffset < offset && this.evictOldest());
  }

  /** Batches from `offset`, which must not be below `fromOffset`, to below `bound`. */
  read(offset: number, bound: number, maxBytes: number, minOneBatch: boolean): FetchData {
    const chunks = this.#chunks
    const records: Buffer[] = []
    let sizeBytes = 0
    let nextOffset = offset
    for (let i = this.#slotOf(offset); i < chunks.length; i++) {
      const { baseOffset, nextOffset: chunkEnd, bytes } = chunks[i]!
      const isFirst = records.length === 0
      if (baseOffset >= offset && chunkEnd <= bound && bytes.length <= maxBytes - sizeBytes) {
        records.push(bytes)
        sizeBytes += bytes.length
        nextOffset = chunkEnd
        continue
      }
      const range = selectBatches(bytes, offset, bound, maxBytes - sizeBytes, minOneBatch && isFirst)
      if (range.end > range.start) {
        records.push(bytes.subarray(range.start, range.end))
        sizeBytes += range.end - range.start
        nextOffset = range.nextOffset
      }
      if (range.isFull) break
    }
    return { records: joinIfSmall(records, sizeBytes), sizeBytes, nextOffset, abortedTransactions: undefined }
  }

  /** The first chunk that ends past `offset`. */
  #slotOf(offset: number): number {
    let low = this.#head
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#chunks[middle]!.nextOffset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

const EVICTED: Chunk = { baseOffset: -1, nextOffset: -1, bytes: Buffer.alloc(0), heldBytes: 0 }

/** Many small pieces cost a socket more than one copy does. */
function joinIfSmall(records: Buffer[], sizeBytes: number): Buffer[] {
  const areSmall = records.length > MAX_SMALL_PIECES && sizeBytes < records.length * SMALL_PIECE_BYTES
  return areSmall ? [Buffer.concat(records, sizeBytes)] : records
}

/** A small slice would keep the whole buffer that it was cut from. */
function mustCopy(bytes: Buffer): boolean {
  return bytes.length * 2 < bytes.buffer.byteLength
}

function compact(bytes: Buffer): Buffer {
  if (!mustCopy(bytes)) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
