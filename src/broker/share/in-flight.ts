import type { Scheduled, Time } from '../../platform/time.ts'

/** What has become of a record; the numbers are those of the state that is stored (KIP-932). */
export const RecordState = { available: 0, acquired: 1, acknowledged: 2, archived: 4 } as const
export type RecordState = (typeof RecordState)[keyof typeof RecordState]

/** Nobody has the record. */
export const NO_MEMBER = ''

export function isTerminal(state: RecordState): boolean {
  return state === RecordState.acknowledged || state === RecordState.archived
}

/** The stored number as a state; undefined for one that records do not rest in. */
export function recordStateOf(stored: number): RecordState | undefined {
  return Object.values(RecordState).find((state) => state === stored)
}

/** How long a member may keep what it was given; then `onTimeout` is called once. */
export class AcquisitionLock {
  readonly memberId: string
  readonly firstOffset: number
  readonly lastOffset: number
  readonly expiryMs: number
  readonly #timer: Scheduled
  #hasExpired = false

  constructor(
    time: Time,
    memberId: string,
    firstOffset: number,
    lastOffset: number,
    durationMs: number,
    onTimeout: (lock: AcquisitionLock) => void,
  ) {
    this.memberId = memberId
    this.firstOffset = firstOffset
    this.lastOffset = lastOffset
    this.expiryMs = time.monotonicMs() + durationMs
    this.#timer = time.after(Math.max(0, durationMs), () => {
      this.#hasExpired = true
      onTimeout(this)
    })
  }

  get hasExpired(): boolean {
    return this.#hasExpired
  }

  cancel(): void {
    this.#timer.cancel()
  }
}

interface Before {
  readonly state: RecordState
  readonly memberId: string
  readonly deliveryLimit: number
}

/** The state of one record, or of all records of a batch. */
export class InFlightState {
  state: RecordState
  deliveryCount: number
  memberId: string
  lock: AcquisitionLock | undefined
  #before: Before | undefined
  #isFinal = false

  constructor(state: RecordState, deliveryCount: number, memberId: string, lock?: AcquisitionLock) {
    this.state = state
    this.deliveryCount = deliveryCount
    this.memberId = memberId
    this.lock = lock
  }

  /** A change has been decided on, but is not stored yet. */
  get isChanging(): boolean {
    return this.#before !== undefined
  }

  get mayBeAcquired(): boolean {
    return this.state === RecordState.available && this.#before === undefined
  }

  acquire(memberId: string, lock: AcquisitionLock): void {
    this.state = RecordState.acquired
    this.deliveryCount++
    this.memberId = memberId
    this.lock = lock
  }

