import { AnyBatchView } from '../protocol/records/legacy-batch.ts'
import { AppendQueue, deferred, type StagedAppend } from './append-queue.ts'
import type { EpochEntry } from './epoch-cache.ts'
import { Flusher } from './flusher.ts'
import { type LogState, messageOf } from './log-state.ts'
import { type PreparedAppend, prepareAppend } from './prepare.ts'
import { encodeSnapshot } from './producer-snapshot.ts'
import { Segment } from './segment.ts'
import type { AbortedTxn } from './txn-index.ts'
import type { AppendInfo, AppendOptions, LogConfig } from './types.ts'

const NO_ABORTED: readonly AbortedTxn[] = []
const MAX_JITTER_MS = 2 ** 31 - 1
const TIME_ENTRY_BYTES = 12

const batches = new AnyBatchView()

/** The way of an append: checked, given its offsets, staged, written, and only then part of the log. */
export class Appender {
  readonly queue: AppendQueue
  readonly flusher: Flusher
  readonly #state: LogState
  #unflushedRecords = 0
  /** The last write failed, which has been told. */
  #isFailing = false
  /** The epochs of what is written, while staged appends have added to them. */
  #writtenEpochs: readonly EpochEntry[] | undefined

  constructor(state: LogState) {
    this.#state = state
    this.queue = new AppendQueue({
      written: (group) => this.#onWritten(group),
      synced: (group) => {
        const { segment, nextOffset } = group.at(-1)!
        this.#state.logEndOffset = nextOffset
        this.flusher.onSynced(segment, nextOffset)
      },
      writeFailed: (error, failed) => this.#onWriteFailed(error, failed),
      syncFailed: (error) => {
        state.goOffline(`sync failed: ${messageOf(error)}`)
        return state.refusalOf(error)
      },
    })
    this.flusher = new Flusher(state, this.queue)
  }

  append(records: readonly Buffer[], options: AppendOptions): Promise<AppendInfo> {
    const state = this.#state
    try {
      state.checkOnline()
      const prepared = prepareAppend(records, options, {
        name: state.name,
        config: state.config,
        nextOffset: state.nextOffset,
        logStartOffset: state.logStartOffset,
        nowMs: state.environment.time.nowMs(),
      })
      if (prepared.batchCount === 0) return Promise.resolve(prepared.info)
      const duplicate = options.origin === 'client' ? this.#duplicateOf(prepared) : undefined
      // It may itself still be on its way to the disk.
      if (duplicate) return this.queue.whenWritten().then(() => duplicate)
      return this.#stage(prepared, options)
    } catch (error) {
      return Promise.reject(state.refusalOf(error))
    }
  }

