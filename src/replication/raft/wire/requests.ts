import { AddRaftVoterRequest } from '../../../protocol/messages/add-raft-voter.ts'
import { ApiVersionsRequest } from '../../../protocol/messages/api-versions.ts'
import { BeginQuorumEpochRequest } from '../../../protocol/messages/begin-quorum-epoch.ts'
import { EndQuorumEpochRequest } from '../../../protocol/messages/end-quorum-epoch.ts'
import { FetchRequest } from '../../../protocol/messages/fetch.ts'
import { FetchSnapshotRequest } from '../../../protocol/messages/fetch-snapshot.ts'
import { RemoveRaftVoterRequest } from '../../../protocol/messages/remove-raft-voter.ts'
import { UpdateRaftVoterRequest } from '../../../protocol/messages/update-raft-voter.ts'
import { VoteRequest } from '../../../protocol/messages/vote.ts'
import type { InputOf, Message, MessageOf } from '../../../protocol/schema.ts'
import { ZERO_UUID } from '../../../protocol/uuid.ts'
import type * as core from '../core/types.ts'

/** The metadata log's name, and the id that it has in every cluster. */
export const METADATA_TOPIC = '__cluster_metadata'
export const METADATA_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

type Wire = Exclude<core.RaftRequest, core.VersionsRequest>
type RequestOf<T extends core.RaftRequest['type']> = Extract<core.RaftRequest, { type: T }>

/** How a request of the quorum looks on the wire. */
interface Format<T extends core.RaftRequest, M extends Message> {
  readonly message: M
  encode(request: T): InputOf<M>
  /** undefined for a request that is not of the metadata log. */
  decode(message: MessageOf<M>): T | undefined
}

function format<T extends Wire['type'], M extends Message>(
  message: M,
  encode: (request: RequestOf<T>) => InputOf<M>,
  decode: (message: MessageOf<M>) => RequestOf<T> | undefined,
): Format<RequestOf<T>, M> {
  return { message, encode, decode }
}

/** The only element; undefined where there are none or several. */
export function single<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined
}

/** What is said of the metadata log; undefined where the message speaks of something else. */
function metadataPartition<P extends { readonly partitionIndex: number }>(
  topics: readonly { readonly topicName: string; readonly partitions: readonly P[] }[],
): P | undefined {
  const topic = single(topics)
  const partition = topic?.topicName === METADATA_TOPIC ? single(topic.partitions) : undefined
  return partition?.partitionIndex === 0 ? partition : undefined
}

function key(id: number, directoryId: string): core.ReplicaKey | undefined {
  return id < 0 ? undefined : { id, directoryId }
}

const vote = format<'vote', typeof VoteRequest>(
  VoteRequest,
  ({ clusterId, epoch, candidate, voter, lastEpoch, lastOffset, isPreVote }) => ({
    clusterId,
    voterId: voter?.id ?? -1,
    topics: [
      {
        topicName: METADATA_TOPIC,
        partitions: [
          {
            partitionIndex: 0,
            replicaEpoch: epoch,
            replicaId: candidate.id,
            replicaDirectoryId: candidate.directoryId,
            voterDirectoryId: voter?.directoryId ?? ZERO_UUID,
            lastOffsetEpoch: lastEpoch,
            lastOffset,
            preVote: isPreVote,
          },
        ],
      },
    ],
  }),
  ({ clusterId, voterId, topics }) => {
    const said = metadataPartition(topics)
    return (
      said && {
        type: 'vote',
        clusterId,
        epoch: said.replicaEpoch,
        candidate: { id: said.replicaId, directoryId: said.replicaDirectoryId },
        voter: key(voterId, said.voterDirectoryId),
        lastEpoch: said.lastOffsetEpoch,
        lastOffset: said.lastOffset,
        isPreVote: said.preVote,
      }
    )
  },
)

