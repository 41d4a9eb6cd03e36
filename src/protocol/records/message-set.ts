import { batchSizeAt, codecFromId, magicAt } from './batch.ts'
import type { RecordInput } from './builder.ts'
import { type Compression, sharedCompression } from './compression.ts'
import { crc32 } from './crc.ts'
import { corrupt, invalid } from './errors.ts'
import { readInt64, writeInt64 } from './int64.ts'
import * as layout from './layout.ts'
import { Codec, TimestampType } from './layout.ts'

// The formats before record batches: magic 0 (up to 0.9) and magic 1 (0.10, with timestamps; KIP-31, KIP-32). A message
// set is messages one after the other. A compressed message holds a whole message set in its value.

const CRC_AT = 12
/** The CRC-32 covers everything from here to the end of the message. */
const MAGIC_AT = 16
const ATTRIBUTES_AT = 17
/** Magic 1 only; in magic 0 the key follows the attributes. */
const TIMESTAMP_AT = 18
const KEY_AT = [18, 26] as const

/** The magics of message sets. */
export type LegacyMagic = 0 | 1

/** A window on one message of magic 0 or 1, for which `batchSizeAt` has vouched. Holds no copy. */
export class MessageView {
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

  /** Its own offset; for a compressed message that of the last one inside. */
  get offset(): number {
    return readInt64(this.buffer, this.position)
  }

  get sizeBytes(): number {
    return layout.LOG_OVERHEAD + this.buffer.readInt32BE(this.position + layout.LENGTH_AT)
  }

  get end(): number {
    return this.position + this.sizeBytes
  }

  get crc(): number {
    return this.buffer.readUInt32BE(this.position + CRC_AT)
  }

  get magic(): LegacyMagic {
    return this.buffer.readInt8(this.position + MAGIC_AT) as LegacyMagic
  }

  get attributes(): number {
    return this.buffer.readInt8(this.position + ATTRIBUTES_AT)
  }

  get codecId(): number {
    return this.attributes & layout.CODEC_MASK
  }

  /** Throws RecordsError `invalid` for a number without a meaning. */
  get codec(): Codec {
    return codecFromId(this.codecId)
  }

  /** Magic 0 has no timestamps; it reads as create time. */
  get timestampType(): TimestampType {
    const isAppendTime = this.magic === 1 && (this.attributes & layout.LOG_APPEND_TIME_FLAG) !== 0
    return isAppendTime ? TimestampType.logAppendTime : TimestampType.createTime
  }

  /** In ms, -1 for none. For a compressed message the largest of those inside. */
  get timestamp(): number {
    return this.magic === 0 ? layout.NO_TIMESTAMP : readInt64(this.buffer, this.position + TIMESTAMP_AT)
  }

  /** The key, as a window on `buffer`. Throws RecordsError `corrupt` where it does not fit its message. */
  get key(): Buffer | null {
    const at = this.position + KEY_AT[this.magic]
    return this.field(at, this.lengthAt(at))
  }

  /** The value, likewise; it must take the rest of the message. */
  get value(): Buffer | null {
    const keyAt = this.position + KEY_AT[this.magic]
    const at = keyAt + 4 + Math.max(this.lengthAt(keyAt), 0)
    const length = this.lengthAt(at)
    if (at + 4 + Math.max(length, 0) !== this.end) throw corrupt('message size disagrees with its fields')
    return this.field(at, length)
  }

  private lengthAt(at: number): number {
    if (at + 4 > this.end) throw corrupt('message shorter than its fields')
    const length = this.buffer.readInt32BE(at)
    if (length > this.end - at - 4) throw corrupt('message shorter than its fields')
    return length
  }

  private field(at: number, length: number): Buffer | null {
    return length < 0 ? null : this.buffer.subarray(at + 4, at + 4 + length)
  }

  /** The offset lies outside the CRC. */
  setOffset(offset: number): void {
    writeInt64(this.buffer, this.position, offset)
  }

