import { BatchView, batchSizeAt, magicAt } from '../protocol/records/batch.ts'
import { Codec, NO_TIMESTAMP } from '../protocol/records/layout.ts'
import { AnyBatchView, isPossibleSize } from '../protocol/records/legacy-batch.ts'
import { AppendError } from './append-error.ts'
import { batchFromMessageSet } from './legacy.ts'
import type { AppendInfo, AppendOptions, LogConfig } from './types.ts'
import { asAppendError, validateAndAssign } from './validator.ts'

export interface PrepareContext {
  /** "topic-partition" */
  readonly name: string
  readonly config: LogConfig
  /** The offset that the next record takes. */
  readonly nextOffset: number
  readonly logStartOffset: number
  readonly nowMs: number
}

/** An append whose bytes are final. */
export interface PreparedAppend {
  /** Whole batches only; none is empty. */
  readonly buffers: readonly Buffer[]
  readonly sizeBytes: number
  /** 0: there was nothing to append. */
  readonly batchCount: number
  readonly info: AppendInfo
}

const view = new BatchView(Buffer.alloc(0))
const batches = new AnyBatchView()

/** Checks what is to be appended and gives it its offsets, the state of the log aside. Throws AppendError. */
export function prepareAppend(
  records: readonly Buffer[],
  options: AppendOptions,
  context: PrepareContext,
): PreparedAppend {
  try {
    const bringsOffsets = options.origin === 'raft' || options.origin === 'replication'
    const prepared = bringsOffsets ? takeAsGiven(records, options, context) : assignOffsets(records, options, context)
    // A leader's segments may have been larger when it took the batch.
    const mayBeLarge = options.origin === 'replication' && prepared.batchCount === 1
    if (prepared.sizeBytes > context.config.segmentBytes && !mayBeLarge) {
      throw new AppendError(
        'RECORD_LIST_TOO_LARGE',
        `Message batch size is ${prepared.sizeBytes} bytes in append to partition ${context.name}, which exceeds the maximum configured segment size of ${context.config.segmentBytes}.`,
      )
    }
    return prepared
  } catch (error) {
    throw asAppendError(error)
  }
}

function assignOffsets(records: readonly Buffer[], options: AppendOptions, context: PrepareContext): PreparedAppend {
  const { name, config, nextOffset } = context
  let only: Buffer | undefined
  let batchCount = 0
  const first = records[0]
  const isLegacy = first !== undefined && batchSizeAt(first, 0, first.length) > 0 && magicAt(first, 0) < 2
  for (const buffer of isLegacy ? [batchFromMessageSet(first, context)] : records) {
    let position = 0
    for (;;) {
      const size = batchSizeAt(buffer, position, buffer.length)
      if (size === 0) break
      view.moveTo(buffer, position)
      checkBatch(view, size, options, context)
      only ??= position === 0 && size === buffer.length ? buffer : buffer.subarray(position, position + size)
      batchCount += 1
      position += size
    }
  }
  if (!only) return NOTHING(context.logStartOffset)
  if (batchCount > 1) throw new AppendError('INVALID_RECORD', 'Compressed outer record has more than one batch')
  const { leaderEpoch, origin } = options
  const target = { name, config, leaderEpoch, origin, offset: nextOffset, nowMs: context.nowMs }
  const valid = validateAndAssign(only, target)
  const sizeBytes = valid.bytes.length
  if ((isLegacy || valid.bytes !== only) && sizeBytes > config.maxMessageBytes) {
    throw new AppendError(
      'MESSAGE_TOO_LARGE',
      `Message batch size is ${sizeBytes} bytes in append topartition ${name} which exceeds the maximum configured size of ${config.maxMessageBytes}.`,
    )
  }
  return {
    buffers: [valid.bytes],
    sizeBytes,
    batchCount: 1,
    info: {
      firstOffset: nextOffset,
      lastOffset: nextOffset + valid.recordCount - 1,
      logAppendTimeMs: valid.logAppendTimeMs,
      logStartOffset: context.logStartOffset,
      duplicate: false,
      maxTimestamp: view.moveTo(valid.bytes, 0).maxTimestamp,
      sizeBytes,
    },
  }
}

