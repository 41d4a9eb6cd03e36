import { encodeUuidInto } from './uuid.ts'
import { INT64_MAX, INT64_MIN, MAX_STRING_BYTES, SHORT_STRING_BYTES } from './wire-limits.ts'

const TWO_32 = 2 ** 32

/** Payloads smaller than this are copied into the frame: cheaper than one more chunk for the socket to gather. */
const COPY_BELOW_BYTES = 1024

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
