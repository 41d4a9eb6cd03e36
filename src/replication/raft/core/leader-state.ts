import { ZERO_UUID } from '../../../protocol/uuid.ts'
import { matchesReplica, type ReplicaKey, type Token, type VoterNode } from './types.ts'
import type { VoterSet } from './voters.ts'

/** How far a replica has come, as far as its fetches tell. Times are of the node's clock, -1 for never. */
export interface Progress {
  key: ReplicaKey
  /** -1 for unknown. */
  endOffset: number
  lastFetchMs: number
  lastCaughtUpMs: number
  leaderEndAtLastFetch: number
}

/** A change of voters that is not committed yet. */
export interface VoterChange {
  readonly type: 'addVoter' | 'removeVoter'
  /** Who gets the answer; undefined once it has been given. */
  token: Token | undefined
  readonly deadlineMs: number
  /** The offset of the record with the new voters; undefined before it is written. */
  lastOffset: number | undefined
  /** The voter to be added, while it is asked what it supports. */
  readonly added: { readonly key: ReplicaKey; readonly endpoints: VoterNode['endpoints'] } | undefined
  readonly ackWhenCommitted: boolean
}

/** A leader that has not heard of a majority for this many fetch timeouts resigns. */
const CHECK_QUORUM_FACTOR = 1.5

/** Whoever has not fetched for so long is no observer any more. */
const OBSERVER_SESSION_MS = 300_000

/** A new voter must have caught up within so long. */
const CAUGHT_UP_WITHIN_MS = 3_600_000

/** What a leader knows of the replicas of its log. */
export class LeaderState {
  readonly #self: ReplicaKey
  readonly epochStartOffset: number
  readonly granting: readonly number[]
  /** One past what is committed; -1 until a record of this epoch is. */
  highWatermark = -1
  change: VoterChange | undefined
  /** With kraft.version 0: the voters as they have told of themselves, for the day of the upgrade (KIP-853). */
  volatileVoters: VoterSet | undefined
  #voters = new Map<number, Progress>()
  readonly #observers = new Map<string, Progress>()
  readonly #fetched = new Set<number>()
  readonly #checkQuorumMs: number
  readonly #beginEpochMs: number
  #checkQuorumAtMs: number
  #beginEpochAtMs: number

  constructor(options: {
    readonly self: ReplicaKey
    readonly voters: VoterSet
    readonly granting: readonly number[]
    readonly epochStartOffset: number
    readonly fetchTimeoutMs: number
    readonly nowMs: number
  }) {
    this.#self = options.self
    this.granting = options.granting
    this.epochStartOffset = options.epochStartOffset
    this.#checkQuorumMs = Math.floor(options.fetchTimeoutMs * CHECK_QUORUM_FACTOR)
    this.#beginEpochMs = Math.floor(options.fetchTimeoutMs / 2)
    this.#checkQuorumAtMs = options.nowMs + this.#checkQuorumMs
    this.#beginEpochAtMs = options.nowMs
    for (const node of options.voters.nodes) this.#voters.set(node.id, newProgress(node))
  }

