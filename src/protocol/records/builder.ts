import { compress } from './compression.ts'
import { crc32c } from './crc.ts'
import type { RecordCursor } from './cursor.ts'
import { writeInt64 } from './int64.ts'
import * as layout from './layout.ts'
import { Codec } from './layout.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

/** A header to write. `value` null is a null value. */
export interface HeaderInput {
  readonly key: string
  readonly value: Uint8Array | null
}

/** A record to write. Without `offset` it takes the one after the record before it. */
export interface RecordInput {
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly HeaderInput[]
  readonly offset?: number
}

/** The header of a batch; what is left out takes the value in brackets. */
export interface BatchOptions {
  /** [0] */
  readonly baseOffset?: number
  /** [-1] */
  readonly partitionLeaderEpoch?: number
  /** [none] */
  readonly codec?: Codec
  /** The codec's compression level [its default in Apache Kafka]. */
  readonly level?: number
  /** When given, the timestamp type is log append time and this is the timestamp of every record, in ms. */
  readonly logAppendTimeMs?: number
  /** [-1] */
  readonly producerId?: number
  /** [-1] */
  readonly producerEpoch?: number
  /** [-1] */
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  /** When given, the batch keeps it (KIP-534) and timestamp deltas count from it, in ms. */
  readonly deleteHorizonMs?: number
  /** The last offset that the batch stands for, where records after the last one were removed [the last record's]. */
  readonly lastOffset?: number
  /** For a batch that keeps its header when its records are removed, in ms [the largest of the records']. */
  readonly maxTimestamp?: number
}

const NO_HEADERS: readonly HeaderInput[] = []
const MAX_OFFSET_DELTA = 0x7fff_ffff
const FIRST_CAPACITY = 1024

/** Collects records and makes one batch of magic 2 of them. */
export class BatchBuilder {
  private readonly options: BatchOptions
  private readonly baseOffset: number
  private buffer: Buffer
  private position = layout.RECORDS_AT
  private count = 0
  private lastOffset: number
  private baseTimestamp: number
  private highestTimestamp: number = layout.NO_TIMESTAMP

  /**
   * `capacity`: a guess of the size before compression, in bytes, or memory to build in, in which the batch may stand
   * then; the builder takes more as needed.
   */
  constructor(options: BatchOptions = {}, capacity: number | Buffer = FIRST_CAPACITY) {
    this.options = options
    this.baseOffset = options.baseOffset ?? 0
    this.lastOffset = this.baseOffset - 1
    this.baseTimestamp = options.deleteHorizonMs ?? layout.NO_TIMESTAMP
    this.buffer = typeof capacity === 'number' ? Buffer.allocUnsafe(Math.max(capacity, layout.RECORDS_AT)) : capacity
    if (this.buffer.length < layout.RECORDS_AT) throw new RangeError(`${this.buffer.length} bytes to build a batch in`)
  }

  get recordCount(): number {
    return this.count
  }

  /** The size of the batch so far, before compression. */
  get sizeBytes(): number {
    return this.position
  }

  /** The largest timestamp so far, -1 for none. */
  get maxTimestamp(): number {
    return this.options.logAppendTimeMs ?? this.options.maxTimestamp ?? this.highestTimestamp
  }

  /** The offset that the next record takes when it does not bring its own. */
  get nextOffset(): number {
    return this.lastOffset + 1
  }

  append(record: RecordInput): void {
    const { key, value } = record
    const headers = record.headers ?? NO_HEADERS
    const offset = record.offset ?? this.nextOffset
    const { offsetDelta, timestampDelta } = this.admit(offset, record.timestamp)
    const keySize = key === null ? 1 : sizeOfVarint(key.length) + key.length
    const valueSize = value === null ? 1 : sizeOfVarint(value.length) + value.length
    const bodySize =
      1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(offsetDelta) + keySize + valueSize + sizeOfHeaders(headers)
    let at = this.begin(bodySize, timestampDelta, offsetDelta)
    const buffer = this.buffer
    at = writeBytes(buffer, at, key)
    at = writeBytes(buffer, at, value)
    at = writeVarint(buffer, at, headers.length)
    for (const header of headers) {
      const keyBytes = Buffer.byteLength(header.key)
      at = writeVarint(buffer, at, keyBytes)
      at += buffer.write(header.key, at, 'utf8')
      at = writeBytes(buffer, at, header.value)
    }
    this.position = at
  }

  /** Appends the record a cursor stands on, its key, value and headers copied as they are, at another offset. */
  appendFrom(cursor: RecordCursor, offset: number = this.nextOffset, timestamp: number = cursor.timestamp): void {
    const { offsetDelta, timestampDelta } = this.admit(offset, timestamp)
    const tailSize = cursor.recordEnd - cursor.payloadStart
    const bodySize = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(offsetDelta) + tailSize
    const at = this.begin(bodySize, timestampDelta, offsetDelta)
    cursor.buffer.copy(this.buffer, at, cursor.payloadStart, cursor.recordEnd)
    this.position = at + tailSize
  }