const beginQuorumEpoch = format<'beginQuorumEpoch', typeof BeginQuorumEpochRequest>(
  BeginQuorumEpochRequest,
  ({ clusterId, epoch: leaderEpoch, leaderId, leaderEndpoints, voter }) => {
    const voterDirectoryId = voter?.directoryId ?? ZERO_UUID
    const partitions = [{ partitionIndex: 0, voterDirectoryId, leaderId, leaderEpoch }]
    return {
      clusterId,
      voterId: voter?.id ?? -1,
      topics: [{ topicName: METADATA_TOPIC, partitions }],
      leaderEndpoints: [...leaderEndpoints],
    }
  },
  ({ clusterId, voterId, topics, leaderEndpoints }) => {
    const said = metadataPartition(topics)
    if (said === undefined) return undefined
    const { leaderEpoch: epoch, leaderId, voterDirectoryId } = said
    const voter = key(voterId, voterDirectoryId)
    return { type: 'beginQuorumEpoch', clusterId, epoch, leaderId, leaderEndpoints, voter }
  },
)

const endQuorumEpoch = format<'endQuorumEpoch', typeof EndQuorumEpochRequest>(
  EndQuorumEpochRequest,
  ({ clusterId, epoch: leaderEpoch, leaderId, leaderEndpoints, successors }) => {
    const partition = {
      partitionIndex: 0,
      leaderId,
      leaderEpoch,
      preferredSuccessors: successors.map(({ id }) => id),
      preferredCandidates: successors.map(({ id, directoryId }) => ({
        candidateId: id,
        candidateDirectoryId: directoryId,
      })),
    }
    return {
      clusterId,
      topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }],
      leaderEndpoints: [...leaderEndpoints],
    }
  },
  ({ clusterId, topics, leaderEndpoints }) => {
    const said = metadataPartition(topics)
    if (said === undefined) return undefined
    const { leaderEpoch: epoch, leaderId, preferredCandidates, preferredSuccessors } = said
    const named = preferredCandidates.map((each) => ({ id: each.candidateId, directoryId: each.candidateDirectoryId }))
    // Version 0 names no directories.
    const successors = named.length > 0 ? named : preferredSuccessors.map((id) => ({ id, directoryId: ZERO_UUID }))
    return { type: 'endQuorumEpoch', clusterId, epoch, leaderId, leaderEndpoints, successors }
  },
)

const fetch = format<'fetch', typeof FetchRequest>(
  FetchRequest,
  ({ clusterId, epoch, replica, fetchOffset, lastFetchedEpoch, highWatermark, maxWaitMs, maxBytes }) => {
    const partition = {
      partition: 0,
      currentLeaderEpoch: epoch,
      fetchOffset,
      lastFetchedEpoch,
      // Bounded by `maxBytes` alone, as in Apache Kafka.
      partitionMaxBytes: 0,
      replicaDirectoryId: replica.directoryId,
      highWatermark,
    }
    return {
      clusterId,
      replicaState: { replicaId: replica.id },
      maxWaitMs,
      minBytes: 0,
      maxBytes,
      isolationLevel: 0,
      sessionId: 0,
      topics: [{ topic: METADATA_TOPIC, topicId: METADATA_TOPIC_ID, partitions: [partition] }],
      forgottenTopicsData: [],
      rackId: '',
    }
  },
  ({ clusterId, replicaId, replicaState, maxWaitMs, maxBytes, topics }) => {
    const topic = single(topics)
    const said = topic && single(topic.partitions)
    if (said?.partition !== 0 || (topic!.topicId !== METADATA_TOPIC_ID && topic!.topic !== METADATA_TOPIC)) {
      return undefined
    }
    const id = replicaState.replicaId >= 0 ? replicaState.replicaId : replicaId
    return {
      type: 'fetch',
      clusterId,
      epoch: said.currentLeaderEpoch,
      replica: { id, directoryId: said.replicaDirectoryId },
      fetchOffset: said.fetchOffset,
      lastFetchedEpoch: said.lastFetchedEpoch,
      highWatermark: said.highWatermark,
      maxWaitMs,
      maxBytes,
    }
  },
)

