import type { KafkaError } from '../../../protocol/errors.ts'
import { ZERO_UUID } from '../../../protocol/uuid.ts'
import type { SnapshotId, Voter, VoterEndpoint } from '../types.ts'

/** A node with the directory that its metadata log is in: a wiped disk makes another replica of the same node. */
export interface ReplicaKey {
  /** -1 for a reader that is no node. */
  readonly id: number
  /** ZERO_UUID where it is not known: with static voters, and from old versions. */
  readonly directoryId: string
}

/** Levels of kraft.version. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

export interface VoterNode extends Voter {
  readonly kraftVersions: VersionRange
}

/** Whom a request is sent to. Bootstrap servers, whose ids nobody has told, have ids below -1. */
export interface Peer {
  readonly id: number
  readonly host: string
  readonly port: number
}

/** What must outlive a crash. Ids are -1 for none. */
export interface Election {
  readonly epoch: number
  readonly leaderId: number
  readonly voted: ReplicaKey | undefined
}

export interface VoteRequest {
  readonly type: 'vote'
  readonly clusterId: string | null
  readonly epoch: number
  readonly candidate: ReplicaKey
  /** Whom the sender takes the receiver for; undefined from versions that do not say. */
  readonly voter: ReplicaKey | undefined
  readonly lastEpoch: number
  readonly lastOffset: number
  /** Asks only whether a vote would be granted (KIP-996). */
  readonly isPreVote: boolean
}

export interface BeginQuorumEpochRequest {
  readonly type: 'beginQuorumEpoch'
  readonly clusterId: string | null
  readonly epoch: number
  readonly leaderId: number
  readonly leaderEndpoints: readonly VoterEndpoint[]
  readonly voter: ReplicaKey | undefined
}

export interface EndQuorumEpochRequest {
  readonly type: 'endQuorumEpoch'
  readonly clusterId: string | null
  readonly epoch: number
  readonly leaderId: number
  readonly leaderEndpoints: readonly VoterEndpoint[]
  /** The first of them stands for election at once, the others after a while. */
  readonly successors: readonly ReplicaKey[]
}

export interface FetchRequest {
  readonly type: 'fetch'
  readonly clusterId: string | null
  /** The epoch that the sender is in. */
  readonly epoch: number
  readonly replica: ReplicaKey
  readonly fetchOffset: number
  readonly lastFetchedEpoch: number
  /** -1 for unknown. */
  readonly highWatermark: number
  readonly maxWaitMs: number
  readonly maxBytes: number
}

export interface FetchSnapshotRequest {
  readonly type: 'fetchSnapshot'
  readonly clusterId: string | null
  readonly epoch: number
  readonly replica: ReplicaKey
  readonly snapshot: SnapshotId
  readonly positionBytes: number
  readonly maxBytes: number
}

export interface AddVoterRequest {
  readonly type: 'addVoter'
  readonly clusterId: string | null
  readonly voter: ReplicaKey
  readonly endpoints: readonly VoterEndpoint[]
  /** False: the answer may come before the new set of voters is committed. */
  readonly ackWhenCommitted: boolean
}

export interface RemoveVoterRequest {
  readonly type: 'removeVoter'
  readonly clusterId: string | null
  readonly voter: ReplicaKey
}

export interface UpdateVoterRequest {
  readonly type: 'updateVoter'
  readonly clusterId: string | null
  readonly epoch: number
  readonly voter: ReplicaKey
  readonly endpoints: readonly VoterEndpoint[]
  readonly kraftVersions: VersionRange
}

/** Asks which levels of kraft.version a node that is to be a voter supports. */
export interface VersionsRequest {
  readonly type: 'versions'
}

export type RaftRequest =
  | VoteRequest
  | BeginQuorumEpochRequest
  | EndQuorumEpochRequest
  | FetchRequest
  | FetchSnapshotRequest
  | AddVoterRequest
  | RemoveVoterRequest
  | UpdateVoterRequest
  | VersionsRequest

/** What every answer says of who leads. */
export interface Leadership {
  readonly epoch: number
  /** -1 for unknown. */
  readonly leaderId: number
  /** Empty where the answer's version has no room for them, or they are not known. */
  readonly leaderEndpoints: readonly VoterEndpoint[]
}

interface Answer extends Leadership {
  readonly error: KafkaError
  /** The error is the whole response's, which then says nothing else. */
  readonly isTopLevel?: boolean
}

export interface VoteResponse extends Answer {
  readonly type: 'vote'
  readonly isGranted: boolean
}

export interface QuorumEpochResponse extends Answer {
  readonly type: 'beginQuorumEpoch' | 'endQuorumEpoch'
}

export interface FetchResponse extends Answer {
  readonly type: 'fetch'
  /** -1 for unknown. */
  readonly highWatermark: number
  readonly logStartOffset: number
  /** Where the sender's log parts from the leader's. */
  readonly diverging: SnapshotId | undefined
  /** What has to be fetched first, since the log does not reach back. */
  readonly snapshot: SnapshotId | undefined
  /** Batches from the offset asked for on, whole. Left out by the core, which does not read: see `read`. */
  readonly records?: Buffer
  /** Whoever sends the answer puts in the batches from `offset` up to `upTo`. */
  readonly read?: { readonly offset: number; readonly upTo: number; readonly maxBytes: number }
}

