import type { BatchView } from './batch.ts'
import { decompress } from './compression.ts'
import { invalid } from './errors.ts'
import * as layout from './layout.ts'
import { Codec, TimestampType } from './layout.ts'

const TWO_32 = 0x1_0000_0000

export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** One record with everything decoded. Key, value and header values are windows on the buffer that held the batch. */
export interface DecodedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: RecordHeader[]
}

/**
 * The records of a batch as plain bytes: the batch's own where it is not compressed, else a new buffer of at most
 * `maxBytes`. Throws RecordsError: `tooLarge` for more, `corrupt` for data that does not decompress.
 */
export function recordsOf(batch: BatchView, maxBytes: number): Buffer {
  const raw = batch.buffer.subarray(batch.recordsStart, batch.end)
  return batch.codecId === Codec.none ? raw : decompress(batch.codec, raw, maxBytes)
}

/**
 * Walks the records of a batch without making an object per record: `next` moves to a record and checks its whole
 * structure; the fields then tell where its parts lie in `buffer`. After the last record it makes sure that nothing is
 * left over. One cursor serves any number of batches. Broken structure throws RecordsError `invalid`.
 */
export class RecordCursor {
  /** The plain bytes being walked; what the positions below refer to. */
  buffer: Buffer = Buffer.alloc(0)
  offset = 0
  offsetDelta = 0
  /** In ms; the batch's own where that is a log append time. */
  timestamp = 0
  attributes = 0
  /** From the length field to the end of the record. */
  recordStart = 0
  recordEnd = 0
  /** The key's length field: from here to `recordEnd` a record does not depend on its batch. */
  payloadStart = 0
  keyStart = 0
  /** -1 for a null key. */
  keyLength = 0
  valueStart = 0
  /** -1 for a null value. */
  valueLength = 0
  headersStart = 0
  headerCount = 0

  private position = 0
  private limit = 0
  private index = 0
  private count = 0
  private baseOffset = 0
  private baseTimestamp = 0
  private logAppendTime: number = layout.NO_TIMESTAMP
  private hasLogAppendTime = false

  /**
   * Goes to before the first record of a batch, decompressing it into at most `maxBytes`.
   * Throws RecordsError: `invalid` for a negative count or an unknown codec, else as `recordsOf`.
   */
  open(batch: BatchView, maxBytes: number): this {
    if (batch.codecId !== Codec.none) return this.openRecords(batch, recordsOf(batch, maxBytes))
    return this.start(batch, batch.buffer, batch.recordsStart, batch.end)
  }

  /** As `open`, with the records already decompressed. */
  openRecords(batch: BatchView, records: Buffer): this {
    return this.start(batch, records, 0, records.length)
  }

  private start(batch: BatchView, buffer: Buffer, from: number, to: number): this {
    const count = batch.recordCount
    if (count < 0) throw invalid(`record count ${count}`)
    this.buffer = buffer
    this.position = from
    this.limit = to
    this.index = 0
    this.count = count
    this.baseOffset = batch.baseOffset
    this.baseTimestamp = batch.baseTimestamp
    this.hasLogAppendTime = batch.timestampType === TimestampType.logAppendTime
    this.logAppendTime = batch.maxTimestamp
    return this
  }

  /** Moves to the next record; false after the last. */
  next(): boolean {
    if (this.index === this.count) return false
    this.index++
    this.recordStart = this.position
    const bodySize = this.varint()
    if (bodySize <= 0 || bodySize > this.limit - this.position) throw invalid(`record of ${bodySize} bytes`)
    const end = this.position + bodySize
    this.recordEnd = end
    this.attributes = this.buffer[this.position++]!
    const timestampDelta = this.varlong()
    this.timestamp = this.hasLogAppendTime ? this.logAppendTime : this.baseTimestamp + timestampDelta
    this.offsetDelta = this.varint()
    this.offset = this.baseOffset + this.offsetDelta
    this.payloadStart = this.position
    this.keyLength = this.varint()
    this.keyStart = this.position
    this.skip(this.keyLength, end)
    this.valueLength = this.varint()
    this.valueStart = this.position
    this.skip(this.valueLength, end)
    this.passHeaders(end)
    if (this.position !== end) throw invalid('record length disagrees with its fields')
    if (this.index === this.count && end !== this.limit) throw invalid('bytes left over after the last record')
    return true
  }

  private passHeaders(end: number): void {
    const count = this.varint()
    if (count < 0 || count > end - this.position) throw invalid(`${count} record headers`)
    this.headerCount = count
    this.headersStart = this.position
    for (let i = 0; i < count; i++) {
      const keyLength = this.varint()
      if (keyLength < 0) throw invalid('record header without a key')
      this.skip(keyLength, end)
      this.skip(this.varint(), end)
    }
  }

  private skip(length: number, end: number): void {
    if (length > end - this.position) throw invalid('field reaches past its record')
    if (length > 0) this.position += length
  }

