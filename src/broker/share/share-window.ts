import type { StateBatch } from '../../coordinator/share/state-batch.ts'
import { errors } from '../../protocol/errors.ts'
import {
  type AcquisitionLock,
  InFlightBatch,
  InFlightBatches,
  InFlightState,
  isTerminal,
  NO_MEMBER,
  RecordState,
  recordStateOf,
} from './in-flight.ts'
import { ShareError } from './share-error.ts'

/** Makes acquisition locks that run from now on. */
export interface Locks {
  readonly nowMs: number
  lock(memberId: string, firstOffset: number, lastOffset: number, durationMs?: number): AcquisitionLock
}

/** Offsets that the stored state says nothing of: from `start` on, while the window still ends at `end`. */
interface Gap {
  readonly end: number
  start: number
}

/**
 * The part of a log that a share group is at work on (KIP-932): from the share-partition start offset, before which
 * everything is done, to the end offset, after which nothing was handed out yet.
 */
export class ShareWindow {
  readonly batches = new InFlightBatches()
  startOffset = 0
  endOffset = 0
  /** Records from the start offset on that need no delivery any more. */
  completeCount = 0
  /** There may be something to deliver again within the window. */
  mayHaveAvailable = false
  readonly #locks: Locks
  #gap: Gap | undefined

  constructor(locks: Locks) {
    this.#locks = locks
  }

  get inFlightCount(): number {
    return this.batches.isEmpty ? 0 : this.endOffset - this.startOffset + 1
  }

  /** Where the stored state leaves off. Throws ShareError for a state that cannot be. */
  load(startOffset: number, stored: readonly StateBatch[]): void {
    this.startOffset = startOffset
    let gapStart = -1
    let previousLast = startOffset - 1
    for (const { firstOffset, lastOffset, deliveryState, deliveryCount } of stored) {
      const state = recordStateOf(deliveryState)
      if (state === undefined || firstOffset <= previousLast || lastOffset < firstOffset) {
        throw new ShareError(errors.UNKNOWN_SERVER_ERROR, `invalid state of offsets ${firstOffset} to ${lastOffset}`)
      }
      if (gapStart === -1 && firstOffset > previousLast + 1) gapStart = previousLast + 1
      previousLast = lastOffset
      // What was acquired when the state was stored is nobody's any more.
      const rest = state === RecordState.acquired ? RecordState.available : state
      this.batches.put(new InFlightBatch(firstOffset, lastOffset, new InFlightState(rest, deliveryCount, NO_MEMBER)))
      if (isTerminal(state)) this.completeCount += lastOffset - firstOffset + 1
    }
    const { last } = this.batches
    this.endOffset = last?.lastOffset ?? startOffset
    if (last === undefined) return
    this.mayHaveAvailable = true
    if (gapStart !== -1) this.#gap = { end: this.endOffset, start: gapStart }
    this.advance()
  }

  /** The offset from which on there is something to hand out, now or once it is produced. */
  nextFetchOffset(): number {
    const { batches } = this
    if (batches.isEmpty || this.startOffset > batches.last!.lastOffset) {
      this.mayHaveAvailable = false
      return this.endOffset
    }
    if (!this.mayHaveAvailable) return this.endOffset + 1
    const found = this.#firstAvailable()
    if (found !== undefined) return found
    this.mayHaveAvailable = false
    return this.endOffset + 1
  }

