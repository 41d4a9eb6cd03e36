import type { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'
import type { LogConfig } from './types.ts'

export interface RetentionView {
  readonly segments: SegmentList
  readonly highWatermark: number
  readonly logEndOffset: number
}

/**
 * How many segments, from the oldest on, are due: below the log start, or with the `delete` policy too many bytes or
 * too old. Nothing at or past the high watermark goes, nor an active segment that is empty.
 */
export function deletableSegments(
  view: RetentionView,
  config: LogConfig,
  logStartOffset: number,
  nowMs: number,
): number {
  let count = prefixWhere(view, (_, nextBase) => nextBase !== undefined && nextBase <= logStartOffset)
  if (!config.cleanupDelete) return count
  if (config.retentionBytes >= 0) {
    let excessBytes = view.segments.sizeBytes() - config.retentionBytes
    count = Math.max(
      count,
      prefixWhere(view, (segment) => {
        excessBytes -= segment.sizeBytes
        return excessBytes >= 0
      }),
    )
  }
  if (config.retentionMs >= 0) {
    const isOld = (segment: Segment) => nowMs - largestTimestamp(segment) > config.retentionMs
    count = Math.max(count, prefixWhere(view, isOld))
  }
  return count
}

function largestTimestamp(segment: Segment): number {
  const timestamp = segment.maxTimestamp
  return timestamp >= 0 ? timestamp : segment.modifiedMs
}

function prefixWhere(view: RetentionView, isDue: (segment: Segment, nextBase: number | undefined) => boolean): number {
  const segments = view.segments.all
  let count = 0
  for (const segment of segments) {
    const next = segments[count + 1]
    const isEmptyActive = next === undefined && segment.stagedBytes === 0
    const endOffset = next ? next.baseOffset : view.logEndOffset
    if (isEmptyActive || view.highWatermark < endOffset || !isDue(segment, next?.baseOffset)) break
    count += 1
  }
  return count
}
