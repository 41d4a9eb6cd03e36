import type { Disk } from '../platform/disk.ts'
import { readInt64, writeInt64 } from '../protocol/records/int64.ts'
import { readIfThere } from './files.ts'

const FIRST_CAPACITY_ENTRIES = 64

/**
 * A file of fixed-size entries in ascending order. While it grows it lives in memory and goes to the file now and then
 * (`writeOut`): a crash may leave the file behind its log, never ahead of it, and the loader rebuilds it. A file that
 * rests is read on first use and can be let go of again (`release`).
 */
class EntryFile {
  path: string
  readonly baseOffset: number
  readonly #disk: Disk
  readonly #entryBytes: number
  #buffer: Buffer | undefined
  #count = 0
  /** Entries of #buffer that the file has already. */
  #written = 0
  /** Whether the file may hold bytes past #written entries: those of a preallocated index of Apache Kafka's. */
  #mustCut = false

  constructor(disk: Disk, path: string, baseOffset: number, entryBytes: number) {
    this.#disk = disk
    this.path = path
    this.baseOffset = baseOffset
    this.#entryBytes = entryBytes
  }

  get entryCount(): number {
    this.bytes()
    return this.#count
  }

  get isLoaded(): boolean {
    return this.#buffer !== undefined
  }

  /** Starts anew, without looking at what the file holds. */
  reset(): void {
    this.#buffer = Buffer.alloc(FIRST_CAPACITY_ENTRIES * this.#entryBytes)
    this.#count = 0
    this.#written = 0
    this.#mustCut = true
  }

  /** As `reset`, for a file that does not exist. */
  startEmpty(): void {
    this.reset()
    this.#mustCut = false
  }

