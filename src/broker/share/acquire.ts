import type { InFlightBatch } from './in-flight.ts'
import { InFlightBatch as Batch, InFlightState, RecordState } from './in-flight.ts'
import type { Locks, ShareWindow } from './share-window.ts'

/** Records handed out, offsets inclusive. */
export interface AcquiredRecords {
  readonly firstOffset: number
  lastOffset: number
  readonly deliveryCount: number
}

/** A record batch of the log, by its offsets. */
export interface OffsetRange {
  readonly baseOffset: number
  readonly lastOffset: number
}

export interface AcquireRequest {
  readonly memberId: string
  /** KIP-1206: never more records than asked for, though batches are cut apart for it. */
  readonly isRecordLimit: boolean
  /** Records that one acquired range should have at most, where batches of the log allow it. */
  readonly batchSize: number
  readonly maxRecords: number
  readonly fetchOffset: number
  /** What was read from `fetchOffset` on; not empty. */
  readonly batches: readonly OffsetRange[]
}

export interface AcquireLimits {
  /** share.delivery.count.limit */
  readonly deliveryCount: number
  /** share.partition.max.record.locks */
  readonly recordLocks: number
}

const LEAST_THROTTLED_COUNT = 2

/** Hands out what was read, as far as it may be: one use for one read. */
export class Acquisition {
  readonly #window: ShareWindow
  readonly #locks: Locks
  readonly #request: AcquireRequest
  readonly #limits: AcquireLimits
  readonly #acquired: AcquiredRecords[] = []
  readonly #first: OffsetRange
  #lastOffset: number
  #count = 0
  #max = 0

  constructor(window: ShareWindow, locks: Locks, request: AcquireRequest, limits: AcquireLimits) {
    this.#window = window
    this.#locks = locks
    this.#request = request
    this.#limits = limits
    this.#first = request.batches[0]!
    this.#lastOffset = request.batches.at(-1)!.lastOffset
  }