export interface FetchSnapshotResponse extends Answer {
  readonly type: 'fetchSnapshot'
  readonly snapshot: SnapshotId
  readonly sizeBytes: number
  readonly positionBytes: number
  readonly bytes?: Buffer
  /** Whoever sends the answer puts in the bytes. */
  readonly read?: { readonly positionBytes: number; readonly maxBytes: number }
}

export interface VoterChangeResponse {
  readonly type: 'addVoter' | 'removeVoter'
  readonly error: KafkaError
  readonly message: string | null
}

export interface UpdateVoterResponse extends Answer {
  readonly type: 'updateVoter'
}

export interface VersionsResponse {
  readonly type: 'versions'
  readonly error: KafkaError
  /** undefined from a node that knows nothing of the feature. */
  readonly kraftVersions: VersionRange | undefined
}

export type RaftResponse =
  | VoteResponse
  | QuorumEpochResponse
  | FetchResponse
  | FetchSnapshotResponse
  | VoterChangeResponse
  | UpdateVoterResponse
  | VersionsResponse

/** Identifies a request to whoever has to bring the answer back. */
export type Token = number

/**
 * What is to be done, in this order. An `election` must be on stable storage before anything after it is done. Writes to
 * the log (`append`, `truncate`, `restart`, `snapshotBytes`) are done one after the other, and `Raft.logWritten` is told
 * when an append is on stable storage, `Raft.snapshotWritten` when the last bytes of a snapshot are; nothing else waits for
 * them.
 */
export type Effect =
  | { readonly type: 'election'; readonly election: Election }
  | { readonly type: 'append'; readonly batches: Buffer; readonly nextOffset: number; readonly epoch: number }
  | { readonly type: 'truncate'; readonly toOffset: number }
  /** The log is empty from now on and goes on at the snapshot's end. */
  | { readonly type: 'restart'; readonly snapshot: SnapshotId }
  | {
      readonly type: 'snapshotBytes'
      readonly snapshot: SnapshotId
      readonly positionBytes: number
      readonly bytes: Buffer
      readonly isLast: boolean
    }
  | { readonly type: 'send'; readonly requestId: number; readonly peer: Peer; readonly request: RaftRequest }
  | { readonly type: 'reply'; readonly token: Token; readonly response: RaftResponse }
  /** What is below `highWatermark` is committed. */
  | { readonly type: 'commit'; readonly highWatermark: number }
  | { readonly type: 'leader'; readonly epoch: number; readonly leaderId: number }

export interface RaftOptions {
  readonly self: ReplicaKey
  readonly clusterId: string
  /** Where others reach this node; empty for one that is no controller. */
  readonly endpoints: readonly VoterEndpoint[]
  /** The listener by which nodes of the quorum talk: the first of controller.listener.names. */
  readonly listenerName: string
  readonly bootstrapPeers: readonly Peer[]
  readonly kraftVersions: VersionRange
  /** Whether this node could be a voter: it has the role of a controller. */
  readonly canVote: boolean
  /** controller.quorum.auto.join.enable: makes itself a voter. */
  readonly autoJoins: boolean
  /** controller.quorum.election.timeout.ms, over 0 */
  readonly electionTimeoutMs: number
  /** controller.quorum.election.backoff.max.ms */
  readonly electionBackoffMaxMs: number
  /** controller.quorum.fetch.timeout.ms, over 0 */
  readonly fetchTimeoutMs: number
  /** controller.quorum.request.timeout.ms */
  readonly requestTimeoutMs: number
  /** controller.quorum.retry.backoff.ms */
  readonly retryBackoffMs: number
  /** How long a leader may keep a fetch waiting for records. */
  readonly fetchMaxWaitMs: number
  /** controller.quorum.fetch.max.bytes */
  readonly fetchMaxBytes: number
  /** controller.quorum.fetch.snapshot.max.bytes */
  readonly fetchSnapshotMaxBytes: number
  /** A whole number from 0 up to, but without, `below`. */
  readonly random: (below: number) => number
  /** For the timestamps of records. */
  readonly wallMs: () => number
}

export function isSameReplica(a: ReplicaKey, b: ReplicaKey): boolean {
  return a.id === b.id && a.directoryId === b.directoryId
}

/** Whether `key` may be the replica `known`, of which the directory need not be known. */
export function matchesReplica(known: ReplicaKey, key: ReplicaKey): boolean {
  return known.id === key.id && (known.directoryId === ZERO_UUID || known.directoryId === key.directoryId)
}

/** Ascending: by epoch, then by offset. */
export function compareEnds(a: SnapshotId, b: SnapshotId): number {
  return a.epoch - b.epoch || a.offset - b.offset
}
