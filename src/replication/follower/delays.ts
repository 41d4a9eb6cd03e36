import type { Time } from '../../platform/time.ts'
import type { FollowedPartition } from './followed-partition.ts'

/** The partitions that are not fetched for a while, after errors. */
export class Delays {
  readonly #time: Time
  readonly #onDue: (followed: FollowedPartition) => void
  readonly #delayed = new Set<FollowedPartition>()
  /** No later than the first is due. */
  #nextMs = Number.POSITIVE_INFINITY

  constructor(time: Time, onDue: (followed: FollowedPartition) => void) {
    this.#time = time
    this.#onDue = onDue
  }

  add(followed: FollowedPartition, delayMs: number): void {
    followed.status = 'delayed'
    followed.dueMs = this.#time.monotonicMs() + delayMs
    this.#delayed.add(followed)
    this.#nextMs = Math.min(this.#nextMs, followed.dueMs)
  }

  delete(followed: FollowedPartition): void {
    this.#delayed.delete(followed)
  }

  /** Infinity for never. */
  get untilNextMs(): number {
    if (this.#delayed.size === 0) return Number.POSITIVE_INFINITY
    return Math.max(0, Math.ceil(this.#nextMs - this.#time.monotonicMs()))
  }

  /** Those that are due may be fetched again. */
  release(): void {
    const nowMs = this.#time.monotonicMs()
    if (nowMs < this.#nextMs) return
    this.#nextMs = Number.POSITIVE_INFINITY
    for (const followed of this.#delayed) {
      if (followed.dueMs > nowMs) {
        this.#nextMs = Math.min(this.#nextMs, followed.dueMs)
        continue
      }
      this.#delayed.delete(followed)
      followed.status = 'fetching'
      this.#onDue(followed)
    }
  }
}
