import type { FetchResult, FetchSpec, PartitionFinder } from './fetch-reader.ts'
import type { FollowerProgress } from './follower-progress.ts'
import type { Partition } from './partition.ts'
import type { PartitionObserver } from './partition-waits.ts'

/** One partition of a session. */
class Watch implements PartitionObserver {
  readonly partition: Partition
  readonly #onChange: (isNews: boolean) => void
  /** While the session's fetches count as fetches of this partition. */
  #progress: FollowerProgress | undefined

  constructor(partition: Partition, onChange: (isNews: boolean) => void) {
    this.partition = partition
    this.#onChange = onChange
    partition.observe(this)
  }

  changed(isNews: boolean): void {
    this.#progress?.settle()
    this.#progress = undefined
    this.#onChange(isNews)
  }

  keepsUp(progress: FollowerProgress, session: { readonly lastFetchMs: number }): void {
    this.#progress = progress
    progress.keepsUp(session)
  }

  end(): void {
    this.#progress?.settle()
    this.partition.unobserve(this)
  }
}

/**
 * Which partitions of a follower's session have to be looked at: a fetch is to cost what has changed since the last one,
 * and not what is followed. A partition is left out when its follower is in sync, has all there is, and has been told so;
 * until something changes, its fetches say nothing new of it but that it lives.
 */
export class SessionChanges<Spec extends FetchSpec = FetchSpec> {
  readonly brokerId: number
  /** In which epoch the follower is registered, -1 where it does not say. */
  readonly brokerEpoch: number
  /** When the follower fetched last, by the clock that never goes back. */
  lastFetchMs = Number.NEGATIVE_INFINITY
  #isOver = false
  readonly #partitions: PartitionFinder
  /** What is in the session; undefined where no such partition is known here. */
  readonly #watches = new Map<Spec, Watch | undefined>()
  /** To be looked at with the next fetch, those that gave records longest ago first. */
  readonly #due: Set<Spec>
  /** Fetches that wait, with the partitions that none of them is to be told of. */
  readonly #sleepers = new Map<() => void, ReadonlySet<Spec>>()
  /** What has come since `take` that fetches that wait are told of. */
  readonly #news = new Set<Spec>()

  constructor(partitions: PartitionFinder, brokerId: number, brokerEpoch: number, specs: Iterable<Spec>) {
    this.#partitions = partitions
    this.brokerId = brokerId
    this.brokerEpoch = brokerEpoch
    this.#due = new Set(specs)
    for (const spec of this.#due) this.#watches.set(spec, undefined)
  }

  /** A fetch says something of a partition, perhaps for the first time. */
  add(spec: Spec): void {
    this.#due.add(spec)
    if (!this.#watches.has(spec)) this.#watches.set(spec, undefined)
  }

  delete(spec: Spec): void {
    this.#due.delete(spec)
    this.#watches.get(spec)?.end()
    this.#watches.delete(spec)
  }

  /** The session is over: nothing tells a fetch that waits of what changes any more. */
  close(): void {
    this.#isOver = true
    for (const watch of this.#watches.values()) watch?.end()
    this.#watches.clear()
    this.#due.clear()
    for (const wake of this.#sleepers.keys()) wake()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** All that are to be looked at now. What becomes of them is to be told to `answered`. */
  take(): Spec[] {
    const specs = [...this.#due]
    this.#due.clear()
    this.#news.clear()
    for (const spec of specs) this.#watch(spec)
    return specs
  }

  #watch(spec: Spec): void {
    const partition = this.#partitions.get(spec.topic, spec.partition)
    const watch = this.#watches.get(spec)
    if (watch !== undefined && watch.partition === partition) return
    watch?.end()
    const onChange = (isNews: boolean) => this.#changed(spec, isNews)
    this.#watches.set(spec, partition && new Watch(partition, onChange))
  }

  #changed(spec: Spec, isNews: boolean): void {
    this.#due.add(spec)
    if (!isNews) return
    this.#news.add(spec)
    for (const [wake, ignored] of this.#sleepers) if (!ignored.has(spec)) wake()
  }

  /**
   * Calls `wake` when there is something to be told, until `awake`; at once where that has come since `take`. `ignored`: of
   * which the follower gets nothing now.
   */
  sleep(wake: () => void, ignored: ReadonlySet<Spec>): void {
    this.#sleepers.set(wake, ignored)
    for (const spec of this.#news) if (!ignored.has(spec)) wake()
  }

  awake(wake: () => void): void {
    this.#sleepers.delete(wake)
  }

  /** The follower is being told this of what was taken. */
  answered(specs: readonly Spec[], results: readonly FetchResult[]): void {
    const withRecords: Spec[] = []
    for (const [index, spec] of specs.entries()) {
      if (!this.#watches.has(spec)) continue
      const result = results[index]!
      if (result.sizeBytes > 0) withRecords.push(spec)
      else if (!this.#due.has(spec) && !this.#isDone(spec, result)) this.#due.add(spec)
    }
    for (const spec of withRecords) {
      this.#due.delete(spec)
      this.#due.add(spec)
    }
  }

  /** They were not answered. */
  putBack(specs: readonly Spec[]): void {
    for (const spec of specs) if (this.#watches.has(spec)) this.#due.add(spec)
  }

  #isDone(spec: Spec, { error, divergingEpoch, logEndOffset }: FetchResult): boolean {
    const watch = this.#watches.get(spec)
    if (watch === undefined || error.code !== 0 || divergingEpoch !== undefined) return false
    const progress = watch.partition.inSyncFollower(this.brokerId)
    // What a follower says that is not in sync may let it join.
    if (progress === undefined || spec.fetchOffset !== logEndOffset) return false
    watch.keepsUp(progress, this)
    return true
  }
}
