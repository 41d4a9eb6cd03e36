import type { FetchSession } from './fetch-session.ts'
import type { FollowedPartition } from './followed-partition.ts'
import type { FollowerThrottle } from './follower-options.ts'

/** How long until it is looked again whether throttled partitions may be fetched. */
const LOOK_AGAIN_MS = 100

/**
 * Leaves partitions out while too much is fetched (KIP-73): those that are throttled and not in sync, for one that is would
 * lose its place among the in-sync replicas.
 */
export class Throttling {
  readonly #session: FetchSession
  readonly #throttle: FollowerThrottle | undefined
  readonly #leftOut = new Set<FollowedPartition>()

  constructor(session: FetchSession, throttle: FollowerThrottle | undefined) {
    this.#session = session
    this.#throttle = throttle
  }

  record({ partition: { topic, partition } }: FollowedPartition, sizeBytes: number): void {
    if (this.#throttle?.isThrottled(topic, partition)) this.#throttle.record(sizeBytes)
  }

  delete(followed: FollowedPartition): void {
    this.#leftOut.delete(followed)
  }

  /** Infinity for never. */
  get untilNextMs(): number {
    return this.#leftOut.size === 0 ? Number.POSITIVE_INFINITY : LOOK_AGAIN_MS
  }

  /** To be called before every request. */
  apply(): void {
    if (this.#throttle === undefined) return
    const isExceeded = this.#throttle.isExceeded()
    for (const followed of this.#leftOut) {
      if (isExceeded && this.#isThrottled(followed)) continue
      this.#leftOut.delete(followed)
      followed.status = 'fetching'
      this.#session.mark(followed)
    }
    if (!isExceeded) return
    for (const followed of this.#session.wanted()) {
      if (!followed.isReady || !this.#isThrottled(followed)) continue
      followed.status = 'throttled'
      this.#leftOut.add(followed)
      this.#session.mark(followed)
    }
  }

  #isThrottled({ lag, partition: { topic, partition } }: FollowedPartition): boolean {
    return (lag === undefined || lag > 0) && this.#throttle!.isThrottled(topic, partition)
  }
}
