import { SWAP_SUFFIX } from '../files.ts'
import { type LogState, messageOf } from '../log-state.ts'
import type { Segment } from '../segment.ts'
import { deleteLater } from '../truncation.ts'

/**
 * Puts a compacted segment, complete and synced, in the place of those it was made of. Once its files are called `.swap` a
 * start completes what is missing; before that, it undoes it. Nobody reads or appends in between. Throws what the disk
 * throws; the log is offline then, unless nothing has happened yet.
 */
export function swapIn(state: LogState, cleaned: Segment, group: readonly Segment[]): void {
  const { disk } = state.environment
  const endOffset = state.segments.after(group[group.length - 1]!)!.baseOffset
  try {
    cleaned.rename(SWAP_SUFFIX)
    // The old files must not be gone before the new ones are there to stay.
    disk.syncDirectory(state.directory)
    state.truncations += 1
    state.segments.replace(group[0]!, group.length, cleaned)
    state.tail.dropBelow(endOffset)
    deleteLater(state, group, cleaned.baseOffset)
    cleaned.rename('')
    disk.syncDirectory(state.directory)
  } catch (error) {
    state.goOffline(`the swap of ${cleaned.path} failed: ${messageOf(error)}`)
    throw error
  }
  cleaned.release()
}
