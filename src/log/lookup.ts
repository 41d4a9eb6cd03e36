import type { BatchView } from '../protocol/records/batch.ts'
import { RecordCursor } from '../protocol/records/cursor.ts'
import { modernBatch } from '../protocol/records/legacy-batch.ts'
import { BlockReader } from './block-reader.ts'
import type { LogState } from './log-state.ts'
import type { SegmentList } from './segment-list.ts'
import type { TimestampAndOffset } from './types.ts'
import { MAX_INFLATED_BYTES } from './validator.ts'

const cursor = new RecordCursor()

/** The first record at or past `logStartOffset` with a timestamp of at least `timestamp`. Throws DamageError. */
export function offsetForTimestamp(
  segments: SegmentList,
  timestamp: number,
  logStartOffset: number,
): TimestampAndOffset | undefined {
  for (const segment of segments.all) {
    if (segment.maxTimestamp < timestamp) {
      // As with Apache Kafka, the search ends at a segment without timestamps that was written to since then.
      if (segment.maxTimestamp < 0 && segment.sizeBytes > 0 && segment.modifiedMs >= timestamp) return undefined
      continue
    }
    const from = segment.index.lookup(Math.max(segment.timeIndex.lookup(timestamp), logStartOffset))
    const blocks = new BlockReader(segment.file, from, segment.sizeBytes, { wholeBatches: true })
    while (blocks.next()) {
      const { batch } = blocks
      if (batch.maxTimestamp < timestamp || batch.lastOffset < logStartOffset) continue
      const found = firstRecord(batch, (ms, offset) => ms >= timestamp && offset >= logStartOffset)
      if (found) return found
    }
  }
  return undefined
}

/** The first record that has the largest timestamp of all. Throws DamageError. */
export function maxTimestampOf(segments: SegmentList): TimestampAndOffset | undefined {
  let newest = segments.first
  for (const segment of segments.all) if (segment.maxTimestamp > newest.maxTimestamp) newest = segment
  const timestamp = newest.maxTimestamp
  if (timestamp < 0) return undefined
  const from = newest.index.lookup(newest.maxTimestampOffset)
  const blocks = new BlockReader(newest.file, from, newest.sizeBytes, { wholeBatches: true })
  while (blocks.next()) {
    if (blocks.batch.maxTimestamp === timestamp) return firstRecord(blocks.batch, (ms) => ms === timestamp)
  }
  return undefined
}

function firstRecord(
  batch: BatchView,
  isWanted: (timestamp: number, offset: number) => boolean,
): TimestampAndOffset | undefined {
  const leaderEpoch = Math.max(-1, batch.partitionLeaderEpoch)
  cursor.open(modernBatch(batch, MAX_INFLATED_BYTES), MAX_INFLATED_BYTES)
  while (cursor.next()) {
    if (isWanted(cursor.timestamp, cursor.offset)) {
      return { timestamp: cursor.timestamp, offset: cursor.offset, leaderEpoch }
    }
  }
  return undefined
}

/** See `PartitionLogApi.segmentOffsetsBefore`. */
export function segmentOffsetsBefore(
  { segments, logStartOffset, logEndOffset, environment }: LogState,
  timestamp: number,
  maxCount: number,
): number[] {
  const marks = segments.all.map(({ baseOffset, modifiedMs }) => ({
    offset: Math.max(baseOffset, logStartOffset),
    writtenMs: modifiedMs,
  }))
  if (segments.active.sizeBytes > 0) marks.push({ offset: logEndOffset, writtenMs: environment.time.nowMs() })
  let end = marks.length
  if (timestamp === -2) end = 1
  else if (timestamp !== -1) while (end > 0 && marks[end - 1]!.writtenMs > timestamp) end -= 1
  const wanted = marks.slice(Math.max(0, end - Math.max(0, maxCount)), end)
  return wanted.map(({ offset }) => offset).sort((a, b) => b - a)
}
