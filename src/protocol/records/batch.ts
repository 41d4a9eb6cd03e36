import { crc32c } from './crc.ts'
import { corrupt, invalid, RecordsError } from './errors.ts'
import { readInt64, writeInt64 } from './int64.ts'
import * as layout from './layout.ts'
import { Codec, TimestampType } from './layout.ts'

/**
 * The size of the batch (or v0/v1 message) that starts at `position`, header and all, or 0 where `end` cuts it off:
 * the tail of a fetch response or of a log may hold part of a batch. Tells no more than that; see `ensureValid`.
 * Throws RecordsError `corrupt` for a size that no batch can have and for an unknown magic.
 */
export function batchSizeAt(buffer: Buffer, position: number, end: number): number {
  const remaining = end - position
  if (remaining < layout.LOG_OVERHEAD) return 0
  const bodySize = buffer.readInt32BE(position + layout.LENGTH_AT)
  if (bodySize < layout.MIN_BODY_SIZE) throw corrupt(`batch body of ${bodySize} bytes, the least is 14`)
  if (remaining < layout.HEADER_UP_TO_MAGIC) return 0
  const magic = buffer.readInt8(position + layout.MAGIC_AT)
  if (magic < 0 || magic > 2) throw corrupt(`unknown magic ${magic}`)
  const size = layout.LOG_OVERHEAD + bodySize
  if (magic === 2 && size < layout.RECORDS_AT) throw corrupt(`batch of ${size} bytes, its header alone takes 61`)
  return size <= remaining ? size : 0
}

/** The format (0, 1 or 2) of the batch or message at `position`, for which `batchSizeAt` was not 0. */
export function magicAt(buffer: Buffer, position: number): number {
  return buffer.readInt8(position + layout.MAGIC_AT)
}

/**
 * A window on one record batch of magic 2 inside a buffer. It holds no copy: getters read and setters write the
 * buffer. Move it along with `moveTo` rather than making one per batch. `batchSizeAt` must have vouched for the batch.
 */
export class BatchView {
  buffer: Buffer
  position: number

  constructor(buffer: Buffer, position = 0) {
    this.buffer = buffer
    this.position = position
  }

  moveTo(buffer: Buffer, position: number): this {
    this.buffer = buffer
    this.position = position
    return this
  }

  get baseOffset(): number {
    return readInt64(this.buffer, this.position + layout.BASE_OFFSET_AT)
  }

  /** The value of the length field: the bytes that follow it. */
  get batchLength(): number {
    return this.buffer.readInt32BE(this.position + layout.LENGTH_AT)
  }

  /** All bytes of the batch, those before and in the length field included. */
  get sizeBytes(): number {
    return layout.LOG_OVERHEAD + this.batchLength
  }

  /** The position after the last byte of the batch. */
  get end(): number {
    return this.position + this.sizeBytes
  }

  get partitionLeaderEpoch(): number {
    return this.buffer.readInt32BE(this.position + layout.LEADER_EPOCH_AT)
  }

  get magic(): number {
    return this.buffer.readInt8(this.position + layout.MAGIC_AT)
  }

  get crc(): number {
    return this.buffer.readUInt32BE(this.position + layout.CRC_AT)
  }

  get attributes(): number {
    return this.buffer.readInt16BE(this.position + layout.ATTRIBUTES_AT)
  }

  /** The codec number, 0 to 7: 5 to 7 mean nothing yet, and `ensureValid` does not refuse them. */
  get codecId(): number {
    return this.attributes & layout.CODEC_MASK
  }

  /** The codec. Throws RecordsError `invalid` for a number without a meaning, as Apache Kafka does. */
  get codec(): Codec {
    return codecFromId(this.codecId)
  }

  get timestampType(): TimestampType {
    return (this.attributes & layout.LOG_APPEND_TIME_FLAG) === 0
      ? TimestampType.createTime
      : TimestampType.logAppendTime
  }

  get isTransactional(): boolean {
    return (this.attributes & layout.TRANSACTIONAL_FLAG) !== 0
  }

  get isControl(): boolean {
    return (this.attributes & layout.CONTROL_FLAG) !== 0
  }

  get hasDeleteHorizon(): boolean {
    return (this.attributes & layout.DELETE_HORIZON_FLAG) !== 0
  }

  /** When tombstones and markers of this batch may go (KIP-534), in ms, or -1 for not set. */
  get deleteHorizonMs(): number {
    return this.hasDeleteHorizon ? this.baseTimestamp : layout.NO_TIMESTAMP
  }

