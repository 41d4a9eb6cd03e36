import type { Followers } from '../followers.ts'
import type { Partition } from '../partition.ts'
import { Fetcher } from './fetcher.ts'
import type { FetcherManagerOptions } from './follower-options.ts'

/**
 * Copies the logs of leaders to the replicas that this broker has of them: num.replica.fetchers connections to each of the
 * leaders, among which the partitions are spread.
 *
 * `follow` and `stop` come from the `ReplicaManager`, which gets it as `followers`; the endpoint and the settings are asked for
 * with every request. Still it is better told of changes: of settings for the number of fetchers, of brokers for what is under
 * way to one that has moved. To be closed before the logs are.
 */
export class FetcherManager implements Followers {
  readonly #options: FetcherManagerOptions
  /** By leader and index. */
  readonly #fetchers = new Map<string, Fetcher>()
  readonly #places = new Map<Partition, Fetcher>()
  #fetcherCount: number
  #isClosed = false

  constructor(options: FetcherManagerOptions) {
    this.#options = options
    this.#fetcherCount = options.settings().fetcherCount
  }

  /** Partitions that are followed. */
  get partitionCount(): number {
    return this.#places.size
  }

  /** Those of them that wait for another leader epoch, because they failed in this one. */
  get failedCount(): number {
    let count = 0
    for (const fetcher of this.#fetchers.values()) count += fetcher.failedCount
    return count
  }

  follow(partition: Partition): void {
    if (this.#isClosed) return
    const fetcher = this.#fetcherOf(partition)
    const before = this.#places.get(partition)
    if (before !== fetcher) before?.stop(partition)
    this.#places.set(partition, fetcher)
    fetcher.follow(partition)
  }

  stop(partition: Partition): void {
    this.#places.get(partition)?.stop(partition)
    this.#places.delete(partition)
  }

  #fetcherOf(partition: Partition): Fetcher {
    const { leader } = partition.state
    const index = fetcherIndex(partition, this.#fetcherCount)
    const key = `${leader} ${index}`
    let fetcher = this.#fetchers.get(key)
    if (fetcher === undefined) {
      fetcher = new Fetcher(leader, index, this.#options)
      this.#fetchers.set(key, fetcher)
    }
    return fetcher
  }

  /** Settings may be others now. */
  settingsChanged(): void {
    const { fetcherCount } = this.#options.settings()
    if (fetcherCount === this.#fetcherCount) return
    this.#fetcherCount = fetcherCount
    for (const partition of [...this.#places.keys()]) this.follow(partition)
  }

  /** Brokers may have come, gone or moved. */
  brokersChanged(): void {
    for (const fetcher of this.#fetchers.values()) fetcher.brokersChanged()
  }

  /** Nothing is followed any more. Resolves when nothing more is appended. */
  async close(): Promise<void> {
    this.#isClosed = true
    const fetchers = [...this.#fetchers.values()]
    this.#fetchers.clear()
    this.#places.clear()
    await Promise.all(fetchers.map((fetcher) => fetcher.close()))
  }
}

/** As in Apache Kafka, so that the partitions of a topic are spread evenly. */
function fetcherIndex({ topic, partition }: Partition, fetcherCount: number): number {
  let hash = 0
  for (let i = 0; i < topic.length; i++) hash = (Math.imul(31, hash) + topic.charCodeAt(i)) | 0
  const mixed = (Math.imul(31, hash) + partition) | 0
  return (mixed & 0x7fff_ffff) % fetcherCount
}
