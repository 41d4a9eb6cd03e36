import type { SnapshotId } from '../types.ts'
import type { LeaderState } from './leader-state.ts'
import type { ReplicaKey } from './types.ts'
import type { Votes } from './votes.ts'

/**
 * What a node is in its epoch.
 *
 * | from        | to          | when                                                                            |
 * |-------------|-------------|---------------------------------------------------------------------------------|
 * | any         | unattached  | a higher epoch without a leader is heard of                                     |
 * | any         | follower    | a leader of a higher epoch is heard of                                          |
 * | unattached  | prospective | the election timeout is over                                                    |
 * | unattached  | follower    | the leader of the epoch is heard of; likewise prospective, candidate, resigned  |
 * | prospective | candidate   | a majority would vote for this node (KIP-996)                                   |
 * | prospective | follower    | they would not, or did not say so in time, and the leader is known              |
 * | prospective | unattached  | the same, and the leader is not known                                           |
 * | candidate   | leader      | a majority has voted for this node                                              |
 * | candidate   | prospective | the election timeout is over                                                    |
 * | follower    | prospective | the leader has not answered a fetch within the fetch timeout                    |
 * | leader      | resigned    | no majority fetches, the node stops, or it is no voter any more                 |
 * | resigned    | unattached  | the election timeout is over; it goes on in the next epoch                      |
 *
 * Observers are unattached or followers only.
 */
export type Role = Unattached | Nominee | Leader | Follower | Resigned

export interface Unattached {
  readonly name: 'unattached'
  readonly electionAtMs: number
}

export interface Nominee {
  readonly name: 'prospective' | 'candidate'
  readonly votes: Votes
  readonly electionAtMs: number
}

export interface Leader {
  readonly name: 'leader'
  readonly state: LeaderState
}

export interface Follower {
  readonly name: 'follower'
  fetchUntilMs: number
  /** Its leader has answered. */
  hasFetched: boolean
  /** What the leader has said is committed; -1 for unknown. */
  leaderHighWatermark: number
  /** A snapshot that is being fetched, how much of it is here, and whether that is all. */
  snapshot: { readonly id: SnapshotId; positionBytes: number; isWhole: boolean } | undefined
  /** When to see whether the leader knows this node as it is now. */
  updateVoterAtMs: number
  /** With kraft.version 0: the leader has been told of this node. */
  hasUpdatedLeader: boolean
}

export interface Resigned {
  readonly name: 'resigned'
  readonly electionAtMs: number
  /** Voters that have not been told yet. */
  readonly unacknowledged: Set<number>
  readonly successors: readonly ReplicaKey[]
}
