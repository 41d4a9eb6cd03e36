const NEVER_MS = Number.NEGATIVE_INFINITY
const UNKNOWN_OFFSET = -1

/** How far a follower is, as the leader learns it from what the follower asks for. Times are of the clock that never goes back. */
export class FollowerProgress {
  readonly brokerId: number
  /** -1 before its first fetch, as the next. */
  logStartOffset = UNKNOWN_OFFSET
  logEndOffset = UNKNOWN_OFFSET
  /** Of the broker that fetched last: -1 where it did not say (KIP-903), undefined before its first fetch. */
  brokerEpoch: number | undefined
  #lastCaughtUpMs = NEVER_MS
  #lastFetchMs = NEVER_MS
  #leaderEndAtLastFetch = UNKNOWN_OFFSET

  /** Its fetches, of which this partition does not hear because it has all there is. */
  #session: { readonly lastFetchMs: number } | undefined

  constructor(brokerId: number) {
    this.brokerId = brokerId
  }

  /** When it last had all that the leader had. */
  get lastCaughtUpMs(): number {
    return Math.max(this.#lastCaughtUpMs, this.#session?.lastFetchMs ?? NEVER_MS)
  }

  /** It has all there is: until `settle`, every fetch of the session says so again. */
  keepsUp(session: { readonly lastFetchMs: number }): void {
    this.settle()
    this.#session = session
  }

  settle(): void {
    if (this.#session === undefined) return
    const { lastFetchMs } = this.#session
    this.#session = undefined
    this.#lastCaughtUpMs = Math.max(this.#lastCaughtUpMs, lastFetchMs)
    this.#lastFetchMs = Math.max(this.#lastFetchMs, lastFetchMs)
  }

  /** The leader is elected again, and is where it was: what it knew of the follower holds, but for the times. */
  restart(leaderEndOffset: number, isInSync: boolean, nowMs: number): void {
    this.settle()
    this.#leaderEndAtLastFetch = leaderEndOffset
    this.#lastFetchMs = isInSync ? nowMs : NEVER_MS
    this.#lastCaughtUpMs = this.#lastFetchMs
  }

  /** A new leader takes those in sync to be caught up, or it would have to throw them all out. */
  assumeCaughtUp(nowMs: number): void {
    this.#lastCaughtUpMs = nowMs
  }

  /** Whether it has fetched since it was known not to be in sync. */
  get hasFetched(): boolean {
    return this.#lastFetchMs !== NEVER_MS
  }

  /** It is not caught up before it fetches again, whenever it was. */
  fellBehind(): void {
    this.#session = undefined
    this.#lastCaughtUpMs = NEVER_MS
    this.#lastFetchMs = NEVER_MS
  }

  /** It asked for what is at `offset`, and so has all before it, while the leader's log ended at `leaderEndOffset`. */
  fetched(offset: number, logStartOffset: number, brokerEpoch: number, leaderEndOffset: number, nowMs: number): void {
    this.settle()
    if (offset >= leaderEndOffset) this.#lastCaughtUpMs = Math.max(this.#lastCaughtUpMs, nowMs)
    // It has what the leader had when it last asked. Where records come all the time it may never have more.
    else if (offset >= this.#leaderEndAtLastFetch) {
      this.#lastCaughtUpMs = Math.max(this.#lastCaughtUpMs, this.#lastFetchMs)
    }
    this.logStartOffset = logStartOffset
    this.logEndOffset = offset
    this.brokerEpoch = brokerEpoch
    this.#leaderEndAtLastFetch = Math.max(this.#leaderEndAtLastFetch, leaderEndOffset)
    this.#lastFetchMs = nowMs
  }

  /** Whether it has all, or had at some moment of the last `maxLagMs`. */
  isCaughtUp(leaderEndOffset: number, nowMs: number, maxLagMs: number): boolean {
    return this.logEndOffset === leaderEndOffset || nowMs - this.lastCaughtUpMs <= maxLagMs
  }
}
