import { decodeUuid } from './uuid.ts'
import { MAX_STRING_BYTES, SHORT_STRING_BYTES } from './wire-limits.ts'

/** Broken input: the bytes are not what the format says they are. Closes the connection (or condemns the file) it came from. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
}

const TWO_32 = 2 ** 32

/** More tagged fields than this in one struct is an attack, not a message: 4.3 defines at most a dozen. */
const MAX_TAGGED_FIELDS = 1024

/**
 * What the objects decoded from a frame may weigh on the heap, by a static estimate per array element: as much as the frame,
 * plus this allowance for honest frames of many small elements (a fetch of 100,000 partitions is 3.3 MB of frame). With the
 * frame itself, and strings at up to twice their bytes, a large frame stays under four times its size.
 */
const HEAP_ALLOWANCE_BYTES = 32 * 1024 * 1024

/**
 * Reads primitive values of the protocol from a buffer. Every read is bounded by the buffer's end and throws
 * {@link DecodeError} beyond it. Byte fields are slices of the buffer, not copies: whoever keeps one keeps the frame.
 */
export class Reader {
  pos: number
  readonly end: number
  readonly #buffer: Buffer
  #heapBudgetBytes: number

  /** `heapBudgetBytes`: what the arrays decoded may weigh in all, by the estimate {@link arrayCount} is given. */
  constructor(buffer: Buffer, pos = 0, heapBudgetBytes = HEAP_ALLOWANCE_BYTES + buffer.length) {
    this.#buffer = buffer
    this.pos = pos
    this.end = buffer.length
    this.#heapBudgetBytes = heapBudgetBytes
  }

  get remaining(): number {
    return this.end - this.pos
  }

