import { BatchView, batchSizeAt, magicAt } from './batch.ts'
import { type BatchOptions, buildBatch, type RecordInput } from './builder.ts'
import { decodeRecords } from './cursor.ts'
import { RecordsError } from './errors.ts'
import { Codec, TimestampType } from './layout.ts'
import { buildMessageSet, decodeMessageSet, type LegacyMagic, MessageView, recordsOfMessage } from './message-set.ts'

/**
 * Makes one batch of magic 2 of a whole message set, with offsets counted from `options.baseOffset`, whatever they were.
 * Magic 0 gives records without timestamps. `maxBytes` bounds the decompressed size. Throws RecordsError as
 * `decodeMessageSet`.
 */
export function upConvert(messageSet: Buffer, options: BatchOptions, maxBytes: number): Buffer {
  const records = decodeMessageSet(messageSet, maxBytes)
  return buildBatch(
    records.map(({ timestamp, key, value }) => ({ timestamp: Math.max(timestamp, -1), key, value })),
    options,
  )
}

export interface DownConvertOptions {
  readonly toMagic: LegacyMagic
  /** Records before it are left out where they are not compressed, as a fetch from this offset wants them [none]. */
  readonly firstOffset?: number
  /** The most that any one batch may decompress to. */
  readonly maxBytes: number
}

/**
 * Rewrites batches for clients that only know message sets: control batches are left out, headers are dropped, and on
 * the way to magic 0 timestamps, too; what is old enough already stays as it is. Batches keep their codec and records
 * their offsets. A batch cut off at the end of `buffer` is left out. Throws RecordsError: `unsupportedCodec` for zstd
 * (KIP-110), which message sets do not have, else as the readers do.
 */
export function downConvert(buffer: Buffer, options: DownConvertOptions): Buffer {
  const converted: Buffer[] = []
  let position = 0
  for (;;) {
    const size = batchSizeAt(buffer, position, buffer.length)
    if (size === 0) return Buffer.concat(converted)
    const magic = magicAt(buffer, position)
    if (magic <= options.toMagic) converted.push(buffer.subarray(position, position + size))
    else if (magic === 2) converted.push(batchToMessages(new BatchView(buffer, position), options))
    else converted.push(messageToMagic0(new MessageView(buffer, position), options))
    position += size
  }
}

function batchToMessages(batch: BatchView, options: DownConvertOptions): Buffer {
  if (batch.isControl) return Buffer.alloc(0)
  const { codec } = batch
  if (codec === Codec.zstd) throw new RecordsError('unsupportedCodec', 'zstd for a client without record batches')
  const records = fromOffset(decodeRecords(batch, options.maxBytes), codec, options.firstOffset)
  if (batch.timestampType === TimestampType.createTime)
    return buildMessageSet(records, { magic: options.toMagic, codec })
  return buildMessageSet(records, { magic: options.toMagic, codec, logAppendTimeMs: batch.maxTimestamp })
}

function messageToMagic0(message: MessageView, options: DownConvertOptions): Buffer {
  const { codec } = message
  const records = fromOffset(recordsOfMessage(message, options.maxBytes), codec, options.firstOffset)
  return buildMessageSet(records, { magic: 0, codec })
}

function fromOffset<T extends RecordInput & { readonly offset: number }>(
  records: T[],
  codec: Codec,
  firstOffset: number | undefined,
): T[] {
  if (codec !== Codec.none || firstOffset === undefined) return records
  return records.filter((record) => record.offset >= firstOffset)
}