  run(): AcquiredRecords[] {
    const { maxRecords, fetchOffset } = this.#request
    if (maxRecords <= 0 || this.#lastOffset < this.#window.startOffset) return []
    this.#setLimits()
    if (this.#max <= 0) return []
    const window = this.#window
    let { baseOffset } = this.#first
    window.archiveMissing(fetchOffset, baseOffset)
    const floor = window.batches.floor(baseOffset)
    if (floor === undefined) baseOffset = Math.max(baseOffset, window.startOffset)
    else if (floor.lastOffset >= baseOffset) baseOffset = floor.firstOffset
    const known = window.batches.between(Math.min(this.#first.baseOffset, baseOffset), this.#lastOffset)
    if (known.length === 0) this.#acquireNew(baseOffset, this.#lastOffset, this.#max)
    else this.#acquireAmong(known, baseOffset)
    return this.#acquired
  }

  /** Where the window is full, only what is in it already can be handed out again. */
  #setLimits(): void {
    const { maxRecords, fetchOffset } = this.#request
    const { endOffset, inFlightCount } = this.#window
    this.#max = Math.min(maxRecords, this.#limits.recordLocks - inFlightCount)
    if (this.#max > 0 || fetchOffset > endOffset) return
    this.#max = Math.min(maxRecords, endOffset - fetchOffset + 1)
    this.#lastOffset = Math.min(this.#lastOffset, endOffset)
  }

  #acquireAmong(known: readonly InFlightBatch[], baseOffset: number): void {
    const window = this.#window
    let gapStart = baseOffset
    for (const batch of known) {
      if (this.#count >= this.#max) break
      if (window.activeGap !== undefined) {
        if (gapStart < batch.firstOffset) {
          this.#acquireNew(gapStart, batch.firstOffset - 1, this.#max - this.#count)
        }
        gapStart = batch.lastOffset + 1
        if (this.#count >= this.#max) break
      }
      if (!this.#acquireAgain(batch)) break
    }
    const { lastOffset } = known.at(-1)!
    if (this.#count < this.#max && lastOffset < this.#lastOffset) {
      this.#acquireNew(lastOffset + 1, this.#lastOffset, this.#max - this.#count)
    }
    const last = this.#acquired.at(-1)
    if (last !== undefined) window.passGap(last.lastOffset + 1)
  }

  /** Answers false when nothing more may be handed out with what there is. */
  #acquireAgain(batch: InFlightBatch): boolean {
    const { isRecordLimit, memberId } = this.#request
    const restCount = this.#max - this.#count
    const isThrottled = this.#isThrottled(batch)
    if (isThrottled && this.#count > 0) return this.#end()
    const isWhole = batch.isWithin(this.#first.baseOffset, this.#lastOffset)
    const isTooLarge = isRecordLimit && batch.count > restCount
    if (!isWhole || batch.whole === undefined || isTooLarge || isThrottled) {
      if (batch.whole !== undefined) {
        if (!batch.whole.mayBeAcquired) return true
        this.#window.takeApart(batch)
      }
      const count = this.#acquireOffsets(batch, restCount)
      this.#count += count
      return isThrottled && count > 0 ? this.#end() : true
    }
    if (!batch.whole.mayBeAcquired) return true
    const { firstOffset, lastOffset } = batch
    batch.whole.acquire(memberId, this.#locks.lock(memberId, firstOffset, lastOffset))
    this.#acquired.push({ firstOffset, lastOffset, deliveryCount: batch.whole.deliveryCount })
    this.#count += batch.count
    return true
  }

  #end(): false {
    this.#max = 0
    return false
  }

  /** Records that have failed often are handed out in small portions, in the end alone: one of them may be the culprit. */
  #isThrottled(batch: InFlightBatch): boolean {
    const limit = throttledCount(this.#limits.deliveryCount)
    if (batch.whole !== undefined) return batch.whole.mayBeAcquired && batch.whole.deliveryCount >= limit
    for (const [, state] of batch.offsets(this.#first.baseOffset, this.#lastOffset)) {
      if (state.mayBeAcquired && state.deliveryCount >= limit) return true
    }
    return false
  }

  #acquireOffsets(batch: InFlightBatch, restCount: number): number {
    const { memberId, isRecordLimit } = this.#request
    const { deliveryCount: limit } = this.#limits
    const throttled = throttledCount(limit)
    let portion = Number.POSITIVE_INFINITY
    let count = 0
    let range: AcquiredRecords | undefined
    for (const [offset, state] of batch.offsets(this.#first.baseOffset, this.#lastOffset)) {
      if (!state.mayBeAcquired) continue
      const isLastTry = limit > 2 && state.deliveryCount === limit - 1
      if (isLastTry && count > 0) break
      if (state.deliveryCount >= throttled && portion === Number.POSITIVE_INFINITY) {
        portion = Math.max(1, batch.count >> (state.deliveryCount - throttled + 1))
      }
      state.acquire(memberId, this.#locks.lock(memberId, offset, offset))
      if (range?.lastOffset === offset - 1 && range.deliveryCount === state.deliveryCount) range.lastOffset = offset
      else {
        range = { firstOffset: offset, lastOffset: offset, deliveryCount: state.deliveryCount }
        this.#acquired.push(range)
      }
      count++
      if (isLastTry || count === portion || (isRecordLimit && count === restCount)) break
    }
    return count
  }

  /** Hands out records that the window does not know yet, up to the end of the log's batch that holds the last one. */
  #acquireNew(firstOffset: number, lastOffset: number, max: number): void {
    const window = this.#window
    const first = window.batches.isEmpty ? Math.max(firstOffset, window.endOffset) : firstOffset
    let last = lastOffset
    if (max < last - first + 1) {
      last = this.#endOfBatchAt(first + max - 1)
      if (window.activeGap !== undefined) last = Math.min(last, lastOffset)
    }
    const { isRecordLimit } = this.#request
    const given = isRecordLimit && last - first + 1 > max ? this.#cut(first, last, max) : this.#hand(first, last)
    if (window.batches.first!.firstOffset === first) window.startOffset = first
    window.endOffset = Math.max(window.endOffset, last)
    window.passGap(given + 1)
    this.#count += given - first + 1
  }

  #endOfBatchAt(offset: number): number {
    let found: OffsetRange | undefined
    for (const batch of this.#request.batches) {
      if (batch.baseOffset > offset) break
      found = batch
    }
    return found !== undefined && offset <= found.lastOffset ? found.lastOffset : offset
  }

  /** Only the first `max` records of a batch are handed out; the others wait in the window. Answers the last one's offset. */
  #cut(first: number, last: number, max: number): number {
    const { memberId } = this.#request
    const batch = new Batch(first, last, new InFlightState(RecordState.available, 0, ''))
    this.#window.takeApart(batch)
    const given = first + max - 1
    for (const [offset, state] of batch.offsets(first, given)) {
      state.acquire(memberId, this.#locks.lock(memberId, offset, offset))
    }
    this.#window.mayHaveAvailable = true
    this.#window.batches.put(batch)
    this.#acquired.push({ firstOffset: first, lastOffset: given, deliveryCount: 1 })
    return given
  }

  /** In ranges of about `batchSize`, cut where batches of the log begin. Answers the last offset. */
  #hand(first: number, last: number): number {
    const { memberId, batchSize, isRecordLimit, batches } = this.#request
    let start = first
    if (!isRecordLimit && last - first + 1 > batchSize) {
      for (const { baseOffset } of batches) {
        if (baseOffset > last) break
        if (baseOffset - start < batchSize) continue
        this.#put(memberId, start, baseOffset - 1)
        start = baseOffset
      }
    }
    this.#put(memberId, start, last)
    return last
  }

  #put(memberId: string, firstOffset: number, lastOffset: number): void {
    const lock = this.#locks.lock(memberId, firstOffset, lastOffset)
    const state = new InFlightState(RecordState.acquired, 1, memberId, lock)
    this.#window.batches.put(new Batch(firstOffset, lastOffset, state))
    this.#acquired.push({ firstOffset, lastOffset, deliveryCount: 1 })
  }
}

function throttledCount(deliveryLimit: number): number {
  return Math.max(LEAST_THROTTLED_COUNT, Math.ceil(deliveryLimit / 2))
}

/** Takes `ranges` (in order) out of what was acquired. */
export function withoutRanges(acquired: readonly AcquiredRecords[], ranges: readonly OffsetRange[]): AcquiredRecords[] {
  let rest: AcquiredRecords[] = [...acquired]
  for (const { baseOffset, lastOffset } of ranges) {
    rest = rest.flatMap((records) => {
      if (records.lastOffset < baseOffset || records.firstOffset > lastOffset) return [records]
      const pieces: AcquiredRecords[] = []
      if (records.firstOffset < baseOffset) pieces.push({ ...records, lastOffset: baseOffset - 1 })
      if (records.lastOffset > lastOffset) pieces.push({ ...records, firstOffset: lastOffset + 1 })
      return pieces
    })
  }
  return rest
}