  get voters(): Progress[] {
    return [...this.#voters.values()]
  }

  observers(nowMs: number): Progress[] {
    for (const [name, { key, lastFetchMs }] of this.#observers) {
      if (key.id !== this.#self.id && nowMs - lastFetchMs >= OBSERVER_SESSION_MS) this.#observers.delete(name)
    }
    return [...this.#observers.values()]
  }

  /** Infinity for a voter that is alone; likewise below. */
  get checkQuorumAtMs(): number {
    return this.#isAlone ? Number.POSITIVE_INFINITY : this.#checkQuorumAtMs
  }

  get beginEpochAtMs(): number {
    return this.#isAlone ? Number.POSITIVE_INFINITY : this.#beginEpochAtMs
  }

  get #isAlone(): boolean {
    return this.#voters.size === 1 && this.#voters.has(this.#self.id)
  }

  /** The voters that seem not to know of this leader; they are told of it. */
  takeSilentVoters(nowMs: number): ReplicaKey[] {
    this.#beginEpochAtMs = nowMs + this.#beginEpochMs
    return this.voters
      .filter(({ key, lastFetchMs }) => {
        return key.id !== this.#self.id && (lastFetchMs < 0 || nowMs - lastFetchMs >= this.#beginEpochMs)
      })
      .map(({ key }) => key)
  }

  /** A voter has shown that it follows this leader. */
  heardOf(key: ReplicaKey, nowMs: number): void {
    const voter = this.#voters.get(key.id)
    if (voter !== undefined && matchesReplica(voter.key, key)) this.#fetched.add(key.id)
    const others = Math.floor(this.#voters.size / 2) + (this.#voters.has(this.#self.id) ? 0 : 1)
    if (this.#fetched.size < others) return
    this.#fetched.clear()
    this.#checkQuorumAtMs = nowMs + this.#checkQuorumMs
  }

  /** This node's log is on stable storage up to `endOffset`, and these are the voters now. Answers whether more is committed. */
  updateSelf(endOffset: number, voters: VoterSet): boolean {
    this.#progressOf(this.#self).endOffset = endOffset
    this.#updateVoters(voters)
    return this.#advance()
  }

  /** A replica has all before `fetchOffset` on stable storage. Answers whether more is committed. */
  updateReplica(key: ReplicaKey, fetchOffset: number, leaderEndOffset: number, nowMs: number): boolean {
    if (key.id < 0) return false
    const progress = this.#progressOf(key)
    if (fetchOffset >= leaderEndOffset) progress.lastCaughtUpMs = nowMs
    else if (progress.leaderEndAtLastFetch > 0 && fetchOffset >= progress.leaderEndAtLastFetch) {
      progress.lastCaughtUpMs = Math.max(progress.lastCaughtUpMs, progress.lastFetchMs)
    }
    progress.leaderEndAtLastFetch = leaderEndOffset
    progress.lastFetchMs = nowMs
    progress.endOffset = fetchOffset
    this.heardOf(key, nowMs)
    return this.#voters.get(key.id) === progress && this.#advance()
  }

  /** Whether it fetches, and has come near the end of the log. */
  isCaughtUp(key: ReplicaKey, nowMs: number): boolean {
    const progress = this.#observers.get(nameOf(key))
    return progress !== undefined && progress.lastCaughtUpMs >= 0 && nowMs - progress.lastFetchMs < CAUGHT_UP_WITHIN_MS
  }

  /** The other voters, the one with the longest log first. */
  successors(): ReplicaKey[] {
    return this.#byEnd()
      .map(({ key }) => key)
      .filter(({ id }) => id !== this.#self.id)
  }

  #byEnd(): Progress[] {
    return this.voters.sort((a, b) => b.endOffset - a.endOffset || a.key.id - b.key.id)
  }

  /** Raft, section 5.4.2: only a record of the leader's own epoch shows that what is before it is committed. */
  #advance(): boolean {
    const { endOffset } = this.#byEnd()[Math.floor(this.#voters.size / 2)]!
    if (endOffset <= this.epochStartOffset || endOffset <= this.highWatermark) return false
    this.highWatermark = endOffset
    return true
  }

  #progressOf(key: ReplicaKey): Progress {
    const voter = this.#voters.get(key.id)
    if (voter !== undefined && matchesReplica(voter.key, key)) return voter
    const name = nameOf(key)
    let observer = this.#observers.get(name)
    if (observer === undefined) {
      observer = newProgress(key)
      this.#observers.set(name, observer)
    }
    return observer
  }

  #updateVoters(voters: VoterSet): void {
    const before = this.#voters
    const now = new Map<number, Progress>()
    for (const node of voters.nodes) {
      const progress = this.#progressOf(node)
      this.#observers.delete(nameOf(node))
      before.delete(node.id)
      progress.key = { id: node.id, directoryId: node.directoryId }
      now.set(node.id, progress)
    }
    this.#voters = now
    for (const progress of before.values()) this.#observers.set(nameOf(progress.key), progress)
  }
}

function newProgress({ id, directoryId }: ReplicaKey): Progress {
  const key = { id, directoryId }
  return { key, endOffset: -1, lastFetchMs: -1, lastCaughtUpMs: -1, leaderEndAtLastFetch: -1 }
}

function nameOf({ id, directoryId }: ReplicaKey): string {
  return `${id} ${directoryId || ZERO_UUID}`
}