  /** Sets kind and value of the timestamp, and the CRC to match. Magic 1 only. */
  setTimestamp(type: TimestampType, timestampMs: number): void {
    if (this.magic === 0) throw new TypeError('messages of magic 0 have no timestamp')
    if (type === this.timestampType && timestampMs === this.timestamp) return
    const flag = type === TimestampType.logAppendTime ? layout.LOG_APPEND_TIME_FLAG : 0
    this.buffer.writeInt8(this.codecId | flag, this.position + ATTRIBUTES_AT)
    writeInt64(this.buffer, this.position + TIMESTAMP_AT, timestampMs)
    this.buffer.writeUInt32BE(this.computeCrc(), this.position + CRC_AT)
  }

  computeCrc(): number {
    return crc32(this.buffer, this.position + MAGIC_AT, this.end)
  }

  isCrcValid(): boolean {
    return this.crc === this.computeCrc()
  }

  /** Throws RecordsError `corrupt` where the bytes are not those that the CRC was computed of. */
  ensureValid(): void {
    const computed = this.computeCrc()
    if (this.crc !== computed) throw corrupt(`message CRC ${this.crc}, computed ${computed}`)
  }
}

/** A message taken out of its set and, where that was compressed, out of its wrapper. */
export interface LegacyRecord {
  readonly offset: number
  /** In ms, -1 for none; that of the wrapper where the log set it on append. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/**
 * Steps through the whole messages of magic 0 and 1 in `buffer[start, end)`, compressed ones as one, with a view moved
 * along; stops at one cut off by `end`. Throws RecordsError: `corrupt` for a size or magic that cannot be, `invalid`
 * for a batch of magic 2.
 */
export function* messagesIn(buffer: Buffer, start = 0, end = buffer.length): Generator<MessageView, void, undefined> {
  const view = new MessageView(buffer, start)
  let position = start
  for (;;) {
    const size = batchSizeAt(buffer, position, end)
    if (size === 0) return
    if (magicAt(buffer, position) > 1) throw invalid('record batch inside a message set')
    // Magic 1 is longer than the least that any format takes.
    if (size < KEY_AT[view.moveTo(buffer, position).magic] + 8) throw corrupt(`message of ${size} bytes`)
    yield view
    position += size
  }
}

/**
 * The records of one message: itself, or for a compressed one those inside, their CRCs checked and their offsets made
 * absolute. `maxBytes` bounds the decompressed size. Throws RecordsError: `corrupt`, `tooLarge`, or `invalid` for
 * what no client writes: nothing inside, another magic inside, compressed inside compressed, zstd.
 */
export function recordsOfMessage(
  message: MessageView,
  maxBytes: number,
  compression: Compression = sharedCompression,
): LegacyRecord[] {
  const { magic, codec } = message
  if (codec === Codec.none) {
    return [{ offset: message.offset, timestamp: message.timestamp, key: message.key, value: message.value }]
  }
  if (codec === Codec.zstd) throw invalid('zstd in a message set')
  const packed = message.value
  if (packed === null) throw invalid('compressed message without a value')
  const inner = compression.decompress(codec, packed, maxBytes, { brokenHeaderChecksum: magic === 0 })
  const appendTime = message.timestampType === TimestampType.logAppendTime ? message.timestamp : undefined
  const records: LegacyRecord[] = []
  for (const { offset, timestamp, key, value } of innerMessages(inner, magic)) {
    records.push({ offset, timestamp: appendTime ?? timestamp, key, value })
  }
  const last = records.at(-1)
  if (last === undefined) throw invalid('compressed message with nothing inside')
  return magic === 0 ? records : withAbsoluteOffsets(records, message.offset, last.offset)
}

function* innerMessages(inner: Buffer, magic: LegacyMagic): Generator<MessageView, void, undefined> {
  for (const message of messagesIn(inner)) {
    if (message.magic !== magic) throw invalid(`message of magic ${message.magic} inside one of magic ${magic}`)
    if (message.codecId !== Codec.none) throw invalid('compressed message inside a compressed message')
    message.ensureValid()
    yield message
  }
}

/** Magic 1 counts offsets inside from 0; the wrapper has the last one's. Some librdkafka producers leave it 0. */
function withAbsoluteOffsets(records: LegacyRecord[], wrapperOffset: number, lastInner: number): LegacyRecord[] {
  if (wrapperOffset !== 0 && wrapperOffset < lastInner) {
    throw invalid(`compressed message at offset ${wrapperOffset}, the last inside is ${lastInner}`)
  }
  const base = wrapperOffset === 0 ? 0 : wrapperOffset - lastInner
  return records.map((record) => ({ ...record, offset: base + record.offset }))
}

/** All records of a message set. Throws as `messagesIn` and `recordsOfMessage`. */
export function decodeMessageSet(set: Buffer, maxBytes: number): LegacyRecord[] {
  const records: LegacyRecord[] = []
  let left = maxBytes
  for (const message of messagesIn(set)) {
    for (const record of recordsOfMessage(message, left)) {
      records.push(record)
      if (message.codecId !== Codec.none) left -= (record.key?.length ?? 0) + (record.value?.length ?? 0)
    }
  }
  return records
}

export interface MessageSetOptions {
  readonly magic: LegacyMagic
  /** [none]; zstd came after message sets. */
  readonly codec?: Codec
  /** [the codec's default] */
  readonly level?: number
  /** When given, the timestamp type is log append time and this is every message's timestamp, in ms. Magic 1 only. */
  readonly logAppendTimeMs?: number
  /** [that of the first record, or 0] */
  readonly baseOffset?: number
}

/** A message set of the records: one compressed message where there is a codec. Headers are left out. */
export function buildMessageSet(
  records: readonly RecordInput[],
  options: MessageSetOptions,
  compression: Compression = sharedCompression,
): Buffer {
  const { magic, codec = Codec.none } = options
  if (codec === Codec.zstd) throw new RangeError('zstd in a message set')
  if (records.length === 0) return Buffer.alloc(0)
  const base = options.baseOffset ?? records[0]!.offset ?? 0
  const flags = magic === 1 && options.logAppendTimeMs !== undefined ? layout.LOG_APPEND_TIME_FLAG : 0
  const isRelative = magic === 1 && codec !== Codec.none
  let offset = base - 1
  let maxTimestamp: number = layout.NO_TIMESTAMP
  const messages = records.map((record) => {
    offset = record.offset ?? offset + 1
    const timestamp = options.logAppendTimeMs ?? record.timestamp
    maxTimestamp = Math.max(maxTimestamp, timestamp)
    return encodeMessage(magic, isRelative ? offset - base : offset, flags, timestamp, record.key, record.value)
  })
  const set = Buffer.concat(messages)
  if (codec === Codec.none) return set
  const packed = compression.compress(codec, set, options.level, { brokenHeaderChecksum: magic === 0 })
  return encodeMessage(magic, offset, flags | codec, maxTimestamp, null, packed)
}

function encodeMessage(
  magic: LegacyMagic,
  offset: number,
  attributes: number,
  timestamp: number,
  key: Uint8Array | null,
  value: Uint8Array | null,
): Buffer {
  const message = Buffer.allocUnsafe(KEY_AT[magic] + 8 + (key?.length ?? 0) + (value?.length ?? 0))
  writeInt64(message, 0, offset)
  message.writeInt32BE(message.length - layout.LOG_OVERHEAD, layout.LENGTH_AT)
  message.writeInt8(magic, MAGIC_AT)
  message.writeInt8(attributes, ATTRIBUTES_AT)
  if (magic === 1) writeInt64(message, TIMESTAMP_AT, timestamp)
  writeField(message, writeField(message, KEY_AT[magic], key), value)
  message.writeUInt32BE(crc32(message, MAGIC_AT, message.length), CRC_AT)
  return message
}

function writeField(message: Buffer, at: number, bytes: Uint8Array | null): number {
  message.writeInt32BE(bytes === null ? -1 : bytes.length, at)
  if (bytes !== null) message.set(bytes, at + 4)
  return at + 4 + (bytes?.length ?? 0)
}
