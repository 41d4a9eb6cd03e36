import type { Appender } from './appender.ts'
import { DELETED_SUFFIX } from './files.ts'
import { loadProducers } from './loader.ts'
import { type LogState, messageOf } from './log-state.ts'
import { deletableSegments } from './retention.ts'
import { Segment } from './segment.ts'

/** See `PartitionLogApi.truncateTo`; nothing may be staged. Answers whether the log is shorter than it was. */
export function truncateLog(state: LogState, appender: Appender, offset: number): boolean {
  if (offset >= state.logEndOffset) {
    // A leader that wrote nothing has left an epoch behind of which its successor need not know.
    state.epochs.truncateFromEnd(state.logEndOffset)
    return false
  }
  if (offset < state.segments.first.baseOffset) {
    startOver(state, appender, offset)
    return true
  }
  const { segments, snapshots, environment } = state
  const nowMs = environment.time.nowMs()
  state.truncations += 1
  for (const segment of segments.removeAbove(offset)) segment.remove()
  const endOffset = segments.active.truncateTo(offset, nowMs)
  cutOffsets(state, appender, endOffset)
  state.logStartOffset = Math.min(state.logStartOffset, endOffset)
  snapshots.removeAbove(endOffset)
  state.epochs.truncateFromEnd(endOffset)
  const { producers } = state
  const { producerIdExpirationMs } = environment
  loadProducers({ producers, snapshots, nowMs, producerIdExpirationMs }, segments, state.logStartOffset, endOffset)
  producers.onHighWatermark(state.highWatermark)
  state.lastSnapshotOffset = snapshots.latest ?? state.logStartOffset
  return true
}

/** See `PartitionLogApi.truncateFullyAndStartAt`; nothing may be staged. */
export function startOver(state: LogState, appender: Appender, offset: number): void {
  const { disk, time } = state.environment
  state.truncations += 1
  for (const segment of state.segments.removeFirst(state.segments.count)) segment.remove()
  state.segments.push(Segment.create(disk, state.directory, offset, { nowMs: time.nowMs(), rollJitterMs: 0 }))
  state.logStartOffset = offset
  cutOffsets(state, appender, offset)
  state.highWatermark = offset
  state.epochs.clear()
  state.producers.clear()
  state.snapshots.removeAll()
  state.lastSnapshotOffset = offset
}

/** Brings a truncation onto stable storage. Rejects with LogError KAFKA_STORAGE_ERROR. */
export async function syncCut(state: LogState): Promise<void> {
  const { segments, environment, directory, truncations } = state
  try {
    environment.disk.syncDirectory(directory)
    await segments.active.syncData()
  } catch (error) {
    if (truncations !== state.truncations) return
    state.goOffline(`sync of a truncation failed: ${messageOf(error)}`)
    throw state.refusalOf(error)
  }
}

function cutOffsets(state: LogState, appender: Appender, offset: number): void {
  appender.flusher.keepOnly(state.segments.all.slice(0, -1))
  state.reader.clear()
  state.logEndOffset = offset
  state.nextOffset = offset
  state.recoveryPoint = Math.min(state.recoveryPoint, offset)
  state.highWatermark = Math.min(state.highWatermark, offset)
  state.tail.restart(offset)
}

/** See `PartitionLogApi.retire`. */
export function retireSegments(
  state: LogState,
  appender: Appender,
  advanceLogStart: (offset: number, reason: string) => void,
): number {
  const { segments, highWatermark, logEndOffset, config } = state
  // What is being compacted is about to be replaced.
  if (state.isCleaning) return 0
  const nowMs = state.environment.time.nowMs()
  const count = deletableSegments({ segments, highWatermark, logEndOffset }, config, state.logStartOffset, nowMs)
  if (count === 0) return 0
  if (count === segments.count) {
    // There is always an active segment; but not while something is on its way into the present one.
    if (!appender.queue.isIdle) return 0
    appender.roll(state.nextOffset)
  }
  const nextBase = segments.all[count]!.baseOffset
  const removed = segments.removeFirst(count)
  advanceLogStart(nextBase, 'segment deletion')
  deleteLater(state, removed)
  return count
}

/** Segments that are out of the log: their files go after file.delete.delay.ms, and so do the snapshots they began with. */
export function deleteLater(state: LogState, segments: readonly Segment[], keptSnapshot?: number): void {
  const { disk, logger, time } = state.environment
  const paths: string[] = []
  for (const segment of segments) {
    logger.info(`Deleting segment ${segment.path} of ${segment.sizeBytes} bytes`)
    state.reader.forget(segment)
    segment.release()
    paths.push(...segment.rename(DELETED_SUFFIX))
    if (segment.baseOffset === keptSnapshot) continue
    const snapshot = state.snapshots.markDeleted(segment.baseOffset)
    if (snapshot !== undefined) paths.push(snapshot)
  }
  const removal = time.after(state.config.fileDeleteDelayMs, () => {
    state.removals.delete(removal)
    for (const path of paths) {
      try {
        disk.remove(path)
      } catch (error) {
        logger.warn(`${path} could not be removed: ${messageOf(error)}`)
      }
    }
  })
  state.removals.add(removal)
}