  /** Checks and takes note of a record's offset and timestamp. */
  private admit(offset: number, timestamp: number): { offsetDelta: number; timestampDelta: number } {
    const offsetDelta = offset - this.baseOffset
    if (offset <= this.lastOffset || offsetDelta > MAX_OFFSET_DELTA) throw new RangeError(`record offset ${offset}`)
    if (timestamp < layout.NO_TIMESTAMP) throw new RangeError(`record timestamp ${timestamp}`)
    if (this.count === 0 && this.options.deleteHorizonMs === undefined) this.baseTimestamp = timestamp
    this.count++
    this.lastOffset = offset
    if (timestamp > this.highestTimestamp) this.highestTimestamp = timestamp
    return { offsetDelta, timestampDelta: timestamp - this.baseTimestamp }
  }

  private begin(bodySize: number, timestampDelta: number, offsetDelta: number): number {
    this.ensureRoom(sizeOfVarint(bodySize) + bodySize)
    let at = writeVarint(this.buffer, this.position, bodySize)
    this.buffer[at++] = 0
    at = writeVarlong(this.buffer, at, timestampDelta)
    return writeVarint(this.buffer, at, offsetDelta)
  }

  private ensureRoom(bytes: number): void {
    const needed = this.position + bytes
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(grown, 0, 0, this.position)
    this.buffer = grown
  }

  /**
   * The finished batch, CRC and all. Without records it is an empty batch, which compaction keeps for its producer
   * fields. The builder must not be used afterwards. Throws RangeError for a level that the codec does not have.
   */
  build(): Buffer {
    const codec = this.count === 0 ? Codec.none : (this.options.codec ?? Codec.none)
    let batch = this.buffer.subarray(0, this.position)
    if (codec !== Codec.none) {
      const packed = compress(codec, batch.subarray(layout.RECORDS_AT), this.options.level)
      batch = Buffer.allocUnsafe(layout.RECORDS_AT + packed.length)
      packed.copy(batch, layout.RECORDS_AT)
    }
    this.writeHeader(batch, codec)
    return batch
  }

  private writeHeader(batch: Buffer, codec: Codec): void {
    const { options } = this
    const lastOffset = options.lastOffset ?? this.lastOffset
    writeInt64(batch, layout.BASE_OFFSET_AT, this.baseOffset)
    batch.writeInt32BE(batch.length - layout.LOG_OVERHEAD, layout.LENGTH_AT)
    batch.writeInt32BE(options.partitionLeaderEpoch ?? layout.NO_LEADER_EPOCH, layout.LEADER_EPOCH_AT)
    batch.writeInt8(2, layout.MAGIC_AT)
    batch.writeInt16BE(attributesOf(options, codec), layout.ATTRIBUTES_AT)
    batch.writeInt32BE(lastOffset - this.baseOffset, layout.LAST_OFFSET_DELTA_AT)
    writeInt64(batch, layout.BASE_TIMESTAMP_AT, this.baseTimestamp)
    writeInt64(batch, layout.MAX_TIMESTAMP_AT, this.maxTimestamp)
    writeInt64(batch, layout.PRODUCER_ID_AT, options.producerId ?? layout.NO_PRODUCER_ID)
    batch.writeInt16BE(options.producerEpoch ?? layout.NO_PRODUCER_EPOCH, layout.PRODUCER_EPOCH_AT)
    batch.writeInt32BE(options.baseSequence ?? layout.NO_SEQUENCE, layout.BASE_SEQUENCE_AT)
    batch.writeInt32BE(this.count, layout.RECORD_COUNT_AT)
    batch.writeUInt32BE(crc32c(batch, layout.ATTRIBUTES_AT, batch.length), layout.CRC_AT)
  }
}

function attributesOf(options: BatchOptions, codec: Codec): number {
  let attributes: number = codec
  if (options.logAppendTimeMs !== undefined) attributes |= layout.LOG_APPEND_TIME_FLAG
  if (options.isTransactional) attributes |= layout.TRANSACTIONAL_FLAG
  if (options.isControl) attributes |= layout.CONTROL_FLAG
  if (options.deleteHorizonMs !== undefined) attributes |= layout.DELETE_HORIZON_FLAG
  return attributes
}

function sizeOfHeaders(headers: readonly HeaderInput[]): number {
  let size = sizeOfVarint(headers.length)
  for (const { key, value } of headers) {
    const keyBytes = Buffer.byteLength(key)
    size += sizeOfVarint(keyBytes) + keyBytes
    size += value === null ? 1 : sizeOfVarint(value.length) + value.length
  }
  return size
}

function writeBytes(buffer: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(buffer, at, -1)
  const start = writeVarint(buffer, at, bytes.length)
  buffer.set(bytes, start)
  return start + bytes.length
}

/** One batch of magic 2 from records; see `BatchBuilder`. */
export function buildBatch(records: readonly RecordInput[], options: BatchOptions = {}): Buffer {
  const builder = new BatchBuilder(options)
  for (const record of records) builder.append(record)
  return builder.build()
}
