import type { SharePersister } from '../../coordinator/share/share-persister.ts'
import type { SharePartitionKey } from '../../coordinator/share/share-records.ts'
import type { StateBatch } from '../../coordinator/share/state-batch.ts'
import type { Time } from '../../platform/time.ts'
import { errors } from '../../protocol/errors.ts'
import {
  type AcquiredRecords,
  type AcquireLimits,
  type AcquireRequest,
  Acquisition,
  type OffsetRange,
  withoutRanges,
} from './acquire.ts'
import {
  AcquisitionLock,
  type InFlightBatch,
  type InFlightState,
  isTerminal,
  NO_MEMBER,
  RecordState,
} from './in-flight.ts'
import { errorOfPersister, ShareError } from './share-error.ts'
import { type Locks, ShareWindow } from './share-window.ts'

/** What a member says became of records: one type for all, or one for each. */
export interface Acknowledgement {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly acknowledgeTypes: readonly number[]
}

/** The group's settings, which may change at any time. */
export interface ShareLimits extends AcquireLimits {
  /** share.record.lock.duration.ms */
  readonly lockDurationMs: number
  /** share.renew.acknowledge.enable */
  readonly mayRenew: boolean
}

export interface SharePartitionOptions {
  readonly key: SharePartitionKey
  readonly leaderEpoch: number
  readonly persister: SharePersister
  readonly limits: () => ShareLimits
  /** Where a group begins that has no offset yet (share.auto.offset.reset). Throws ShareError. */
  readonly initialOffset: () => number
  readonly time: Time
  /** There may be more to hand out than before. */
  readonly onChange: () => void
}

export const AcknowledgeType = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const

const NEXT_STATE: readonly RecordState[] = [
  RecordState.archived,
  RecordState.acknowledged,
  RecordState.available,
  RecordState.archived,
]
const UNKNOWN_OFFSET = -1

/** A change that was decided on and is to be stored. */
interface Change {
  readonly state: InFlightState
  readonly stored: StateBatch
}

/**
 * One partition as one share group reads it, on the partition's leader (KIP-932): who has which records, for how long, and
 * what became of them. State changes are synchronous; what must be stored first is undone if it cannot be.
 */
export class SharePartition implements Locks {
  readonly key: SharePartitionKey
  readonly leaderEpoch: number
  readonly window: ShareWindow
  readonly #options: SharePartitionOptions
  readonly #time: Time
  #stateEpoch = 0
  #status: 'empty' | 'loading' | 'active' | 'failed' | 'fenced' = 'empty'
  #loaded: Promise<void> | undefined
  #isReading = false

  constructor(options: SharePartitionOptions) {
    this.key = options.key
    this.leaderEpoch = options.leaderEpoch
    this.#options = options
    this.#time = options.time
    this.window = new ShareWindow(this)
  }

  get isActive(): boolean {
    return this.#status === 'active'
  }

  get isFenced(): boolean {
    return this.#status === 'fenced'
  }

  get nowMs(): number {
    return this.#time.monotonicMs()
  }

  /** Fetches the stored state, once. Rejects with ShareError; the share partition is then of no use any more. */
  load(): Promise<void> {
    this.#loaded ??= this.#load()
    return this.#loaded
  }

