import { decodeUuid, encodeUuidInto } from './uuid.ts'

/** Broken input: the bytes are not what the format says they are. Closes the connection (or condemns the file) it came from. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
}

/** Long.MAX_VALUE and Long.MIN_VALUE as the `int64` fields carry them: the nearest doubles, which are written back exactly. */
export const INT64_MAX = 2 ** 63
export const INT64_MIN = -(2 ** 63)

/** Longest string the protocol carries, in bytes, in either encoding. */
export const MAX_STRING_BYTES = 0x7fff

const TWO_32 = 2 ** 32

/** More tagged fields than this in one struct is an attack, not a message: 4.3 defines at most a dozen. */
const MAX_TAGGED_FIELDS = 1024

/**
 * What the objects decoded from a frame may weigh on the heap, by a static estimate per array element: as much as the frame,
 * plus this allowance for honest frames of many small elements (a fetch of 100,000 partitions is 3.3 MB of frame). With the
 * frame itself, and strings at up to twice their bytes, a large frame stays under four times its size.
 */
const HEAP_ALLOWANCE_BYTES = 32 * 1024 * 1024

/** Up to this many bytes an ASCII string is read and written in JavaScript: cheaper than a call out of the engine. */
const SHORT_STRING_BYTES = 48

/** Payloads smaller than this are copied into the frame: cheaper than one more chunk for the socket to gather. */
const COPY_BELOW_BYTES = 1024

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

  /** Number of tagged fields that follow, capped. */
  tagCount(): number {
    const count = this.uvarint()
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

/**
 * Writes primitive values of the protocol. Small things are gathered in one growing buffer; payloads of
 * `COPY_BELOW_BYTES` or more are passed on by reference and must not change before the chunks have been sent.
 */
export class Writer {
  #buffer: Buffer
  #pos = 0
  /** Start, in `#buffer`, of what has not been handed to `#chunks` yet. */
  #start = 0
  #chunks: Buffer[] = []
  #chunksSizeBytes = 0
  #tagDepth = 0

  constructor(initialSizeBytes = 512) {
    this.#buffer = Buffer.allocUnsafe(initialSizeBytes)
  }

  /** Bytes written so far. */
  get sizeBytes(): number {
    return this.#chunksSizeBytes + this.#pos - this.#start
  }

  #claim(size: number): number {
    const at = this.#pos
    if (at + size > this.#buffer.length) return this.#grow(size)
    this.#pos = at + size
    return at
  }

  #grow(size: number): number {
    const pending = this.#pos - this.#start
    const grown = Buffer.allocUnsafe(Math.max(2 * (pending + size), 512))
    this.#buffer.copy(grown, 0, this.#start, this.#pos)
    this.#buffer = grown
    this.#start = 0
    this.#pos = pending + size
    return pending
  }

  bool(value: boolean): void {
    const at = this.#claim(1)
    this.#buffer[at] = value ? 1 : 0
  }

  int8(value: number): void {
    const at = this.#claim(1)
    this.#buffer[at] = value
  }

  int16(value: number): void {
    const at = this.#claim(2)
    this.#buffer[at] = value >> 8
    this.#buffer[at + 1] = value
  }

  uint16(value: number): void {
    this.int16(value)
  }

  int32(value: number): void {
    const at = this.#claim(4)
    const b = this.#buffer
    b[at] = value >> 24
    b[at + 1] = value >> 16
    b[at + 2] = value >> 8
    b[at + 3] = value
  }

  uint32(value: number): void {
    this.int32(value)
  }

  /** Saturates: {@link INT64_MAX} and anything above is written as Long.MAX_VALUE, and the same below. */
  int64(value: number): void {
    if (value >= INT64_MAX) {
      this.int32(0x7fffffff)
      this.int32(-1)
    } else if (value <= INT64_MIN) {
      this.int32(-0x80000000)
      this.int32(0)
    } else {
      const high = Math.floor(value / TWO_32)
      this.int32(high)
      this.int32(value - high * TWO_32)
    }
  }

  int64big(value: bigint): void {
    const at = this.#claim(8)
    this.#buffer.writeBigInt64BE(value, at)
  }

  float64(value: number): void {
    const at = this.#claim(8)
    this.#buffer.writeDoubleBE(value, at)
  }

  uuid(value: string): void {
    const at = this.#claim(16)
    encodeUuidInto(value, this.#buffer, at)
  }

  /** Unsigned varint; `value` from 0 to 2^32 - 1. */
  uvarint(value: number): void {
    let rest = value >>> 0
    while (rest > 0x7f) {
      this.int8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    this.int8(rest)
  }

  /** Zig-zag varint of 32 bits. */
  varint(value: number): void {
    this.uvarint((value << 1) ^ (value >> 31))
  }

  /** Zig-zag varint of 64 bits, of a safe integer or one of the two extremes. */
  varlong(value: number): void {
    if (value >= -0x40000000 && value < 0x40000000) {
      this.varint(value)
      return
    }
    const wide = value >= INT64_MAX ? 2n ** 63n - 1n : value <= INT64_MIN ? -(2n ** 63n) : BigInt(value)
    let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n))
    while (rest > 0x7fn) {
      this.int8(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    this.int8(Number(rest))
  }

  string(value: string): void {
    this.#claim(2)
    const size = this.#text(value)
    // The text may have moved the buffer; the length field lies right before it either way.
    const lengthAt = this.#pos - size - 2
    this.#buffer[lengthAt] = size >> 8
    this.#buffer[lengthAt + 1] = size
  }

  stringOrNull(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value)
  }

  compactString(value: string): void {
    const size = isShortAscii(value) ? value.length : Buffer.byteLength(value)
    this.uvarint(size + 1)
    this.#text(value)
  }

  compactStringOrNull(value: string | null): void {
    if (value === null) this.int8(0)
    else this.compactString(value)
  }

  /** Writes UTF-8 and returns its size. */
  #text(value: string): number {
    const length = value.length
    if (isShortAscii(value)) {
      const at = this.#claim(length)
      for (let i = 0; i < length; i++) this.#buffer[at + i] = value.charCodeAt(i)
      return length
    }
    const size = Buffer.byteLength(value)
    if (size > MAX_STRING_BYTES) throw new RangeError(`string of ${size} bytes does not fit the protocol`)
    const at = this.#claim(size)
    this.#buffer.write(value, at, size, 'utf8')
    return size
  }

  bytes(value: Buffer): void {
    this.int32(value.length)
    this.raw(value)
  }

  bytesOrNull(value: Buffer | null): void {
    if (value === null) this.int32(-1)
    else this.bytes(value)
  }

  compactBytes(value: Buffer): void {
    this.uvarint(value.length + 1)
    this.raw(value)
  }

  compactBytesOrNull(value: Buffer | null): void {
    if (value === null) this.int8(0)
    else this.compactBytes(value)
  }

  /** The bytes themselves, without a length; large ones by reference. */
  raw(value: Buffer): void {
    if (value.length < COPY_BELOW_BYTES || this.#tagDepth > 0) {
      const at = this.#claim(value.length)
      value.copy(this.#buffer, at)
      return
    }
    this.#flush()
    this.#chunks.push(value)
    this.#chunksSizeBytes += value.length
  }

  #flush(): void {
    if (this.#pos === this.#start) return
    this.#chunks.push(this.#buffer.subarray(this.#start, this.#pos))
    this.#chunksSizeBytes += this.#pos - this.#start
    this.#start = this.#pos
  }

  records(value: readonly Buffer[]): void {
    this.int32(totalSize(value))
    for (const chunk of value) this.raw(chunk)
  }

  recordsOrNull(value: readonly Buffer[] | null): void {
    if (value === null) this.int32(-1)
    else this.records(value)
  }

  compactRecords(value: readonly Buffer[]): void {
    this.uvarint(totalSize(value) + 1)
    for (const chunk of value) this.raw(chunk)
  }

  compactRecordsOrNull(value: readonly Buffer[] | null): void {
    if (value === null) this.int8(0)
    else this.compactRecords(value)
  }

  /** Count of an array's elements; -1 stands for null. */
  arrayCount(count: number): void {
    this.int32(count)
  }

  compactArrayCount(count: number): void {
    this.uvarint(count + 1)
  }

  /** Opens a tagged field; its size is filled in by {@link closeTag}, to be given what this returned. */
  openTag(tag: number): number {
    this.uvarint(tag)
    this.#tagDepth++
    this.int8(0)
    return this.#pos - this.#start
  }

  closeTag(from: number): void {
    this.#tagDepth--
    const size = this.#pos - this.#start - from
    if (size < 0x80) {
      this.#buffer[this.#start + from - 1] = size
      return
    }
    const content = Buffer.from(this.#buffer.subarray(this.#pos - size, this.#pos))
    this.#pos -= size + 1
    this.uvarint(size)
    const at = this.#claim(size)
    content.copy(this.#buffer, at)
  }

  /** Puts a 32-bit size at the very start, where {@link int32} has left room for it: the frame's length prefix. */
  patchFrameSize(): void {
    const first = this.#chunks[0] ?? this.#buffer
    first.writeInt32BE(this.sizeBytes - 4, this.#chunks.length > 0 ? 0 : this.#start)
  }

  /** Everything written, in order, as chunks to gather. The writer is not to be used afterwards. */
  finish(): Buffer[] {
    this.#flush()
    return this.#chunks
  }

  /** Everything written as one buffer. */
  finishOne(): Buffer {
    const chunks = this.finish()
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.#chunksSizeBytes)
  }
}

function totalSize(chunks: readonly Buffer[]): number {
  let size = 0
  for (const chunk of chunks) size += chunk.length
  return size
}

function isShortAscii(value: string): boolean {
  if (value.length > SHORT_STRING_BYTES) return false
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) >= 0x80) return false
  return true
}
