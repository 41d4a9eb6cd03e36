import type { AbortedTransaction } from '../../log/types.ts'
import type { BatchView } from '../../protocol/records/batch.ts'
import { ControlType, parseControlType } from '../../protocol/records/control.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import { batchesOfAnyFormatIn, firstOffsetOf } from '../../protocol/records/legacy-batch.ts'
import type { AcquiredRecords, OffsetRange } from './acquire.ts'

/** What a marker holds: a key of 4 bytes and a value of 6. */
const MAX_MARKER_BYTES = 1024
/** What a compressed message of an old format may hold. */
const MAX_INFLATED_BYTES = 64 * 1024 * 1024

/** The batches of what was read. */
export function rangesOf(records: readonly Buffer[]): OffsetRange[] {
  const ranges: OffsetRange[] = []
  for (const buffer of records) {
    for (const batch of batchesOfAnyFormatIn(buffer)) {
      ranges.push({ baseOffset: firstOffsetOf(batch, MAX_INFLATED_BYTES), lastOffset: batch.lastOffset })
    }
  }
  return ranges
}

/** Those of the batches that belong to transactions which were aborted. */
export function abortedRanges(records: readonly Buffer[], aborted: readonly AbortedTransaction[]): OffsetRange[] {
  if (aborted.length === 0) return []
  const pending = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const open = new Set<number>()
  const ranges: OffsetRange[] = []
  for (const buffer of records) {
    for (const batch of batchesOfAnyFormatIn(buffer)) {
      if (!batch.hasProducerId) continue
      const { baseOffset, lastOffset, producerId } = batch
      while (pending.length > 0 && pending[0]!.firstOffset <= lastOffset) open.add(pending.shift()!.producerId)
      if (isAbortMarker(batch)) open.delete(producerId)
      else if (batch.isTransactional && open.has(producerId)) ranges.push({ baseOffset, lastOffset })
    }
  }
  return ranges
}

function isAbortMarker(batch: BatchView): boolean {
  if (!batch.isControl) return false
  const cursor = new RecordCursor().open(batch, MAX_MARKER_BYTES)
  if (!cursor.next()) return false
  const key = cursor.key()
  return key !== null && parseControlType(key) === ControlType.abort
}

/** Of what was read only the batches that hold what was acquired; the buffers are shared. */
export function sliceAcquired(records: readonly Buffer[], acquired: readonly AcquiredRecords[]): Buffer[] {
  const first = acquired[0]!.firstOffset
  const last = acquired.at(-1)!.lastOffset
  const kept: Buffer[] = []
  for (const buffer of records) {
    let start = -1
    let end = 0
    for (const batch of batchesOfAnyFormatIn(buffer)) {
      if (batch.lastOffset < first || firstOffsetOf(batch, MAX_INFLATED_BYTES) > last) continue
      if (start === -1) start = batch.position
      end = batch.end
    }
    if (start !== -1) kept.push(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end))
  }
  return kept
}