  async #load(): Promise<void> {
    this.#status = 'loading'
    const { key, leaderEpoch, persister } = this.#options
    try {
      const { error, message, stateEpoch, startOffset, batches } = await persister.read(key, leaderEpoch)
      if (error !== errors.NONE) throw errorOfPersister(error, message)
      this.#stateEpoch = stateEpoch
      this.window.load(startOffset === UNKNOWN_OFFSET ? this.#options.initialOffset() : startOffset, batches)
      if (this.#status === 'loading') this.#status = 'active'
    } catch (reason) {
      if (this.#status === 'loading') this.#status = 'failed'
      throw reason
    }
  }

  /** Another state, or another leader, has taken over: nothing is handed out any more, and locks end. */
  fence(): void {
    this.#status = 'fenced'
    for (const batch of this.window.batches) {
      batch.whole?.unlock()
      for (const [, state] of batch.offsets()) state.unlock()
    }
  }

  /** One read at a time: two would find the same records. */
  tryBeginRead(): boolean {
    if (!this.isActive || this.#isReading) return false
    const { window } = this
    const mayAcquire =
      window.nextFetchOffset() !== window.endOffset + 1 || window.inFlightCount < this.#options.limits().recordLocks
    this.#isReading = mayAcquire
    return mayAcquire
  }

  endRead(): void {
    this.#isReading = false
  }

  /** `aborted`: those of the batches that belong to aborted transactions and must not be seen. */
  acquire(request: AcquireRequest, aborted: readonly OffsetRange[]): AcquiredRecords[] {
    if (!this.isActive || request.batches.length === 0) return []
    const acquired = new Acquisition(this.window, this, request, this.#options.limits()).run()
    if (aborted.length === 0 || acquired.length === 0) return acquired
    for (const { baseOffset, lastOffset } of aborted) {
      this.window.archive(baseOffset, lastOffset + 1, RecordState.acquired, true)
    }
    return withoutRanges(acquired, aborted)
  }

  /** What was acquired does not reach the member: it is there for others, and does not count as delivered. */
  giveBack(memberId: string, acquired: readonly AcquiredRecords[]): void {
    const { window } = this
    for (const { firstOffset, lastOffset, deliveryCount } of acquired) {
      const from = window.batches.floor(firstOffset)?.firstOffset ?? firstOffset
      for (const batch of window.batches.between(from, lastOffset)) {
        if (batch.lastOffset < firstOffset) continue
        if (batch.whole?.giveBack(memberId, deliveryCount)) window.mayHaveAvailable = true
        for (const [, state] of batch.offsets(firstOffset, lastOffset)) {
          if (state.giveBack(memberId, deliveryCount)) window.mayHaveAvailable = true
        }
      }
    }
    this.#options.onChange()
  }

  lock(memberId: string, firstOffset: number, lastOffset: number, durationMs?: number): AcquisitionLock {
    const lockMs = durationMs ?? this.#options.limits().lockDurationMs
    return new AcquisitionLock(this.#time, memberId, firstOffset, lastOffset, lockMs, (lock) => this.#timedOut(lock))
  }

  /**
   * All of it or nothing: resolves when it is stored. Rejects with ShareError: INVALID_RECORD_STATE for records that the
   * member does not have, INVALID_REQUEST for those that were never handed out, or why the state could not be stored.
   */
  async acknowledge(memberId: string, acknowledgements: readonly Acknowledgement[]): Promise<void> {
    const changes: Change[] = []
    try {
      for (const acknowledgement of acknowledgements) {
        if (acknowledgement.lastOffset < this.window.startOffset) continue
        for (const batch of this.#batchesOf(acknowledgement)) {
          if (batch.lastOffset >= this.window.startOffset) this.#acknowledge(memberId, acknowledgement, batch, changes)
        }
      }
    } catch (reason) {
      this.#finish(changes, false)
      throw reason
    }
    await this.#store(changes)
  }

  #batchesOf({ firstOffset, lastOffset }: Acknowledgement): InFlightBatch[] {
    const { batches, startOffset } = this.window
    let floor = batches.floor(firstOffset)
    if (floor === undefined && firstOffset < startOffset && lastOffset >= startOffset)
      floor = batches.floor(startOffset)
    if (floor === undefined) {
      throw invalidState('Batch record not found. The request batch offsets are not found in the cache.')
    }
    const found = batches.between(floor.firstOffset, lastOffset)
    const last = found.at(-1)
    if (last === undefined || last.lastOffset < firstOffset) {
      throw invalidRequest('Batch record not found. The first offset in request is past acquired records.')
    }
    if (lastOffset > last.lastOffset) {
      throw invalidRequest('Batch record not found. The last offset in request is past acquired records.')
    }
    return found
  }

  #acknowledge(memberId: string, asked: Acknowledgement, batch: InFlightBatch, changes: Change[]): void {
    const { whole } = batch
    if (whole !== undefined) {
      checkOwner(whole, memberId)
      const isCut = batch.firstOffset < this.window.startOffset
      if (batch.isWithin(asked.firstOffset, asked.lastOffset) && asked.acknowledgeTypes.length === 1 && !isCut) {
        this.#change(whole, asked.acknowledgeTypes[0]!, memberId, batch.firstOffset, batch.lastOffset, changes)
        return
      }
      if (whole.state !== RecordState.acquired) {
        throw invalidState('The batch cannot be acknowledged. The subset batch is not in the acquired state.')
      }
      this.window.takeApart(batch)
    }
    const first = Math.max(asked.firstOffset, this.window.startOffset)
    for (const [offset, state] of batch.offsets(first, asked.lastOffset)) {
      checkOffset(state, memberId)
      const { acknowledgeTypes: types } = asked
      const type = types.length > 1 ? types[offset - asked.firstOffset]! : types[0]!
      this.#change(state, type, memberId, offset, offset, changes)
    }
  }

  #change(state: InFlightState, type: number, memberId: string, first: number, last: number, changes: Change[]): void {
    if (state.state !== RecordState.acquired) {
      throw invalidState('The batch cannot be acknowledged. The batch is not in the acquired state.')
    }
    if (type === AcknowledgeType.renew) {
      if (!this.#options.limits().mayRenew) {
        throw invalidState('Renewing acquisition locks is not enabled for the group.')
      }
      state.unlock()
      state.lock = this.lock(memberId, first, last)
      return
    }
    const next = NEXT_STATE[type]
    if (next === undefined) throw new ShareError(errors.UNKNOWN_SERVER_ERROR, `Unknown acknowledge type id: ${type}`)
    this.#begin(state, next, first, last, changes)
  }

  #begin(state: InFlightState, next: RecordState, firstOffset: number, lastOffset: number, changes: Change[]): void {
    if (!state.begin(next, this.#options.limits().deliveryCount)) {
      throw invalidState('The record state is invalid. The acknowledgement of delivery could not be completed.')
    }
    changes.push({ state, stored: storedBatch(state, firstOffset, lastOffset) })
    if (isTerminal(state.state)) this.window.completeCount += this.window.countFromStart(firstOffset, lastOffset)
  }

  /** A member is gone: what it has is available to others. Rejects as `acknowledge`. */
  async release(memberId: string): Promise<void> {
    const { window } = this
    const changes: Change[] = []
    for (const batch of window.batches) {
      const isCut = batch.firstOffset < window.startOffset && batch.lastOffset >= window.startOffset
      if (isCut && batch.whole !== undefined && isHeldBy(batch.whole, memberId)) window.takeApart(batch)
      const { whole } = batch
      if (whole !== undefined && isHeldBy(whole, memberId)) {
        this.#begin(whole, this.#released(batch.lastOffset), batch.firstOffset, batch.lastOffset, changes)
      }
      for (const [offset, state] of batch.offsets()) {
        if (isHeldBy(state, memberId)) this.#begin(state, this.#released(offset), offset, offset, changes)
      }
    }
    await this.#store(changes)
  }

  /** What is no longer in the log cannot be delivered again. */
  #released(offset: number): RecordState {
    return offset < this.window.startOffset ? RecordState.archived : RecordState.available
  }

  async #store(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return
    try {
      await this.#write(changes.map(({ stored }) => stored))
    } catch (reason) {
      this.#finish(changes, false)
      throw reason
    }
    this.#finish(changes, true)
    if (this.window.advance()) this.#options.onChange()
  }