  /** It was acquired by the member, who was never told: as if it had not been. Answers whether it was. */
  giveBack(memberId: string, deliveryCount: number): boolean {
    if (this.#before !== undefined || this.state !== RecordState.acquired) return false
    if (this.memberId !== memberId || this.deliveryCount !== deliveryCount) return false
    this.state = RecordState.available
    this.deliveryCount--
    this.memberId = NO_MEMBER
    this.unlock()
    return true
  }

  /** An acquired record is let go of at once. Answers false, and changes nothing, while another change is being stored. */
  release(next: RecordState, deliveryLimit: number): boolean {
    if (this.#before !== undefined || this.state !== RecordState.acquired) return false
    this.#set(next, deliveryLimit)
    this.unlock()
    return true
  }

  /** An acquired record is let go of once that is stored: `finish` follows. Answers as `release`. */
  begin(next: RecordState, deliveryLimit: number): boolean {
    if (this.#before !== undefined || this.state !== RecordState.acquired) return false
    this.#before = { state: this.state, memberId: this.memberId, deliveryLimit }
    this.#set(next, deliveryLimit)
    return true
  }

  /** A record that was delivered too often is not available again. */
  #set(next: RecordState, deliveryLimit: number): void {
    const isSpent = next === RecordState.available && this.deliveryCount >= deliveryLimit
    this.state = isSpent ? RecordState.archived : next
    this.memberId = NO_MEMBER
  }

  /** The change that was begun is stored, or failed: then the record is acquired as before, if its lock still holds. */
  finish(isStored: boolean): void {
    const before = this.#before
    this.#before = undefined
    if (isStored || this.#isFinal || before === undefined) {
      this.unlock()
      return
    }
    if (this.lock?.hasExpired) {
      this.state = this.deliveryCount >= before.deliveryLimit ? RecordState.archived : RecordState.available
      this.memberId = NO_MEMBER
      this.unlock()
    } else {
      this.state = before.state
      this.memberId = before.memberId
    }
  }

  /** Whatever it was, it is never delivered again. */
  archive(): void {
    this.#isFinal = true
    this.state = RecordState.archived
    this.memberId = NO_MEMBER
    this.unlock()
  }

  unlock(): void {
    this.lock?.cancel()
    this.lock = undefined
  }
}

/** Makes the lock of one offset that goes on when its batch is taken apart. */
export type RelockOffset = (offset: number, memberId: string, durationMs: number) => AcquisitionLock

/** Records in a row that have, or had, one state; each has its own once they are treated differently. */
export class InFlightBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  /** undefined once the offsets have their own. */
  whole: InFlightState | undefined
  #offsets: InFlightState[] | undefined

  constructor(firstOffset: number, lastOffset: number, whole: InFlightState) {
    this.firstOffset = firstOffset
    this.lastOffset = lastOffset
    this.whole = whole
  }

  get count(): number {
    return this.lastOffset - this.firstOffset + 1
  }

  isWithin(firstOffset: number, lastOffset: number): boolean {
    return this.firstOffset >= firstOffset && this.lastOffset <= lastOffset
  }

  contains(offset: number): boolean {
    return this.firstOffset <= offset && offset <= this.lastOffset
  }

  /** The state of an offset of this batch. */
  stateAt(offset: number): InFlightState {
    return this.whole ?? this.#offsets![offset - this.firstOffset]!
  }

  /** Every offset gets its own state, and its own lock for as long as the batch's would have held. */
  takeApart(nowMs: number, relock: RelockOffset): void {
    const { whole } = this
    if (whole === undefined) return
    const { state, deliveryCount, memberId, lock } = whole
    this.#offsets = Array.from({ length: this.count }, (_, index) => {
      const own = lock && relock(this.firstOffset + index, memberId, lock.expiryMs - nowMs)
      return new InFlightState(state, deliveryCount, memberId, own)
    })
    whole.unlock()
    this.whole = undefined
  }

  /** Offsets with a state of their own, from `from` to `to` (inclusive, cut to the batch). None for a whole batch. */
  *offsets(from = this.firstOffset, to = this.lastOffset): Generator<[offset: number, state: InFlightState]> {
    if (this.#offsets === undefined) return
    const last = Math.min(to, this.lastOffset)
    for (let offset = Math.max(from, this.firstOffset); offset <= last; offset++) {
      yield [offset, this.#offsets[offset - this.firstOffset]!]
    }
  }
}

/** The batches of a share partition by offset. They do not overlap. */
export class InFlightBatches {
  #sorted: InFlightBatch[] = []

  get isEmpty(): boolean {
    return this.#sorted.length === 0
  }

  get first(): InFlightBatch | undefined {
    return this.#sorted[0]
  }

  get last(): InFlightBatch | undefined {
    return this.#sorted.at(-1)
  }

  [Symbol.iterator](): ArrayIterator<InFlightBatch> {
    return this.#sorted[Symbol.iterator]()
  }

  /** The last batch that begins at or before `offset`. */
  floor(offset: number): InFlightBatch | undefined {
    return this.#sorted[this.#indexAfter(offset) - 1]
  }

  /** The first batch that begins after `offset`. */
  higher(offset: number): InFlightBatch | undefined {
    return this.#sorted[this.#indexAfter(offset)]
  }

  /** A copy of those that begin between the two offsets, both included. */
  between(from: number, to: number): InFlightBatch[] {
    return this.#sorted.slice(this.#indexAfter(from - 1), this.#indexAfter(to))
  }

  /** In the place of one that begins at the same offset. */
  put(batch: InFlightBatch): void {
    const index = this.#indexAfter(batch.firstOffset)
    if (this.#sorted[index - 1]?.firstOffset === batch.firstOffset) this.#sorted[index - 1] = batch
    else this.#sorted.splice(index, 0, batch)
  }

  /** Removes those that begin before `offset`. */
  removeBefore(offset: number): void {
    this.#sorted.splice(0, this.#indexAfter(offset - 1))
  }

  clear(): void {
    this.#sorted = []
  }

  /** How many begin at or before `offset`. */
  #indexAfter(offset: number): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sorted[middle]!.firstOffset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
