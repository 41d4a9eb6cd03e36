import { BatchView } from '../protocol/records/batch.ts'
import { RecordCursor, type RecordsSummary, summarize } from '../protocol/records/cursor.ts'
import { RecordsError, type RecordsFault } from '../protocol/records/errors.ts'
import { Codec, NO_TIMESTAMP, TimestampType } from '../protocol/records/layout.ts'
import { AppendError } from './append-error.ts'
import { rebuildBatch } from './rebuild.ts'
import { collectRecordErrors } from './record-errors.ts'
import type { AppendOrigin, LogConfig } from './types.ts'

/** What compressed records may grow to; a batch that wants more is refused. */
export const MAX_INFLATED_BYTES = 256 * 1024 * 1024

/** One batch that may go into the log, offsets, epoch and timestamps final. */
export interface ValidatedBatch {
  /** Exactly the batch. */
  readonly bytes: Buffer
  readonly recordCount: number
  /** The time of the append where message.timestamp.type asks for it, else -1. */
  readonly logAppendTimeMs: number
}

export interface ValidationTarget {
  /** "topic-partition", for messages. */
  readonly name: string
  readonly config: LogConfig
  readonly leaderEpoch: number
  readonly origin: AppendOrigin
  /** The offset of the first record. */
  readonly offset: number
  readonly nowMs: number
}

const view = new BatchView(Buffer.alloc(0))
const cursor = new RecordCursor()

/**
 * Checks a batch of magic 2 (its CRC is known to be right) that a client or a coordinator appends, and makes it final:
 * in place where it can stay as it is, else as a new batch. Throws AppendError.
 */
export function validateAndAssign(bytes: Buffer, target: ValidationTarget): ValidatedBatch {
  const { config } = target
  const batch = view.moveTo(bytes, 0)
  if (target.origin === 'client') checkHeader(batch, target.name)
  const sourceCodec = batch.codecId
  const targetCodec = config.compression === undefined ? sourceCodec : config.compression.codec
  const summary = walk(batch)
  checkRecords(batch, summary, target)
  const isLogAppendTime = config.timestampType === 'LogAppendTime'
  const logAppendTimeMs = isLogAppendTime ? target.nowMs : NO_TIMESTAMP
  if (mustRebuild(batch, summary, sourceCodec, targetCodec)) {
    const rebuilt = rebuildBatch(batch, cursor, targetCodec as Codec, target, logAppendTimeMs)
    return { bytes: rebuilt, recordCount: summary.recordCount, logAppendTimeMs }
  }
  batch.setLastOffset(target.offset + summary.recordCount - 1)
  batch.setPartitionLeaderEpoch(target.leaderEpoch)
  if (isLogAppendTime) batch.setMaxTimestamp(TimestampType.logAppendTime, logAppendTimeMs)
  else batch.setMaxTimestamp(TimestampType.createTime, summary.maxTimestamp)
  return { bytes, recordCount: summary.recordCount, logAppendTimeMs }
}

function mustRebuild(batch: BatchView, summary: RecordsSummary, source: number, target: number): boolean {
  if (source === Codec.none && (target === Codec.none || batch.isControl)) return false
  // Some old clients number the records of a compressed batch wrongly; the broker puts that right.
  return source !== target || !summary.isSequential
}

function checkHeader(batch: BatchView, name: string): void {
  const base = batch.baseOffset
  const last = batch.lastOffset
  const count = batch.recordCount
  if (last - base + 1 <= 0)
    throw invalid(`Batch has an invalid offset range: [${base}, ${last}] in topic partition ${name}`)
  if (count <= 0) throw invalid(`Invalid reported count for record batch: ${count} in topic partition ${name}`)
  if (last - base + 1 !== count) {
    throw invalid(
      `Inconsistent batch offset range [${base}, ${last}] and count of records ${count} in topic partition ${name}`,
    )
  }
  if (batch.isControl) throw invalid(`Clients are not allowed to write control records in topic partition ${name}`)
  if (batch.hasProducerId && batch.baseSequence < 0) {
    throw invalid(
      `Invalid sequence number ${batch.baseSequence} in record batch with producerId ${batch.producerId} in topic partition ${name}`,
    )
  }
}

function walk(batch: BatchView): RecordsSummary {
  try {
    return summarize(cursor.open(batch, MAX_INFLATED_BYTES))
  } catch (error) {
    // Only the codecs call data corrupt here; Apache Kafka has no error of its own for what does not decompress.
    const isUndecompressable = error instanceof RecordsError && error.fault === 'corrupt'
    throw isUndecompressable ? new AppendError('UNKNOWN_SERVER_ERROR', error.message) : asAppendError(error)
  }
}

/** The walk told whether anything is wrong at all; only then is it worth finding out with which records. */
function checkRecords(batch: BatchView, summary: RecordsSummary, target: ValidationTarget): void {
  const { config, nowMs } = target
  const lacksKeys = config.cleanupCompact && summary.nullKeys > 0
  const isCreateTime = config.timestampType === 'CreateTime'
  const isOutOfRange =
    isCreateTime &&
    (nowMs - summary.minTimestamp > config.timestampBeforeMaxMs ||
      (summary.maxTimestamp !== NO_TIMESTAMP && summary.maxTimestamp - nowMs > config.timestampAfterMaxMs))
  const claimsAppendTime =
    batch.timestampType === TimestampType.logAppendTime && (!isCreateTime || summary.lacksTimestamps)
  if (lacksKeys || isOutOfRange || claimsAppendTime)
    collectRecordErrors(cursor.open(batch, MAX_INFLATED_BYTES), batch, target)
}

function invalid(message: string): AppendError {
  return new AppendError('INVALID_RECORD', message)
}

const NAME_OF_FAULT = {
  corrupt: 'CORRUPT_MESSAGE',
  invalid: 'INVALID_RECORD',
  tooLarge: 'MESSAGE_TOO_LARGE',
  unsupportedFormat: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  unsupportedCodec: 'UNSUPPORTED_COMPRESSION_TYPE',
} as const satisfies Record<RecordsFault, string>

/** What reading record data throws, as the refusal of an append; anything else is passed on as it is. */
export function asAppendError(error: unknown): unknown {
  return error instanceof RecordsError ? new AppendError(NAME_OF_FAULT[error.fault], error.message) : error
}