/** What holds for every batch, whoever sends it. */
function checkBatch(batch: BatchView, size: number, options: AppendOptions, context: PrepareContext): void {
  const { name, config } = context
  const { origin } = options
  // A leader may have segments that old releases wrote.
  if (batch.magic !== 2 && !(origin === 'replication' && isPossibleSize(batch.magic, size))) {
    throw new AppendError('UNSUPPORTED_FOR_MESSAGE_FORMAT', `A batch of magic ${batch.magic} among others`)
  }
  if (origin === 'raft' && batch.partitionLeaderEpoch !== options.leaderEpoch) {
    throw new AppendError(
      'INVALID_RECORD',
      `Append from Raft leader did not set the batch epoch correctly, expected ${options.leaderEpoch} but the batch has ${batch.partitionLeaderEpoch}`,
    )
  }
  if (origin === 'client' && batch.baseOffset !== 0) {
    throw new AppendError(
      'INVALID_RECORD',
      `The baseOffset of the record batch in the append to ${name} should be 0, but it is ${batch.baseOffset}`,
    )
  }
  if (origin !== 'replication' && size > config.maxMessageBytes) {
    throw new AppendError(
      'MESSAGE_TOO_LARGE',
      `The record batch size in the append to ${name} is ${size} bytes which exceeds the maximum configured value of ${config.maxMessageBytes}).`,
    )
  }
  if (!batch.isCrcValid()) {
    throw new AppendError(
      'CORRUPT_MESSAGE',
      `Record is corrupt (stored crc = ${batch.crc}) in topic partition ${name}.`,
    )
  }
  if (batch.codecId > Codec.zstd) {
    throw new AppendError('UNKNOWN_SERVER_ERROR', `Unknown compression type id: ${batch.codecId}`)
  }
}

/** Batches with offsets of their own: they must follow on what is there and on each other. */
function takeAsGiven(records: readonly Buffer[], options: AppendOptions, context: PrepareContext): PreparedAppend {
  const buffers: Buffer[] = []
  const seen = {
    count: 0,
    first: -1,
    last: context.nextOffset - 1,
    maxTimestamp: NO_TIMESTAMP as number,
    isOver: false,
  }
  let sizeBytes = 0
  for (const buffer of records) {
    let position = 0
    while (!seen.isOver) {
      const size = batchSizeAt(buffer, position, buffer.length)
      if (size === 0) break
      const batch = batches.at(buffer, position)
      // Batches of a later epoch reached this replica after it had stopped to follow that leader (KAFKA-18723).
      seen.isOver = options.origin === 'replication' && batch.partitionLeaderEpoch > options.leaderEpoch
      if (seen.isOver) break
      checkBatch(batch, size, options, context)
      checkFollowsOn(batch, seen, context)
      position += size
    }
    if (position === 0) continue
    buffers.push(position === buffer.length ? buffer : buffer.subarray(0, position))
    sizeBytes += position
  }
  if (seen.count === 0) return NOTHING(context.logStartOffset)
  const info = {
    firstOffset: seen.first,
    lastOffset: seen.last,
    logAppendTimeMs: NO_TIMESTAMP,
    logStartOffset: context.logStartOffset,
    duplicate: false,
    maxTimestamp: seen.maxTimestamp,
    sizeBytes,
  }
  return { buffers, sizeBytes, batchCount: seen.count, info }
}

function checkFollowsOn(
  batch: BatchView,
  seen: { count: number; first: number; last: number; maxTimestamp: number },
  context: PrepareContext,
): void {
  const { baseOffset, lastOffset } = batch
  if (baseOffset <= seen.last || lastOffset < baseOffset) {
    throw new AppendError(
      'UNKNOWN_SERVER_ERROR',
      `Unexpected offset in append to ${context.name}. First offset ${baseOffset} is less than the next offset ${seen.last + 1}. Log start offset = ${context.logStartOffset}`,
    )
  }
  // Of old messages that are compressed together, only the last offset is told.
  if (seen.count === 0) seen.first = batch.magic < 2 ? context.nextOffset : baseOffset
  seen.count += 1
  seen.last = lastOffset
  if (batch.maxTimestamp > seen.maxTimestamp) seen.maxTimestamp = batch.maxTimestamp
}

function NOTHING(logStartOffset: number): PreparedAppend {
  const info = {
    firstOffset: -1,
    lastOffset: -1,
    logAppendTimeMs: NO_TIMESTAMP,
    logStartOffset,
    duplicate: false,
    maxTimestamp: NO_TIMESTAMP,
    sizeBytes: 0,
  }
  return { buffers: [], sizeBytes: 0, batchCount: 0, info }
}
