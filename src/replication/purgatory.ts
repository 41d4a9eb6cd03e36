import type { Scheduled, Time } from '../platform/time.ts'

/** Where a fetch waits for more. */
interface WatchedPartition {
  /** `seesLogEnd`: what is written counts, whether it is committed or not. */
  watch(wait: FetchWait, index: number, seesLogEnd: boolean): void
  unwatch(wait: FetchWait): void
}

/** What a waiting fetch watches in one partition. */
export interface Watched {
  readonly partition: WatchedPartition
  /** Bytes that can be read now. */
  readonly availableBytes: number
  /** Most bytes that this partition may contribute to the answer. */
  readonly maxBytes: number
}

/**
 * A fetch request that waits until enough bytes have come, its time is up, or something happened to a partition. Counts
 * what can be read instead of reading again on every append.
 */
export class FetchWait {
  readonly #watched: readonly Watched[]
  readonly #available: number[]
  readonly #timer: Scheduled
  readonly #onDone: () => void
  #missingBytes: number
  #isDone = false

  /**
   * `minBytes` above what is available; `maxWaitMs` above 0. `onDone` is called once. `seesLogEnd`: for a follower, which gets
   * what is not committed, too.
   */
  constructor(
    time: Time,
    watched: readonly Watched[],
    minBytes: number,
    maxWaitMs: number,
    onDone: () => void,
    seesLogEnd = false,
  ) {
    this.#watched = watched
    this.#available = watched.map((entry) => Math.min(entry.availableBytes, entry.maxBytes))
    this.#missingBytes = this.#available.reduce((missing, bytes) => missing - bytes, minBytes)
    this.#onDone = onDone
    this.#timer = time.after(maxWaitMs, () => this.wake())
    for (const [index, entry] of watched.entries()) entry.partition.watch(this, index, seesLogEnd)
  }

  /** `sizeBytes` more can be read from the partition at `index`. */
  grew(index: number, sizeBytes: number): void {
    const before = this.#available[index]!
    const after = Math.min(before + sizeBytes, this.#watched[index]!.maxBytes)
    this.#available[index] = after
    this.#missingBytes -= after - before
    if (this.#missingBytes <= 0) this.wake()
  }

  /** Ends the waiting now. */
  wake(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#timer.cancel()
    for (const { partition } of this.#watched) partition.unwatch(this)
    this.#onDone()
  }
}