const fetchSnapshot = format<'fetchSnapshot', typeof FetchSnapshotRequest>(
  FetchSnapshotRequest,
  ({ clusterId, epoch: currentLeaderEpoch, replica, snapshot, positionBytes: position, maxBytes }) => {
    const snapshotId = { endOffset: snapshot.offset, epoch: snapshot.epoch }
    const { id: replicaId, directoryId: replicaDirectoryId } = replica
    const partition = { partition: 0, currentLeaderEpoch, snapshotId, position, replicaDirectoryId }
    return { clusterId, replicaId, maxBytes, topics: [{ name: METADATA_TOPIC, partitions: [partition] }] }
  },
  ({ clusterId, replicaId, maxBytes, topics }) => {
    const topic = single(topics)
    const said = topic?.name === METADATA_TOPIC ? single(topic.partitions) : undefined
    if (said?.partition !== 0) return undefined
    return {
      type: 'fetchSnapshot',
      clusterId,
      epoch: said.currentLeaderEpoch,
      replica: { id: replicaId, directoryId: said.replicaDirectoryId },
      snapshot: { offset: said.snapshotId.endOffset, epoch: said.snapshotId.epoch },
      positionBytes: said.position,
      maxBytes,
    }
  },
)

/** How long the leader may take, in the opinion of a node that makes itself a voter. */
const ADD_VOTER_TIMEOUT_MS = 2000

const addVoter = format<'addVoter', typeof AddRaftVoterRequest>(
  AddRaftVoterRequest,
  ({ clusterId, voter, endpoints, ackWhenCommitted }) => ({
    clusterId,
    timeoutMs: ADD_VOTER_TIMEOUT_MS,
    voterId: voter.id,
    voterDirectoryId: voter.directoryId,
    listeners: [...endpoints],
    ackWhenCommitted,
  }),
  ({ clusterId, voterId: id, voterDirectoryId: directoryId, listeners: endpoints, ackWhenCommitted }) => {
    return { type: 'addVoter', clusterId, voter: { id, directoryId }, endpoints, ackWhenCommitted }
  },
)

const removeVoter = format<'removeVoter', typeof RemoveRaftVoterRequest>(
  RemoveRaftVoterRequest,
  ({ clusterId, voter }) => ({ clusterId, voterId: voter.id, voterDirectoryId: voter.directoryId }),
  ({ clusterId, voterId: id, voterDirectoryId: directoryId }) => {
    return { type: 'removeVoter', clusterId, voter: { id, directoryId } }
  },
)

const updateVoter = format<'updateVoter', typeof UpdateRaftVoterRequest>(
  UpdateRaftVoterRequest,
  ({ clusterId, epoch, voter, endpoints, kraftVersions }) => ({
    clusterId,
    currentLeaderEpoch: epoch,
    voterId: voter.id,
    voterDirectoryId: voter.directoryId,
    listeners: [...endpoints],
    kRaftVersionFeature: { minSupportedVersion: kraftVersions.min, maxSupportedVersion: kraftVersions.max },
  }),
  ({ clusterId, currentLeaderEpoch: epoch, voterId, voterDirectoryId, listeners, kRaftVersionFeature }) => ({
    type: 'updateVoter',
    clusterId,
    epoch,
    voter: { id: voterId, directoryId: voterDirectoryId },
    endpoints: listeners,
    kraftVersions: { min: kRaftVersionFeature.minSupportedVersion, max: kRaftVersionFeature.maxSupportedVersion },
  }),
)

/** ApiVersions tells which levels of kraft.version a node supports. It is answered as to any client. */
const versions = {
  message: ApiVersionsRequest,
  encode: () => ({ clientSoftwareName: 'ottla', clientSoftwareVersion: '1' }),
}

/** Every request of the quorum, by its type. */
export const requestFormats = {
  vote,
  beginQuorumEpoch,
  endQuorumEpoch,
  fetch,
  fetchSnapshot,
  addVoter,
  removeVoter,
  updateVoter,
  versions,
}
