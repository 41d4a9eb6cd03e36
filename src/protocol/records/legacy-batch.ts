import { BatchView, batchSizeAt, magicAt } from './batch.ts'
import { buildBatch } from './builder.ts'
import {
  LOG_OVERHEAD,
  NO_LEADER_EPOCH,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  TimestampType,
} from './layout.ts'
import { MessageView, recordsOfMessage } from './message-set.ts'

/** What tells format, offset and time of a message or a batch, at least. */
export const LEAST_HEADER_BYTES = LOG_OVERHEAD + 14
/** What a message of magic 1 has before its key. */
const MAGIC_1_HEADER_BYTES = LEAST_HEADER_BYTES + 8

/**
 * A message of magic 0 or 1, compressed or not, where batches are expected: a log may begin with segments that releases
 * before 0.11 wrote. What such messages do not have reads as absent. Writing is not for them.
 */
export class LegacyBatchView extends BatchView {
  readonly #message = new MessageView(Buffer.alloc(0))

  override moveTo(buffer: Buffer, position: number): this {
    super.moveTo(buffer, position)
    this.#message.moveTo(buffer, position)
    return this
  }

  /** That of the last record: of a compressed message, only those inside tell the first. */
  override get baseOffset(): number {
    return this.#message.offset
  }

  override get partitionLeaderEpoch(): number {
    return NO_LEADER_EPOCH
  }

  override get crc(): number {
    return this.#message.crc
  }

  override get attributes(): number {
    return this.#message.attributes
  }

  override get timestampType(): TimestampType {
    return this.#message.timestampType
  }

  override get isTransactional(): boolean {
    return false
  }

  override get isControl(): boolean {
    return false
  }

  override get hasDeleteHorizon(): boolean {
    return false
  }

  override get lastOffsetDelta(): number {
    return 0
  }

  override get baseTimestamp(): number {
    return this.#message.timestamp
  }

  override get maxTimestamp(): number {
    return this.#message.timestamp
  }

  override get producerId(): number {
    return NO_PRODUCER_ID
  }

  override get producerEpoch(): number {
    return NO_PRODUCER_EPOCH
  }

  override get baseSequence(): number {
    return NO_SEQUENCE
  }

  override computeCrc(): number {
    return this.#message.computeCrc()
  }
}

/** Visits batches of every format with the view that fits each. */
export class AnyBatchView {
  readonly #batch = new BatchView(Buffer.alloc(0))
  readonly #message = new LegacyBatchView(Buffer.alloc(0))

  /** A view that the next call moves along. `batchSizeAt` must have vouched for the batch. */
  at(buffer: Buffer, position: number): BatchView {
    return (magicAt(buffer, position) === 2 ? this.#batch : this.#message).moveTo(buffer, position)
  }
}

/** Whether a batch of this magic may have this size. */
export function isPossibleSize(magic: number, sizeBytes: number): boolean {
  return magic !== 1 || sizeBytes >= MAGIC_1_HEADER_BYTES
}

/**
 * The batch itself, or one of magic 2 with the records of a message of magic 0 or 1, their offsets kept. `maxBytes` bounds
 * the decompressed size. Throws RecordsError.
 */
export function modernBatch(batch: BatchView, maxBytes: number): BatchView {
  if (batch.magic === 2) return batch
  const records = recordsOfMessage(new MessageView(batch.buffer, batch.position), maxBytes)
  const isStamped = batch.timestampType === TimestampType.logAppendTime
  return new BatchView(
    buildBatch(
      records.map((record) => ({ ...record, timestamp: Math.max(record.timestamp, -1) })),
      {
        baseOffset: records[0]!.offset,
        codec: batch.codec,
        ...(isStamped ? { logAppendTimeMs: batch.maxTimestamp } : {}),
      },
    ),
  )
}

/** The offset of the first record, for which a compressed message is looked into. Throws RecordsError. */
export function firstOffsetOf(batch: BatchView, maxBytes: number): number {
  if (batch.magic === 2) return batch.baseOffset
  return recordsOfMessage(new MessageView(batch.buffer, batch.position), maxBytes)[0]!.offset
}

/**
 * Steps through the whole batches and messages in `buffer`, with views moved along, and stops at one that is cut off.
 * Throws RecordsError `corrupt`.
 */
export function* batchesOfAnyFormatIn(buffer: Buffer): Generator<BatchView, void, undefined> {
  const views = new AnyBatchView()
  for (let position = 0; ; ) {
    const size = batchSizeAt(buffer, position, buffer.length)
    if (size === 0) return
    yield views.at(buffer, position)
    position += size
  }
}