  #firstAvailable(): number | undefined {
    const gap = this.activeGap
    let gapStart = gap?.start ?? -1
    for (const batch of this.batches) {
      if (gap !== undefined) {
        if (batch.firstOffset > gapStart) return gapStart
        gapStart = Math.max(batch.lastOffset + 1, gapStart)
      }
      if (batch.whole?.mayBeAcquired) return batch.firstOffset
      for (const [offset, state] of batch.offsets()) if (state.mayBeAcquired) return offset
    }
    return undefined
  }

  /** undefined once records after the stored state were handed out. */
  get activeGap(): Readonly<Gap> | undefined {
    return this.#gap?.end === this.endOffset ? this.#gap : undefined
  }

  /** Everything before `offset` has been looked at. */
  passGap(offset: number): void {
    if (this.#gap === undefined) return
    if (this.#gap.end === this.endOffset && offset <= this.#gap.end) this.#gap.start = offset
    else this.#gap = undefined
  }

  takeApart(batch: InFlightBatch): void {
    batch.takeApart(this.#locks.nowMs, (offset, memberId, restMs) =>
      this.#locks.lock(memberId, offset, offset, Math.max(0, restMs)),
    )
  }

  /** How many of these offsets are in the window. */
  countFromStart(firstOffset: number, lastOffset: number): number {
    return Math.max(0, lastOffset - Math.max(this.startOffset, firstOffset) + 1)
  }

  /** The start offset moves past what is done. Answers whether there was any. */
  advance(): boolean {
    if (!this.#isStartDone()) return false
    const { lastDone, count } = this.#doneFromStart()
    const { last } = this.batches
    if (lastDone === -1 || last === undefined) return false
    if (lastDone === last.lastOffset) {
      this.startOffset = last.lastOffset + 1
      this.endOffset = this.startOffset
      this.batches.clear()
      this.completeCount = 0
      return true
    }
    const batch = this.batches.floor(lastDone)!
    if (lastDone === batch.lastOffset) {
      this.startOffset = Math.max(this.startOffset, this.batches.higher(lastDone)!.firstOffset)
      const gap = this.activeGap
      if (gap !== undefined) this.startOffset = Math.min(gap.start, this.startOffset)
      this.batches.removeBefore(lastDone + 1)
    } else {
      this.startOffset = Math.max(this.startOffset, lastDone + 1)
      this.batches.removeBefore(batch.firstOffset)
    }
    this.completeCount -= count
    return true
  }

  #isStartDone(): boolean {
    const batch = this.batches.floor(this.startOffset)
    if (batch === undefined || !batch.contains(this.startOffset)) return batch !== undefined && this.#isDone(batch)
    const state = batch.stateAt(this.startOffset)
    return !state.isChanging && isTerminal(state.state)
  }

  #isDone(batch: InFlightBatch): boolean {
    const state = batch.stateAt(batch.lastOffset)
    return !state.isChanging && isTerminal(state.state)
  }

  #doneFromStart(): { lastDone: number; count: number } {
    const gap = this.activeGap
    let lastDone = -1
    let count = 0
    for (const batch of this.batches) {
      if (gap !== undefined && batch.lastOffset >= gap.start) break
      const { whole } = batch
      if (whole !== undefined) {
        if (whole.isChanging || !isTerminal(whole.state)) break
        lastDone = batch.lastOffset
        count += this.countFromStart(batch.firstOffset, batch.lastOffset)
        continue
      }
      for (const [offset, state] of batch.offsets()) {
        if (state.isChanging || !isTerminal(state.state)) return { lastDone, count }
        lastDone = offset
        if (offset >= this.startOffset) count++
      }
    }
    return { lastDone, count }
  }

  /** Records before `logStart` are gone from the log: what nobody has is archived, and the start offset moves. */
  moveToLogStart(logStart: number): void {
    if (logStart <= this.startOffset) return
    if (this.batches.isEmpty) {
      this.startOffset = logStart
      this.endOffset = logStart
      this.completeCount = 0
      return
    }
    const doneCount = this.#countDone(logStart)
    if (this.archive(this.startOffset, logStart, RecordState.available, false)) this.mayHaveAvailable = true
    this.startOffset = logStart
    this.completeCount -= doneCount
    this.endOffset = Math.max(this.endOffset, logStart)
  }

  #countDone(before: number): number {
    let count = 0
    for (const batch of this.batches) {
      if (batch.firstOffset >= before) break
      if (batch.whole !== undefined && isTerminal(batch.whole.state)) {
        count += this.countFromStart(batch.firstOffset, Math.min(before - 1, batch.lastOffset))
      }
      for (const [, state] of batch.offsets(this.startOffset, before - 1)) if (isTerminal(state.state)) count++
    }
    return count
  }

  /** A read from `fetchOffset` found nothing before `baseOffset`: such records are gone from the log (compaction). */
  archiveMissing(fetchOffset: number, baseOffset: number): void {
    if (this.batches.isEmpty || fetchOffset >= baseOffset) return
    if (this.archive(fetchOffset, baseOffset, RecordState.available, true)) this.mayHaveAvailable = true
  }

  /** Records in state `from` of these offsets (`end` excluded) are never delivered again. Answers whether there were any. */
  archive(start: number, end: number, from: RecordState, isCounted: boolean): boolean {
    let count = 0
    const floor = this.batches.floor(start)
    for (const batch of this.batches.between(floor?.firstOffset ?? start, end - 1)) {
      if (batch.lastOffset < start) continue
      if (batch.whole !== undefined) {
        if (batch.whole.state !== from) continue
        if (batch.isWithin(start, end - 1)) {
          batch.whole.archive()
          count += batch.count
          continue
        }
        this.takeApart(batch)
      }
      for (const [, state] of batch.offsets(start, end - 1)) {
        if (state.state !== from) continue
        state.archive()
        count++
      }
    }
    if (isCounted) this.completeCount += count
    return count > 0
  }
}