  #finish(changes: readonly Change[], isStored: boolean): void {
    for (const { state, stored } of changes) {
      const wasDone = isTerminal(stored.deliveryState as RecordState)
      state.finish(isStored)
      if (state.state === RecordState.available) this.window.mayHaveAvailable = true
      if (wasDone && !isTerminal(state.state)) {
        this.window.completeCount -= this.window.countFromStart(stored.firstOffset, stored.lastOffset)
      }
    }
    if (changes.length > 0) this.#options.onChange()
  }

  async #write(batches: readonly StateBatch[]): Promise<void> {
    const { key, leaderEpoch, persister } = this.#options
    const { startOffset, completeCount } = this.window
    const { error, message } = await persister.write(key, {
      stateEpoch: this.#stateEpoch,
      leaderEpoch,
      startOffset,
      deliveryCompleteCount: completeCount,
      batches,
    })
    if (error !== errors.NONE) throw errorOfPersister(error, message)
  }

  #timedOut(lock: AcquisitionLock): void {
    const { window } = this
    const stored: StateBatch[] = []
    const letGo = (state: InFlightState, firstOffset: number, lastOffset: number) => {
      if (!state.release(this.#released(lastOffset), this.#options.limits().deliveryCount)) return
      stored.push(storedBatch(state, firstOffset, lastOffset))
      if (state.state === RecordState.available) window.mayHaveAvailable = true
      else window.completeCount += window.countFromStart(firstOffset, lastOffset)
    }
    for (const batch of window.batches.between(
      window.batches.floor(lock.firstOffset)?.firstOffset ?? 0,
      lock.lastOffset,
    )) {
      if (batch.whole?.lock === lock) letGo(batch.whole, batch.firstOffset, batch.lastOffset)
      for (const [offset, state] of batch.offsets(lock.firstOffset, lock.lastOffset)) {
        if (state.lock === lock) letGo(state, offset, offset)
      }
    }
    if (stored.length === 0) return
    // The lock is gone whether or not that can be stored: what is not stored is read as available by the next leader.
    const settle = () => {
      if (window.advance()) this.#options.onChange()
    }
    this.#write(stored).then(settle, settle)
    this.#options.onChange()
  }
}

function storedBatch({ state, deliveryCount }: InFlightState, firstOffset: number, lastOffset: number): StateBatch {
  return { firstOffset, lastOffset, deliveryState: state, deliveryCount }
}

function isHeldBy(state: InFlightState, memberId: string): boolean {
  return state.state === RecordState.acquired && state.memberId === memberId
}

function checkOwner(whole: InFlightState, memberId: string): void {
  if (whole.memberId === NO_MEMBER) {
    throw invalidState('The batch cannot be acknowledged. The batch is not in the acquired state.')
  }
  if (whole.memberId !== memberId) throw invalidState('Member is not the owner of batch record')
}

function checkOffset(state: InFlightState, memberId: string): void {
  if (state.state !== RecordState.acquired) {
    throw invalidState('The offset cannot be acknowledged. The offset is not acquired.')
  }
  if (state.memberId !== memberId) throw invalidState('Member is not the owner of offset')
}

function invalidState(message: string): ShareError {
  return new ShareError(errors.INVALID_RECORD_STATE, message)
}

function invalidRequest(message: string): ShareError {
  return new ShareError(errors.INVALID_REQUEST, message)
}