  #duplicateOf(prepared: PreparedAppend): AppendInfo | undefined {
    const batch = batches.at(prepared.buffers[0]!, 0)
    if (!batch.hasProducerId) return undefined
    const known = this.#state.producers.duplicateOf(batch)
    if (!known) return undefined
    return {
      ...prepared.info,
      firstOffset: known.lastOffset - known.offsetDelta,
      lastOffset: known.lastOffset,
      logAppendTimeMs: known.timestamp,
      maxTimestamp: known.timestamp,
      duplicate: true,
    }
  }

  #stage(prepared: PreparedAppend, options: AppendOptions): Promise<AppendInfo> {
    const state = this.#state
    const { buffers, info, sizeBytes } = prepared
    const segment = this.#segmentFor(prepared)
    const mark = state.producers.mark
    let aborted: readonly AbortedTxn[]
    try {
      aborted = this.#applyProducers(buffers, options)
      this.#assignEpochs(buffers)
    } catch (error) {
      state.producers.rollBack(mark)
      throw error
    }
    if (segment.stagedBytes === 0) segment.firstTimestamp = batches.at(buffers[0]!, 0).maxTimestamp
    segment.stagedBytes += sizeBytes
    const nextOffset = info.lastOffset + 1
    state.nextOffset = nextOffset
    this.#unflushedRecords += nextOffset - info.firstOffset
    const mustSync = options.origin === 'raft' || this.#unflushedRecords >= state.config.flushMessages
    if (mustSync) this.#unflushedRecords = 0
    const undoCount = state.producers.mark - mark
    const { outcome, resolve, reject } = deferred()
    // Written out: objects that are put together from others cost more than all the rest here.
    this.queue.push({
      segment,
      buffers,
      sizeBytes,
      nextOffset,
      info,
      undoCount,
      aborted,
      mustSync,
      isReplicated: options.origin === 'replication',
      outcome,
      resolve,
      reject,
    })
    return outcome
  }

  #applyProducers(buffers: readonly Buffer[], options: AppendOptions): readonly AbortedTxn[] {
    const { producers } = this.#state
    let aborted = NO_ABORTED
    const context = {
      origin: options.origin,
      transactionVersion: options.transactionVersion ?? 1,
      isTransactionVerified: options.isTransactionVerified,
      openingTransaction: options.openingTransaction,
    }
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.length; ) {
        const batch = batches.at(buffer, at)
        at = batch.end
        if (!batch.hasProducerId) continue
        const ended = producers.apply(batch, context)
        if (ended) aborted = [...aborted, ended]
      }
    }
    return aborted
  }

  #assignEpochs(buffers: readonly Buffer[]): void {
    const { epochs } = this.#state
    const before = epochs.entries
    let changed = false
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.length; ) {
        const batch = batches.at(buffer, at)
        at = batch.end
        const epoch = batch.partitionLeaderEpoch
        if (epoch >= 0 && epochs.assignInMemory(epoch, batch.baseOffset)) changed = true
      }
    }
    if (!changed && !epochs.isUnsaved) return
    try {
      epochs.save()
      this.#writtenEpochs ??= before
    } catch (error) {
      epochs.restoreInMemory(before)
      throw error
    }
  }

  #segmentFor(prepared: PreparedAppend): Segment {
    const { active } = this.#state.segments
    return this.#mustRoll(active, prepared) ? this.roll(prepared.info.firstOffset) : active
  }

  #mustRoll(active: Segment, { info, sizeBytes }: PreparedAppend): boolean {
    const { config, environment } = this.#state
    if (!active.canHold(info.lastOffset)) return true
    if (active.stagedBytes === 0) return false
    if (active.stagedBytes > config.segmentBytes - sizeBytes) return true
    const first = active.readFirstTimestamp()
    const waitedMs = first >= 0 ? info.maxTimestamp - first : environment.time.nowMs() - active.createdMs
    if (waitedMs > maxSegmentMs(config) - active.rollJitterMs) return true
    // Each staged batch may take an entry, and the last one of the time index is kept for the roll.
    const entries = Math.max(active.index.entryCount, active.timeIndex.entryCount) + this.queue.staged.length
    return entries > 0 && entries >= Math.floor(config.segmentIndexBytes / TIME_ENTRY_BYTES) - 1
  }

  /**
   * Begins a new active segment. Its file and the snapshot that goes with it are made once all that comes before is
   * written: a process that dies in between must not leave a log that seems to go on past a hole, or a snapshot that
   * knows batches which the log has not. Throws what the disk throws.
   */
  roll(baseOffset: number): Segment {
    const state = this.#state
    const { disk, time, random } = state.environment
    const { config } = state
    const jitterMs = Math.min(config.segmentJitterMs, maxSegmentMs(config), MAX_JITTER_MS)
    const options = { nowMs: time.nowMs(), rollJitterMs: jitterMs > 0 ? random.below(jitterMs) : 0 }
    const isNews = baseOffset > state.lastSnapshotOffset
    const snapshot = isNews ? encodeSnapshot(state.producers.producers) : undefined
    const segment = Segment.plan(disk, state.directory, baseOffset, options, () => {
      if (snapshot) state.snapshots.writeEncoded(baseOffset, snapshot)
    })
    if (this.queue.isIdle) segment.makeFile()
    if (isNews) state.lastSnapshotOffset = baseOffset
    const full = state.segments.active
    state.segments.push(segment)
    this.flusher.add(full)
    return segment
  }

  /** Answers whether the group must be synced before anybody hears of it. */
  #onWritten(group: readonly StagedAppend[]): boolean {
    const state = this.#state
    let mustSync = false
    let undoCount = 0
    for (const append of group) {
      this.#addToIndex(append)
      undoCount += append.undoCount
      if (append.mustSync) mustSync = true
    }
    this.#isFailing = false
    group[0]!.segment.modifiedMs = state.environment.time.nowMs()
    state.producers.settle(undoCount)
    if (this.queue.staged.length === 0) this.#writtenEpochs = undefined
    this.flusher.closeFull()
    // What must be synced is part of the log only then: nobody may read, or rely on, what a crash would take back.
    if (mustSync) return true
    state.logEndOffset = group.at(-1)!.nextOffset
    this.flusher.schedule()
    return false
  }

  #addToIndex({ segment, buffers, aborted, isReplicated }: StagedAppend): void {
    const { config, tail } = this.#state
    for (const buffer of buffers) {
      const { baseOffset } = batches.at(buffer, 0)
      let nextOffset = baseOffset
      for (let at = 0; at < buffer.length; ) {
        const batch = batches.at(buffer, at)
        segment.addBatch(batch, config.indexIntervalBytes)
        at = batch.end
        nextOffset = batch.nextOffset
      }
      tail.add(baseOffset, nextOffset, buffer, isReplicated)
    }
    if (aborted.length === 0) return
    for (const entry of aborted) segment.txnIndex.append(entry)
    try {
      segment.txnIndex.writeOut()
    } catch (error) {
      // The entries stay in memory, and are tried again with the next, or when the segment is closed.
      this.#state.environment.logger.warn(`${segment.txnIndex.path} could not be written: ${messageOf(error)}`)
    }
  }

  /** Whatever was staged is taken back: the file, the producers, the epochs and the segments made for it. */
  #onWriteFailed(error: unknown, failed: readonly StagedAppend[]): Error {
    const state = this.#state
    const { segment } = failed[0]!
    if (!this.#isFailing) state.environment.logger.error(`write to ${segment.path} failed: ${messageOf(error)}`)
    this.#isFailing = true
    state.producers.rollBack(0)
    state.nextOffset = state.logEndOffset
    try {
      for (const later of state.segments.removeAbove(segment.baseOffset)) later.remove()
      this.flusher.keepOnly(state.segments.all.slice(0, -1))
      state.snapshots.removeAbove(state.logEndOffset)
      state.lastSnapshotOffset = Math.min(state.lastSnapshotOffset, state.logEndOffset)
      segment.cutToWritten()
      this.#takeBackEpochs()
    } catch (second) {
      state.goOffline(`write failed (${messageOf(error)}), and so did cutting it back: ${messageOf(second)}`)
    }
    return state.refusalOf(error)
  }

  #takeBackEpochs(): void {
    const { epochs, environment, directory } = this.#state
    if (this.#writtenEpochs) epochs.restoreInMemory(this.#writtenEpochs)
    this.#writtenEpochs = undefined
    try {
      epochs.save()
    } catch (error) {
      // An epoch that begins past the end of the log does no harm: the next start drops it.
      environment.logger.warn(`the epochs of ${directory} could not be written: ${messageOf(error)}`)
    }
  }
}

/** The active segment is never compacted, so where records must be by some age, it may not grow older than that. */
function maxSegmentMs({ cleanupCompact, segmentMs, maxCompactionLagMs }: LogConfig): number {
  return cleanupCompact && maxCompactionLagMs > 0 ? Math.min(maxCompactionLagMs, segmentMs) : segmentMs
}