  /** Claims `size` bytes and returns where they start. */
  #take(size: number): number {
    const at = this.pos
    if (size > this.end - at) throw new DecodeError(`needs ${size} bytes at ${at}, has ${this.end - at}`)
    this.pos = at + size
    return at
  }

  bool(): boolean {
    return this.#buffer[this.#take(1)] !== 0
  }

  int8(): number {
    return (this.#buffer[this.#take(1)]! << 24) >> 24
  }

  int16(): number {
    const at = this.#take(2)
    return ((this.#buffer[at]! << 24) | (this.#buffer[at + 1]! << 16)) >> 16
  }

  uint16(): number {
    const at = this.#take(2)
    return (this.#buffer[at]! << 8) | this.#buffer[at + 1]!
  }

  int32(): number {
    const at = this.#take(4)
    const b = this.#buffer
    return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  /** Exact within the safe integers; beyond them the nearest double, so Long.MAX_VALUE reads as {@link INT64_MAX}. */
  int64(): number {
    const at = this.#take(8)
    const b = this.#buffer
    const high = (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!
    const low = (b[at + 4]! << 24) | (b[at + 5]! << 16) | (b[at + 6]! << 8) | b[at + 7]!
    return high * TWO_32 + (low >>> 0)
  }

  int64big(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8))
  }

  float64(): number {
    return this.#buffer.readDoubleBE(this.#take(8))
  }

  uuid(): string {
    return decodeUuid(this.#buffer, this.#take(16))
  }

  /** Unsigned varint of at most 32 bits. */
  uvarint(): number {
    const first = this.#buffer[this.#take(1)]!
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.#buffer[this.#take(1)]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new DecodeError(`varint longer than five bytes before ${this.pos}`)
  }

  /** Zig-zag varint of 32 bits. */
  varint(): number {
    const raw = this.uvarint()
    return (raw >>> 1) ^ -(raw & 1)
  }

  /** Zig-zag varint of 64 bits; exact within the safe integers, else the nearest double. */
  varlong(): number {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#buffer[this.#take(1)]!
      const bits = byte & 0x7f
      if (shift < 28) low += bits * 2 ** shift
      else high += bits * 2 ** (shift - 28)
      if (byte < 0x80) return unzigzag(high, low)
    }
    throw new DecodeError(`varlong longer than ten bytes before ${this.pos}`)
  }

  string(): string {
    return this.#text(this.int16())
  }

  stringOrNull(): string | null {
    const size = this.int16()
    return size < 0 ? null : this.#text(size)
  }

  compactString(): string {
    return this.#text(this.uvarint() - 1)
  }

  compactStringOrNull(): string | null {
    const size = this.uvarint()
    return size === 0 ? null : this.#text(size - 1)
  }

  #text(size: number): string {
    if (size < 0) throw new DecodeError(`null string at ${this.pos} in a field that cannot be null`)
    if (size > MAX_STRING_BYTES) throw new DecodeError(`string of ${size} bytes at ${this.pos}`)
    const at = this.#take(size)
    return size <= SHORT_STRING_BYTES ? shortText(this.#buffer, at, size) : this.#buffer.toString('utf8', at, at + size)
  }

  bytes(): Buffer {
    return this.#slice(this.int32())
  }

  bytesOrNull(): Buffer | null {
    const size = this.int32()
    return size < 0 ? null : this.#slice(size)
  }

  compactBytes(): Buffer {
    return this.#slice(this.uvarint() - 1)
  }

  compactBytesOrNull(): Buffer | null {
    const size = this.uvarint()
    return size === 0 ? null : this.#slice(size - 1)
  }

  #slice(size: number): Buffer {
    if (size < 0) throw new DecodeError(`null bytes at ${this.pos} in a field that cannot be null`)
    return this.raw(size)
  }

  /** The next `size` bytes, not copied. */
  raw(size: number): Buffer {
    const at = this.#take(size)
    return this.#buffer.subarray(at, at + size)
  }

  records(): readonly Buffer[] {
    return [this.bytes()]
  }

  recordsOrNull(): readonly Buffer[] | null {
    const slice = this.bytesOrNull()
    return slice === null ? null : [slice]
  }

  compactRecords(): readonly Buffer[] {
    return [this.compactBytes()]
  }

  compactRecordsOrNull(): readonly Buffer[] | null {
    const slice = this.compactBytesOrNull()
    return slice === null ? null : [slice]
  }

  /**
   * Number of elements of an array, or -1 for null (as in Java, any negative count means null). `minBytes` is the least an element takes on the wire, `heapBytes`
   * what it roughly weighs once decoded: a count that cannot be honest is refused before anything is allocated for it.
   */
  arrayCount(minBytes: number, heapBytes: number): number {
    return this.#chargeArray(this.int32(), minBytes, heapBytes)
  }

  compactArrayCount(minBytes: number, heapBytes: number): number {
    return this.#chargeArray(this.uvarint() - 1, minBytes, heapBytes)
  }

  #chargeArray(count: number, minBytes: number, heapBytes: number): number {
    if (count < 0) return -1
    if (count * minBytes > this.end - this.pos) {
      throw new DecodeError(`array of ${count} elements at ${this.pos}, with ${this.end - this.pos} bytes left`)
    }
    this.#heapBudgetBytes -= count * heapBytes
    if (this.#heapBudgetBytes < 0) throw new DecodeError(`array of ${count} elements exceeds what the frame may hold`)
    return count
  }

  /** Number of tagged fields that follow, capped. To Apache Kafka the number is signed: from 2^31 on there are none. */
  tagCount(): number {
    const count = this.uvarint()
    if (count >= 2 ** 31) return 0
    if (count > MAX_TAGGED_FIELDS) throw new DecodeError(`${count} tagged fields at ${this.pos}`)
    return count
  }

  /** Size of a tagged field's value; returns where it ends. */
  tagEnd(): number {
    const size = this.uvarint()
    const at = this.#take(size)
    this.pos = at
    return at + size
  }

  /** After a known tagged field: its value must have taken exactly its declared size. */
  closeTag(end: number): void {
    if (this.pos !== end) throw new DecodeError(`tagged field ends at ${this.pos}, not at ${end} as declared`)
  }

  /** Skips a struct's tagged fields, for versions that define none. */
  skipTags(): void {
    if (this.#buffer[this.pos] === 0 && this.pos < this.end) {
      this.pos++
      return
    }
    for (let left = this.tagCount(); left > 0; left--) {
      this.uvarint()
      this.pos = this.tagEnd()
    }
  }

  nullInNonNullable(what: string): never {
    throw new DecodeError(`null ${what} before ${this.pos} in a field that cannot be null`)
  }
}

function unzigzag(high: number, low: number): number {
  const odd = low % 2 === 1
  const half = high * 2 ** 27 + Math.floor(low / 2)
  return odd ? -half - 1 : half
}

function shortText(buffer: Buffer, at: number, size: number): string {
  let text = ''
  for (let i = at; i < at + size; i++) {
    const byte = buffer[i]!
    if (byte >= 0x80) return buffer.toString('utf8', at, at + size)
    text += String.fromCharCode(byte)
  }
  return text
}
