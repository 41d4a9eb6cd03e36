import type { FetchWait } from './purgatory.ts'

/** More than this many appends that are not committed are remembered as fewer, larger ones. */
const MAX_PENDING = 1000

/** Who is to know when something may have become different for followers, without being asked each time. */
export interface PartitionObserver {
  /**
   * Called before, or just after, anything changes that a follower is told of, or that decides whether it is in sync.
   * `isNews`: a fetch that waits is to be answered.
   */
  changed(isNews: boolean): void
}

/** The fetch requests that wait for more in one partition, and how much of it consumers may not see yet. */
export class PartitionWaits {
  /** With their place in the request: those who see what is committed, and those who see all that is written. */
  readonly #consumers = new Map<FetchWait, number>()
  readonly #followers = new Map<FetchWait, number>()
  readonly #observers = new Set<PartitionObserver>()
  /** Appends that are not committed: where each ends, and its size. */
  #ends: number[] = []
  #sizes: number[] = []

  watch(wait: FetchWait, index: number, seesLogEnd: boolean): void {
    if (seesLogEnd) this.#followers.set(wait, index)
    else this.#consumers.set(wait, index)
  }

  unwatch(wait: FetchWait): void {
    if (!this.#followers.delete(wait)) this.#consumers.delete(wait)
  }

  observe(observer: PartitionObserver): void {
    this.#observers.add(observer)
  }

  unobserve(observer: PartitionObserver): void {
    this.#observers.delete(observer)
  }

  /** See `PartitionObserver`. */
  changed(isNews: boolean): void {
    for (const observer of this.#observers) observer.changed(isNews)
  }

  /** `sizeBytes` are in the log, where nobody but this replica has to have them. */
  appendedAndCommitted(sizeBytes: number): void {
    this.changed(true)
    for (const [wait, index] of this.#followers) wait.grew(index, sizeBytes)
    for (const [wait, index] of this.#consumers) wait.grew(index, sizeBytes)
  }

  /** `sizeBytes` that end at `endOffset` are in the log. */
  appended(endOffset: number, sizeBytes: number): void {
    if (this.#ends.length >= MAX_PENDING) {
      this.#ends[this.#ends.length - 1] = endOffset
      this.#sizes[this.#sizes.length - 1]! += sizeBytes
    } else {
      this.#ends.push(endOffset)
      this.#sizes.push(sizeBytes)
    }
    this.changed(true)
    for (const [wait, index] of this.#followers) wait.grew(index, sizeBytes)
  }

  /** The high watermark is at `offset` now. */
  committed(offset: number): void {
    this.changed(false)
    let count = 0
    let sizeBytes = 0
    while (count < this.#ends.length && this.#ends[count]! <= offset) {
      sizeBytes += this.#sizes[count]!
      count += 1
    }
    if (count > 0) {
      this.#ends.splice(0, count)
      this.#sizes.splice(0, count)
    }
    // What was in the log before this replica had its part in it is not known by its size.
    if (sizeBytes === 0) this.wakeConsumers()
    else for (const [wait, index] of this.#consumers) wait.grew(index, sizeBytes)
  }

  /** The log may be cut back, or end elsewhere than where it was appended to. */
  forgetAppends(): void {
    this.#ends = []
    this.#sizes = []
  }

  wakeConsumers(): void {
    for (const wait of this.#consumers.keys()) wait.wake()
  }

  wakeAll(): void {
    this.changed(true)
    this.wakeConsumers()
    for (const wait of this.#followers.keys()) wait.wake()
  }
}
