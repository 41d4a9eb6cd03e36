import type { FetchRequestInput } from '../../protocol/messages/fetch.ts'
import type { FollowedPartition } from './followed-partition.ts'

const NO_SESSION = 0
const INITIAL_EPOCH = 0
const MAX_EPOCH = 0x7fff_ffff

/** What a request says of a partition. */
export interface Asked {
  readonly offset: number
  readonly logStartOffset: number
  readonly leaderEpoch: number
  /** -1 for none. */
  readonly lastFetchedEpoch: number
}

export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  /** Those of which the leader is told: all with the first request of a session, else what is new of them. */
  readonly partitions: readonly FollowedPartition[]
  readonly forgotten: readonly FollowedPartition[]
  /** Whether it begins to fetch a partition. */
  readonly isAdding: boolean
}

/**
 * The follower's side of a fetch session (KIP-227): the leader keeps what it was told of each partition, so that a request
 * costs what has changed since the last one, and not what is followed.
 */
export class FetchSession {
  #id = NO_SESSION
  #epoch = INITIAL_EPOCH
  /** What is fetched, with the last request said of it; those that gave data longest ago first. */
  readonly #asked = new Map<FollowedPartition, Asked>()
  readonly #byTopic = new Map<string, Map<number, FollowedPartition>>()
  /** Those of which the next request may have to say something. */
  readonly #marked = new Set<FollowedPartition>()

  /** How many partitions are fetched. */
  get size(): number {
    return this.#asked.size
  }

  /** What is asked of a partition, whether it is to be fetched at all, may have changed. */
  mark(partition: FollowedPartition): void {
    this.#marked.add(partition)
  }

  /** The partitions that are fetched, or are about to be. */
  *wanted(): Generator<FollowedPartition> {
    yield* this.#asked.keys()
    yield* [...this.#marked]
  }

  /** A partition that the last request was for; it may have changed since. */
  find(topicId: string, partition: number): FollowedPartition | undefined {
    return this.#byTopic.get(topicId)?.get(partition)
  }

  /** What the last request said of it. */
  asked(partition: FollowedPartition): Asked | undefined {
    return this.#asked.get(partition)
  }

  /** It gave data: where a request has to name all partitions, others come first. */
  putLast(partition: FollowedPartition): void {
    const asked = this.#asked.get(partition)
    if (asked === undefined) return
    this.#asked.delete(partition)
    this.#asked.set(partition, asked)
  }

  /** The next request; undefined when there is nothing to ask for. */
  next(): SessionRequest | undefined {
    const changed: FollowedPartition[] = []
    const forgotten: FollowedPartition[] = []
    const before = this.#asked.size
    // Those that go must be gone before those of the same name come.
    for (const partition of this.#marked) {
      if (!partition.isReady && this.#asked.delete(partition)) {
        this.#unlist(partition)
        forgotten.push(partition)
      }
    }
    const kept = before - forgotten.length
    for (const partition of this.#marked) if (partition.isReady && this.#ask(partition)) changed.push(partition)
    this.#marked.clear()
    const { isFull } = this
    // In another epoch it may be fetched on, and to forget is what the leader does last.
    const gone = forgotten.filter(({ partition }) => this.find(partition.topicId, partition.partition) === undefined)
    if (this.#asked.size === 0 && (isFull || gone.length === 0)) return undefined
    return {
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      partitions: isFull ? [...this.#asked.keys()] : changed,
      forgotten: isFull ? [] : gone,
      isAdding: this.#asked.size > kept,
    }
  }

  /** Answers whether the leader does not know that yet. */
  #ask(partition: FollowedPartition): boolean {
    const before = this.#asked.get(partition)
    const now = partition.wanted()
    if (before !== undefined && sameAsked(before, now)) return false
    this.#asked.set(partition, now)
    if (before === undefined) this.#list(partition)
    return true
  }

  #list(followed: FollowedPartition): void {
    const { topicId, partition } = followed.partition
    let partitions = this.#byTopic.get(topicId)
    if (partitions === undefined) {
      partitions = new Map()
      this.#byTopic.set(topicId, partitions)
    }
    partitions.set(partition, followed)
  }

  #unlist(followed: FollowedPartition): void {
    const { topicId, partition } = followed.partition
    const partitions = this.#byTopic.get(topicId)
    if (partitions?.get(partition) !== followed) return
    partitions.delete(partition)
    if (partitions.size === 0) this.#byTopic.delete(topicId)
  }

  /** The last request was answered: with all that it was for, if it was a full one. */
  answered(sessionId: number): void {
    const isNew = this.#epoch === INITIAL_EPOCH
    this.#id = sessionId
    if (sessionId === NO_SESSION) this.#epoch = INITIAL_EPOCH
    else if (isNew || this.#epoch === MAX_EPOCH) this.#epoch = 1
    else this.#epoch += 1
  }

  /** Whether the last request named all that is fetched. */
  get isFull(): boolean {
    return this.#epoch === INITIAL_EPOCH
  }

  /** It is not known what the leader knows: the next request names everything. `isGone`: the leader has no such session. */
  restart(isGone: boolean): void {
    if (isGone) this.#id = NO_SESSION
    this.#epoch = INITIAL_EPOCH
  }
}

function sameAsked(a: Asked, b: Asked): boolean {
  return (
    a.offset === b.offset &&
    a.logStartOffset === b.logStartOffset &&
    a.leaderEpoch === b.leaderEpoch &&
    a.lastFetchedEpoch === b.lastFetchedEpoch
  )
}

/** The part of a request that names partitions. Neighbours of one topic share an entry. */
export function requestTopics(
  session: FetchSession,
  { partitions, forgotten }: SessionRequest,
  partitionMaxBytes: number,
): Pick<FetchRequestInput, 'topics' | 'forgottenTopicsData'> {
  const topics = groupByTopic(partitions, (followed) => {
    const { offset, logStartOffset, leaderEpoch, lastFetchedEpoch } = session.asked(followed)!
    return {
      partition: followed.partition.partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: offset,
      lastFetchedEpoch,
      logStartOffset,
      partitionMaxBytes,
    }
  })
  return { topics, forgottenTopicsData: groupByTopic(forgotten, ({ partition }) => partition.partition) }
}

function groupByTopic<T>(
  partitions: readonly FollowedPartition[],
  itemOf: (partition: FollowedPartition) => T,
): { topicId: string; partitions: T[] }[] {
  const topics: { topicId: string; partitions: T[] }[] = []
  let last: { topicId: string; partitions: T[] } | undefined
  for (const followed of partitions) {
    const { topicId } = followed.partition
    if (last?.topicId !== topicId) {
      last = { topicId, partitions: [] }
      topics.push(last)
    }
    last.partitions.push(itemOf(followed))
  }
  return topics
}
