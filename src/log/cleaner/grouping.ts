import type { Segment } from '../segment.ts'

const MAX_RELATIVE_OFFSET = 0x7fff_ffff
const INDEX_ENTRY_BYTES = 8
const TIME_ENTRY_BYTES = 12

interface GroupLimits {
  /** segment.bytes */
  readonly segmentBytes: number
  /** segment.index.bytes, for each of the indexes */
  readonly indexBytes: number
  readonly firstUncleanableOffset: number
}

/**
 * Segments that become one: as many in a row as make no more bytes than one may have, and no more offsets than its indexes
 * can tell apart.
 */
export function groupSegments(segments: readonly Segment[], limits: GroupLimits): Segment[][] {
  const groups: Segment[][] = []
  let total = { logBytes: 0, indexBytes: 0, timeIndexBytes: 0 }
  segments.forEach((segment, i) => {
    const group = groups[groups.length - 1]
    const logBytes = segment.sizeBytes
    const indexBytes = segment.index.entryCount * INDEX_ENTRY_BYTES
    const timeIndexBytes = segment.timeIndex.entryCount * TIME_ENTRY_BYTES
    const lastOffset = (segments[i + 1]?.baseOffset ?? limits.firstUncleanableOffset) - 1
    const fits =
      group !== undefined &&
      total.logBytes + logBytes <= limits.segmentBytes &&
      total.indexBytes + indexBytes <= limits.indexBytes &&
      total.timeIndexBytes + timeIndexBytes <= limits.indexBytes &&
      (logBytes === 0 || lastOffset - group[0]!.baseOffset <= MAX_RELATIVE_OFFSET)
    if (!fits) {
      groups.push([segment])
      total = { logBytes, indexBytes, timeIndexBytes }
      return
    }
    group.push(segment)
    total.logBytes += logBytes
    total.indexBytes += indexBytes
    total.timeIndexBytes += timeIndexBytes
  })
  return groups
}