  /** The entries, which are the first `entryCount` of the buffer. */
  protected bytes(): Buffer {
    if (this.#buffer) return this.#buffer
    const bytes = readIfThere(this.#disk, this.path) ?? Buffer.alloc(0)
    this.#buffer = bytes
    this.#count = this.countValid(bytes, Math.floor(bytes.length / this.#entryBytes))
    this.#written = this.#count
    this.#mustCut = this.#count * this.#entryBytes !== bytes.length
    return bytes
  }

  /** How many of the first `count` entries are in order: a preallocated file ends in zeros. */
  protected countValid(_bytes: Buffer, count: number): number {
    return count
  }

  /** Position of a new last entry in the buffer that `bytes` answers after this. */
  protected extend(): number {
    const at = this.entryCount * this.#entryBytes
    const buffer = this.#buffer!
    if (at + this.#entryBytes > buffer.length) {
      const grown = Buffer.alloc(Math.max(FIRST_CAPACITY_ENTRIES * this.#entryBytes, buffer.length * 2))
      buffer.copy(grown, 0, 0, at)
      this.#buffer = grown
    }
    this.#count += 1
    return at
  }

  /** Keeps the first `count` entries. */
  cutTo(count: number): void {
    this.bytes()
    if (count >= this.#count) return
    this.#count = count
    if (this.#written > count) {
      this.#written = count
      this.#mustCut = true
    }
  }

  /** Brings the file up to date, without syncing it. Creates it where it is missing. */
  writeOut(): void {
    const buffer = this.bytes()
    const file = this.#disk.open(this.path, 'create')
    try {
      const from = this.#written * this.#entryBytes
      if (this.#mustCut) file.truncate(from)
      this.#mustCut = false
      if (this.#count > this.#written) {
        // A failed write leaves an unknown tail.
        this.#mustCut = true
        file.writeSync([buffer.subarray(from, this.#count * this.#entryBytes)], from)
        this.#mustCut = false
        this.#written = this.#count
      }
    } finally {
      file.close()
    }
  }

  /** Frees the memory of a file that is up to date; otherwise does nothing. */
  release(): void {
    if (this.#buffer && this.#written === this.#count && !this.#mustCut) this.#buffer = undefined
  }
}

const OFFSET_ENTRY_BYTES = 8

/** Maps offsets to positions in the segment, sparsely: relative offset int32, position int32. */
export class OffsetIndex extends EntryFile {
  constructor(disk: Disk, path: string, baseOffset: number) {
    super(disk, path, baseOffset, OFFSET_ENTRY_BYTES)
  }

  append(offset: number, positionBytes: number): void {
    const at = this.extend()
    const bytes = this.bytes()
    bytes.writeUInt32BE(offset - this.baseOffset, at)
    bytes.writeUInt32BE(positionBytes, at + 4)
  }

  /** The offset of the last entry, or the base offset. */
  lastOffset(): number {
    const count = this.entryCount
    return count === 0 ? this.baseOffset : this.offsetAt(count - 1)
  }

  /** The position of the last entry at or below `offset`; 0 when there is none. */
  lookup(offset: number): number {
    const slot = this.slotOf(offset)
    return slot < 0 ? 0 : this.bytes().readUInt32BE(slot * OFFSET_ENTRY_BYTES + 4)
  }

  /** Keeps the entries below `offset`. */
  truncateTo(offset: number): void {
    this.cutTo(this.slotOf(offset - 1) + 1)
  }

  private offsetAt(slot: number): number {
    return this.baseOffset + this.bytes().readUInt32BE(slot * OFFSET_ENTRY_BYTES)
  }

  private slotOf(offset: number): number {
    let low = 0
    let high = this.entryCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.offsetAt(middle) <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  protected override countValid(bytes: Buffer, count: number): number {
    let valid = count
    while (valid > 0 && bytes.readUInt32BE((valid - 1) * OFFSET_ENTRY_BYTES + 4) === 0) valid -= 1
    return valid
  }
}

const TIME_ENTRY_BYTES = 12

/** Maps timestamps to offsets, sparsely: the largest timestamp so far int64, relative offset of its batch int32. */
export class TimeIndex extends EntryFile {
  constructor(disk: Disk, path: string, baseOffset: number) {
    super(disk, path, baseOffset, TIME_ENTRY_BYTES)
  }

  /** Adds an entry if its timestamp is larger than the last. */
  append(timestamp: number, offset: number): void {
    if (timestamp <= this.lastTimestamp()) return
    const at = this.extend()
    const bytes = this.bytes()
    writeInt64(bytes, at, timestamp)
    bytes.writeUInt32BE(offset - this.baseOffset, at + 8)
  }

  /** -1 for none. */
  lastTimestamp(): number {
    const count = this.entryCount
    return count === 0 ? -1 : this.timestampAt(count - 1)
  }

  lastOffset(): number {
    const count = this.entryCount
    return count === 0 ? this.baseOffset : this.offsetAt(count - 1)
  }

  /** The offset of the last entry whose timestamp is at most `timestamp`; the base offset when there is none. */
  lookup(timestamp: number): number {
    let low = 0
    let high = this.entryCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timestampAt(middle) <= timestamp) low = middle + 1
      else high = middle
    }
    return low === 0 ? this.baseOffset : this.offsetAt(low - 1)
  }

  /** Keeps the entries below `offset`. */
  truncateTo(offset: number): void {
    let low = 0
    let high = this.entryCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.offsetAt(middle) < offset) low = middle + 1
      else high = middle
    }
    this.cutTo(low)
  }

  private timestampAt(slot: number): number {
    return readInt64(this.bytes(), slot * TIME_ENTRY_BYTES)
  }

  private offsetAt(slot: number): number {
    return this.baseOffset + this.bytes().readUInt32BE(slot * TIME_ENTRY_BYTES + 8)
  }

  protected override countValid(bytes: Buffer, count: number): number {
    const isZero = (slot: number) =>
      readInt64(bytes, slot * TIME_ENTRY_BYTES) === 0 && bytes.readUInt32BE(slot * TIME_ENTRY_BYTES + 8) === 0
    // A single entry of zeros is a record of 1970.
    if (count === 1) return count
    let valid = count
    while (valid > 0 && isZero(valid - 1)) valid -= 1
    return valid
  }
}
