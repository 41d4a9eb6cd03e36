import { hashKey, type KeyHash } from './hash.ts'

/** 16 bytes of hash and 8 of offset, as in Apache Kafka. */
const ENTRY_BYTES = 24
/** Memory goes further than this, so it is not filled more where there is enough. */
const ROOMY = 2
const MIN_SLOTS = 64
/** What a typed array may hold. */
const MAX_SLOTS = 2 ** 28

export interface OffsetMapOptions {
  /** log.cleaner.dedupe.buffer.size */
  readonly maxBytes: number
  /** log.cleaner.io.buffer.load.factor: how full the map may become. */
  readonly loadFactor: number
  /** No more keys than this will come. */
  readonly maxKeys: number
  readonly seed: number
}

/**
 * The newest offset of each key in the dirty part of a log. It keeps hashes, not keys, in typed arrays whose size is fixed
 * when it is made: the memory is bounded, and nothing of it is for the garbage collector to look at.
 */
export class OffsetMap {
  /** Up to where the log is mapped: what comes later is not known here, and must be kept. */
  latestOffset = -1
  readonly #slots: number
  readonly #capacity: number
  readonly #hashes: Int32Array
  /** Offset plus one; 0 for a slot without an entry. */
  readonly #offsets: Float64Array
  readonly #seed: number
  readonly #key: KeyHash = { h1: 0, h2: 0, h3: 0, h4: 0 }
  #size = 0

  constructor({ maxBytes, loadFactor, maxKeys, seed }: OffsetMapOptions) {
    const most = Math.min(Math.floor(maxBytes / ENTRY_BYTES), MAX_SLOTS)
    this.#slots = Math.max(MIN_SLOTS, Math.min(most, maxKeys * ROOMY))
    this.#capacity = Math.min(Math.floor(this.#slots * loadFactor), this.#slots - 1)
    this.#hashes = new Int32Array(this.#slots * 4)
    this.#offsets = new Float64Array(this.#slots)
    this.#seed = seed
  }

  get size(): number {
    return this.#size
  }

  /** Takes the offset of a key, which is the newest so far. False when the map is full, and then nothing was changed. */
  put(bytes: Buffer, start: number, end: number, offset: number): boolean {
    const { h1, h2, h3, h4 } = this.#hash(bytes, start, end)
    const slot = this.#find(h1, h2, h3, h4)
    if (this.#offsets[slot] === 0) {
      if (this.#size >= this.#capacity) return false
      const at = slot * 4
      this.#hashes[at] = h1
      this.#hashes[at + 1] = h2
      this.#hashes[at + 2] = h3
      this.#hashes[at + 3] = h4
      this.#size += 1
    }
    this.#offsets[slot] = offset + 1
    return true
  }

  /** The newest offset of a key, -1 where it does not occur. */
  get(bytes: Buffer, start: number, end: number): number {
    const { h1, h2, h3, h4 } = this.#hash(bytes, start, end)
    return this.#offsets[this.#find(h1, h2, h3, h4)]! - 1
  }

  #hash(bytes: Buffer, start: number, end: number): KeyHash {
    hashKey(bytes, start, end, this.#seed, this.#key)
    return this.#key
  }

  /** The slot of a key, or the empty one where it would go. One is always empty. */
  #find(h1: number, h2: number, h3: number, h4: number): number {
    const hashes = this.#hashes
    const offsets = this.#offsets
    let slot = (h1 >>> 0) % this.#slots
    while (offsets[slot] !== 0) {
      const at = slot * 4
      if (hashes[at] === h1 && hashes[at + 1] === h2 && hashes[at + 2] === h3 && hashes[at + 3] === h4) return slot
      slot += 1
      if (slot === this.#slots) slot = 0
    }
    return slot
  }
}
