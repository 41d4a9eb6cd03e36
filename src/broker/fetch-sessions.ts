import type { Random } from '../platform/random.ts'
import type { Time } from '../platform/time.ts'
import type { FetchSpec, PartitionFinder } from '../replication/fetch-reader.ts'
import { SessionChanges } from '../replication/session-changes.ts'

export const INITIAL_EPOCH = 0
export const FINAL_EPOCH = -1
export const NO_SESSION = 0

/** A session idle or alive this long may be given up for another one. */
const MIN_EVICTION_MS = 120_000
const MAX_EPOCH = 0x7fff_ffff

/** What a fetch asks of a partition; in a session kept from request to request. */
export interface SessionPartition extends FetchSpec {
  /** '' while no topic of this id is known. */
  topic: string
  topicId: string | undefined
  fetchOffset: number
  maxBytes: number
  currentLeaderEpoch: number
  lastFetchedEpoch: number
  logStartOffset: number
  /** What the client was told last; -1 makes sure that it is told again. */
  sentHighWatermark: number
  sentLogStartOffset: number
}

/** The part of a partition's answer that decides whether an incremental response has to mention it. */
export interface SessionAnswer {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly sizeBytes: number
  readonly isDiverging: boolean
  /** The client is told to read elsewhere. */
  readonly isRedirected: boolean
}

/** A partition's name within sessions: by id where the requests use ids. */
export function sessionKey(topic: string, topicId: string | undefined, partition: number): string {
  return `${topicId ?? topic}:${partition}`
}

/** The partitions that one client fetches, so that requests and responses need only name those that change (KIP-227). */
export class FetchSession {
  readonly id: number
  readonly usesTopicIds: boolean
  readonly isPrivileged: boolean
  readonly createdMs: number
  lastUsedMs: number
  /** The epoch that the next request must carry. */
  epoch = 1
  /** Once a follower fetches by it. */
  #changes: SessionChanges<SessionPartition> | undefined
  /** Partitions of topics of which no name is known. */
  readonly unnamed = new Set<SessionPartition>()
  /** In the order in which they are read; those that gave data go to the end, so that all get their turn. */
  readonly partitions: Map<string, SessionPartition>

  constructor(
    id: number,
    partitions: Map<string, SessionPartition>,
    usesTopicIds: boolean,
    isPrivileged: boolean,
    nowMs: number,
  ) {
    this.id = id
    this.partitions = partitions
    this.usesTopicIds = usesTopicIds
    this.isPrivileged = isPrivileged
    this.createdMs = nowMs
    this.lastUsedMs = nowMs
    for (const partition of partitions.values()) if (partition.topic === '') this.unnamed.add(partition)
  }

  /** Which of its partitions have to be looked at for a follower, registered in this epoch. */
  changesFor(partitions: PartitionFinder, brokerId: number, brokerEpoch: number): SessionChanges<SessionPartition> {
    if (this.#changes?.brokerId !== brokerId || this.#changes.brokerEpoch !== brokerEpoch) {
      this.#changes?.close()
      this.#changes = new SessionChanges(partitions, brokerId, brokerEpoch, this.partitions.values())
    }
    return this.#changes
  }

  close(): void {
    this.#changes?.close()
  }

  update(changed: ReadonlyMap<string, SessionPartition>, forgotten: Iterable<string>): void {
    for (const [key, partition] of changed) {
      const known = this.partitions.get(key)
      this.#changes?.add(known ?? partition)
      if (known === undefined) {
        this.partitions.set(key, partition)
        if (partition.topic === '') this.unnamed.add(partition)
        continue
      }
      known.fetchOffset = partition.fetchOffset
      known.maxBytes = partition.maxBytes
      known.currentLeaderEpoch = partition.currentLeaderEpoch
      known.lastFetchedEpoch = partition.lastFetchedEpoch
      known.logStartOffset = partition.logStartOffset
    }
    for (const key of forgotten) this.#forget(key)
  }