  get lastOffsetDelta(): number {
    return this.buffer.readInt32BE(this.position + layout.LAST_OFFSET_DELTA_AT)
  }

  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }

  get nextOffset(): number {
    return this.lastOffset + 1
  }

  /** What the timestamp deltas of the records count from, in ms. */
  get baseTimestamp(): number {
    return readInt64(this.buffer, this.position + layout.BASE_TIMESTAMP_AT)
  }

  get maxTimestamp(): number {
    return readInt64(this.buffer, this.position + layout.MAX_TIMESTAMP_AT)
  }

  get producerId(): number {
    return readInt64(this.buffer, this.position + layout.PRODUCER_ID_AT)
  }

  get hasProducerId(): boolean {
    return this.producerId > layout.NO_PRODUCER_ID
  }

  get producerEpoch(): number {
    return this.buffer.readInt16BE(this.position + layout.PRODUCER_EPOCH_AT)
  }

  get baseSequence(): number {
    return this.buffer.readInt32BE(this.position + layout.BASE_SEQUENCE_AT)
  }

  /** The sequence of the last record, which wraps from 2^31 - 1 to 0; -1 for a batch without sequences. */
  get lastSequence(): number {
    const base = this.baseSequence
    return base === layout.NO_SEQUENCE ? base : incrementSequence(base, this.lastOffsetDelta)
  }

  get recordCount(): number {
    return this.buffer.readInt32BE(this.position + layout.RECORD_COUNT_AT)
  }

  /** The position of the records, which may be compressed. */
  get recordsStart(): number {
    return this.position + layout.RECORDS_AT
  }

  /** Moves the batch in the log. The base offset lies outside the CRC. */
  setBaseOffset(offset: number): void {
    writeInt64(this.buffer, this.position + layout.BASE_OFFSET_AT, offset)
  }

  setLastOffset(offset: number): void {
    this.setBaseOffset(offset - this.lastOffsetDelta)
  }

  /** The leader epoch lies outside the CRC, too. */
  setPartitionLeaderEpoch(epoch: number): void {
    this.buffer.writeInt32BE(epoch, this.position + layout.LEADER_EPOCH_AT)
  }

  /**
   * Sets the kind and the value of the batch's timestamp, and the CRC to match. With `logAppendTime` every record of
   * the batch takes this timestamp. Does nothing where both are so already.
   */
  setMaxTimestamp(type: TimestampType, timestampMs: number): void {
    if (type === this.timestampType && timestampMs === this.maxTimestamp) return
    const known = this.attributes & 0x7f & ~layout.LOG_APPEND_TIME_FLAG
    const attributes = type === TimestampType.logAppendTime ? known | layout.LOG_APPEND_TIME_FLAG : known
    this.buffer.writeInt16BE(attributes, this.position + layout.ATTRIBUTES_AT)
    writeInt64(this.buffer, this.position + layout.MAX_TIMESTAMP_AT, timestampMs)
    this.updateCrc()
  }

  computeCrc(): number {
    return crc32c(this.buffer, this.position + layout.ATTRIBUTES_AT, this.end)
  }

  updateCrc(): void {
    this.buffer.writeUInt32BE(this.computeCrc(), this.position + layout.CRC_AT)
  }

  isCrcValid(): boolean {
    return this.crc === this.computeCrc()
  }

  /** Throws RecordsError `corrupt` where the bytes are not those that the CRC was computed of. */
  ensureValid(): void {
    const computed = this.computeCrc()
    if (this.crc !== computed) throw corrupt(`batch CRC ${this.crc}, computed ${computed}`)
  }
}

/** The codec of an attributes field's low bits. Throws RecordsError `invalid` for a number without a meaning. */
export function codecFromId(id: number): Codec {
  if (id < Codec.none || id > Codec.zstd) throw invalid(`unknown compression codec ${id}`)
  return id as Codec
}

/** `sequence + increment`, going on at 0 after 2^31 - 1. Both at least 0. */
export function incrementSequence(sequence: number, increment: number): number {
  const sum = sequence + increment
  return sum > 0x7fff_ffff ? sum - 0x8000_0000 : sum
}

/**
 * Steps through the whole batches of magic 2 in `buffer[start, end)`, one view moved along, and stops at a batch cut
 * off by `end`. Throws RecordsError: `corrupt` for a size or magic that cannot be, `unsupportedFormat` for magic 0 or 1.
 */
export function* batchesIn(buffer: Buffer, start = 0, end = buffer.length): Generator<BatchView, void, undefined> {
  const view = new BatchView(buffer, start)
  let position = start
  for (;;) {
    const size = batchSizeAt(buffer, position, end)
    if (size === 0) return
    const magic = magicAt(buffer, position)
    if (magic !== 2) throw new RecordsError('unsupportedFormat', `magic ${magic} where only 2 is expected`)
    yield view.moveTo(buffer, position)
    position += size
  }
}

/**
 * The header rules for batches that clients send: a count of at least one that agrees with the offset range, no control
 * batch, a sequence wherever there is a producer id. Throws RecordsError `invalid`.
 */
export function validateClientBatch(batch: BatchView): void {
  const countFromOffsets = batch.lastOffsetDelta + 1
  if (countFromOffsets <= 0) throw invalid(`last offset delta ${batch.lastOffsetDelta}`)
  const count = batch.recordCount
  if (count <= 0) throw invalid(`record count ${count}`)
  if (count !== countFromOffsets) throw invalid(`${countFromOffsets} offsets for ${count} records`)
  if (batch.isControl) throw invalid('control batch from a client')
  if (batch.hasProducerId && batch.baseSequence < 0) {
    throw invalid(`sequence ${batch.baseSequence} with producer id ${batch.producerId}`)
  }
}