  private varint(): number {
    const position = this.position
    if (position >= this.limit) throw invalid('records end inside a varint')
    const byte = this.buffer[position]!
    if (byte >= 0x80) return this.longVarint()
    this.position = position + 1
    return (byte >>> 1) ^ -(byte & 1)
  }

  private longVarint(): number {
    const { buffer, limit } = this
    let position = this.position
    let value = 0
    for (let shift = 0; shift <= 28; shift += 7) {
      if (position >= limit) throw invalid('records end inside a varint')
      const byte = buffer[position++]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.position = position
        return (value >>> 1) ^ -(value & 1)
      }
    }
    throw invalid('varint of more than 5 bytes')
  }

  private varlong(): number {
    const { buffer, limit } = this
    let position = this.position
    let low = 0
    let high = 0
    for (let shift = 0; shift <= 63; shift += 7) {
      if (position >= limit) throw invalid('records end inside a varint')
      const byte = buffer[position++]!
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) {
        this.position = position
        if (high === 0) return low & 1 ? -(low >>> 1) - 1 : low >>> 1
        return unzigzag(low, high)
      }
    }
    throw invalid('varint of more than 10 bytes')
  }

  /** The key, as a window on `buffer`; null for a null key. */
  key(): Buffer | null {
    return this.keyLength < 0 ? null : this.buffer.subarray(this.keyStart, this.keyStart + this.keyLength)
  }

  /** The value, as a window on `buffer`; null for a null value. */
  value(): Buffer | null {
    return this.valueLength < 0 ? null : this.buffer.subarray(this.valueStart, this.valueStart + this.valueLength)
  }

  /** The headers of the record, their values as windows on `buffer`. */
  headers(): RecordHeader[] {
    const headers: RecordHeader[] = []
    if (this.headerCount === 0) return headers
    const resumeAt = this.position
    this.position = this.headersStart
    for (let i = 0; i < this.headerCount; i++) {
      const key = this.take(this.varint())!.toString('utf8')
      headers.push({ key, value: this.take(this.varint()) })
    }
    this.position = resumeAt
    return headers
  }

  private take(length: number): Buffer | null {
    if (length < 0) return null
    const start = this.position
    this.position = start + length
    return this.buffer.subarray(start, this.position)
  }

  record(): DecodedRecord {
    const { offset, timestamp } = this
    return { offset, timestamp, key: this.key(), value: this.value(), headers: this.headers() }
  }
}

function unzigzag(low: number, high: number): number {
  const sign = -(low & 1)
  const plainLow = ((low >>> 1) | (high << 31)) ^ sign
  const plainHigh = (high >>> 1) ^ sign
  return plainHigh * TWO_32 + (plainLow >>> 0)
}

/** All records of a batch, decoded. `maxBytes` bounds what a compressed batch may grow to. Throws as `RecordCursor`. */
export function decodeRecords(batch: BatchView, maxBytes: number): DecodedRecord[] {
  const cursor = new RecordCursor().open(batch, maxBytes)
  const records: DecodedRecord[] = []
  while (cursor.next()) records.push(cursor.record())
  return records
}

/** What one walk over the records of a batch tells: all that the checks on append need from a well-made batch. */
export interface RecordsSummary {
  recordCount: number
  /** The records as plain bytes: what they take when not compressed. */
  uncompressedBytes: number
  /** The largest timestamp, -1 when no record has one. */
  maxTimestamp: number
  /** The smallest timestamp other than -1, Infinity when no record has one. */
  minTimestamp: number
  /** Whether any record has timestamp -1. */
  lacksTimestamps: boolean
  nullKeys: number
  /** Whether the offset deltas are 0, 1, 2 ... */
  isSequential: boolean
}

/**
 * Walks to the end of an opened cursor and sums up; the count of the header is exact when this returns. One object per
 * batch, none per record. Throws RecordsError `invalid` at the first record whose structure is broken.
 */
export function summarize(cursor: RecordCursor): RecordsSummary {
  let recordCount = 0
  let maxTimestamp: number = layout.NO_TIMESTAMP
  let minTimestamp = Number.POSITIVE_INFINITY
  let lacksTimestamps = false
  let nullKeys = 0
  let isSequential = true
  let uncompressedBytes = 0
  while (cursor.next()) {
    const timestamp = cursor.timestamp
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    if (timestamp === layout.NO_TIMESTAMP) lacksTimestamps = true
    else if (timestamp < minTimestamp) minTimestamp = timestamp
    if (cursor.keyLength < 0) nullKeys++
    if (cursor.offsetDelta !== recordCount) isSequential = false
    uncompressedBytes += cursor.recordEnd - cursor.recordStart
    recordCount++
  }
  return { recordCount, uncompressedBytes, maxTimestamp, minTimestamp, lacksTimestamps, nullKeys, isSequential }
}