  #forget(key: string): void {
    const partition = this.partitions.get(key)
    if (partition === undefined) return
    this.partitions.delete(key)
    this.unnamed.delete(partition)
    this.#changes?.delete(partition)
  }

  nextEpoch(): void {
    this.epoch = this.epoch === MAX_EPOCH ? 1 : this.epoch + 1
  }

  /** Notes what the client is about to be told; false when it knows all of it already. */
  mustAnswer(key: string, answer: SessionAnswer): boolean {
    const partition = this.partitions.get(key)
    if (partition === undefined) return false
    let must = answer.sizeBytes > 0 || answer.errorCode !== 0 || answer.isDiverging || answer.isRedirected
    if (partition.sentHighWatermark !== answer.highWatermark) must = true
    if (partition.sentLogStartOffset !== answer.logStartOffset) must = true
    partition.sentHighWatermark = answer.errorCode !== 0 || answer.isDiverging ? -1 : answer.highWatermark
    partition.sentLogStartOffset = answer.logStartOffset
    if (answer.sizeBytes > 0) {
      this.partitions.delete(key)
      this.partitions.set(key, partition)
    }
    return must
  }
}

/** All fetch sessions of a broker, at most `slots` of them. */
export class FetchSessionCache {
  readonly #slots: number
  readonly #time: Time
  readonly #random: Random
  /** Least recently used first. */
  readonly #sessions = new Map<number, FetchSession>()

  constructor(slots: number, time: Time, random: Random) {
    this.#slots = slots
    this.#time = time
    this.#random = random
  }

  get size(): number {
    return this.#sessions.size
  }

  get(id: number): FetchSession | undefined {
    return this.#sessions.get(id)
  }

  remove(id: number): void {
    this.#sessions.get(id)?.close()
    this.#sessions.delete(id)
  }

  touch(session: FetchSession): void {
    session.lastUsedMs = this.#time.monotonicMs()
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
  }

  /**
   * A session for these partitions, or undefined when there is no slot for it. `isPrivileged`: a follower's, which takes
   * precedence.
   */
  create(
    partitions: Map<string, SessionPartition>,
    usesTopicIds: boolean,
    isPrivileged: boolean,
  ): FetchSession | undefined {
    const nowMs = this.#time.monotonicMs()
    if (this.#sessions.size >= this.#slots && !this.#evict(partitions.size, isPrivileged, nowMs)) return undefined
    const session = new FetchSession(this.#newId(), partitions, usesTopicIds, isPrivileged, nowMs)
    this.#sessions.set(session.id, session)
    return session
  }

  #newId(): number {
    for (;;) {
      const id = this.#random.below(0x7fff_fffe) + 1
      if (!this.#sessions.has(id)) return id
    }
  }

  /** Gives up the stalest session, or one that is worth less than the new one: not privileged, or smaller. */
  #evict(size: number, isPrivileged: boolean, nowMs: number): boolean {
    let victim: FetchSession | undefined
    for (const session of this.#sessions.values()) {
      if (nowMs - session.lastUsedMs > MIN_EVICTION_MS) {
        this.remove(session.id)
        return true
      }
      const isSettled = nowMs - session.createdMs > MIN_EVICTION_MS
      if (!isSettled && (session.isPrivileged || !isPrivileged)) continue
      if (victim === undefined || compareWorth(session, victim) < 0) victim = session
    }
    if (victim === undefined) return false
    const isWorthMore =
      isPrivileged === victim.isPrivileged ? size > victim.partitions.size : isPrivileged && !victim.isPrivileged
    if (isWorthMore) this.remove(victim.id)
    return isWorthMore
  }
}

function compareWorth(a: FetchSession, b: FetchSession): number {
  if (a.isPrivileged !== b.isPrivileged) return a.isPrivileged ? 1 : -1
  return a.partitions.size - b.partitions.size || a.id - b.id
}
