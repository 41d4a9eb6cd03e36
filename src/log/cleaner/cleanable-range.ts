import { lastStableOffsetOf } from '../log-reads.ts'
import type { LogState } from '../log-state.ts'
import type { Segment } from '../segment.ts'

/** What of a log a compaction would take up. */
export interface CleanableRange {
  /** Up to here the log was compacted before. */
  readonly firstDirtyOffset: number
  /** The base of a segment that must stay as it is, as must all after it. */
  readonly firstUncleanableOffset: number
  readonly cleanableBytes: number
  /** Bytes that are dirty, of all that would be read. */
  readonly dirtyRatio: number
  /** Something dirty is older than max.compaction.lag.ms. */
  readonly isOverdue: boolean
}

/**
 * `cleanedTo`: where the last compaction ended, undefined for none. Nothing at or past the last stable offset, in the
 * active segment, or younger than min.compaction.lag.ms is cleanable.
 */
export function cleanableRange(state: LogState, cleanedTo: number | undefined): CleanableRange {
  const { logStartOffset, logEndOffset, segments } = state
  // A log that was cut off elsewhere, or lost its first segments, is dirty as a whole.
  const isKnown = cleanedTo !== undefined && cleanedTo >= logStartOffset && cleanedTo <= logEndOffset
  const firstDirtyOffset = isKnown ? cleanedTo : logStartOffset
  const bound = Math.max(firstDirtyOffset, firstUncleanable(state, firstDirtyOffset))
  const firstUncleanableOffset = Math.min(segments.floor(bound)?.baseOffset ?? bound, segments.active.baseOffset)
  let cleanBytes = 0
  let cleanableBytes = 0
  for (const segment of segments.all) {
    if (segment.baseOffset >= firstDirtyOffset) break
    cleanBytes += segment.sizeBytes
  }
  for (const segment of segments.from(Math.min(firstDirtyOffset, firstUncleanableOffset))) {
    if (segment.baseOffset >= firstUncleanableOffset) break
    cleanableBytes += segment.sizeBytes
  }
  const totalBytes = cleanBytes + cleanableBytes
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    cleanableBytes,
    dirtyRatio: totalBytes === 0 ? 0 : cleanableBytes / totalBytes,
    isOverdue: isOverdue(state, firstDirtyOffset),
  }
}

function firstUncleanable(state: LogState, firstDirtyOffset: number): number {
  const { minCompactionLagMs } = state.config
  const bound = Math.min(lastStableOffsetOf(state), state.segments.active.baseOffset)
  if (minCompactionLagMs <= 0) return bound
  const youngestMs = state.environment.time.nowMs() - minCompactionLagMs
  const young = dirtySegments(state, firstDirtyOffset).find((segment) => {
    const timestamp = segment.maxTimestamp >= 0 ? segment.maxTimestamp : segment.modifiedMs
    return timestamp > youngestMs
  })
  return Math.min(bound, young?.baseOffset ?? bound)
}

function isOverdue(state: LogState, firstDirtyOffset: number): boolean {
  const { maxCompactionLagMs } = state.config
  const oldestMs = state.environment.time.nowMs() - maxCompactionLagMs
  if (oldestMs <= 0) return false
  return dirtySegments(state, firstDirtyOffset).some((segment) => {
    const isKnown = segment.firstTimestamp !== undefined
    const timestamp = segment.readFirstTimestamp()
    if (!isKnown) state.reader.release(segment)
    return timestamp > 0 && timestamp < oldestMs
  })
}

function dirtySegments({ segments }: LogState, firstDirtyOffset: number): Segment[] {
  return segments.from(firstDirtyOffset).filter((segment) => segment !== segments.active)
}
