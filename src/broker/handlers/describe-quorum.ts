import { METADATA_TOPIC } from '../../controller/topic-names.ts'
import type { Time } from '../../platform/time.ts'
import { errorOfCode, errors, type KafkaError } from '../../protocol/errors.ts'
import { DescribeQuorumRequest, DescribeQuorumResponse } from '../../protocol/messages/describe-quorum.ts'
import type { Progress } from '../../replication/raft/core/leader-state.ts'
import { defineHandler } from '../types.ts'

/** DescribeQuorum (KIP-595, KIP-853): the voters of the metadata log and how far they are. */
export const handler = defineHandler({
  request: DescribeQuorumRequest,
  response: DescribeQuorumResponse,
  handle: (request, { apiVersion }, { quorum, platform }) => {
    if (!asksForMetadata(request)) return partitionErrors(request, errors.UNKNOWN_TOPIC_OR_PARTITION)
    const described = quorum.describe()
    if (described === undefined) return partitionErrors(request, errors.NOT_LEADER_OR_FOLLOWER)
    const { leaderId, epoch: leaderEpoch, highWatermark } = described
    const toState = (progress: Progress) => stateOf(progress, leaderId, apiVersion, platform.time)
    const partition = {
      partitionIndex: 0,
      leaderId,
      leaderEpoch,
      highWatermark,
      currentVoters: described.voters.map(toState),
      observers: described.observers.map(toState),
    }
    const nodes = quorum.voters.nodes.map(({ id, endpoints }) => ({ nodeId: id, listeners: [...endpoints] }))
    return {
      topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }],
      ...(apiVersion >= 2 && { nodes }),
    }
  },
  failed: (_request, errorCode) => ({ errorCode, errorMessage: errorOfCode(errorCode).message }),
})

function asksForMetadata({ topics }: DescribeQuorumRequest): boolean {
  const [topic] = topics
  return (
    topics.length === 1 &&
    topic!.topicName === METADATA_TOPIC &&
    topic!.partitions.length === 1 &&
    topic!.partitions[0]!.partitionIndex === 0
  )
}

/** `progress` has the node's own clock; the leader says of itself that it is up to date now. */
function stateOf({ key, endOffset, ...times }: Progress, leaderId: number, apiVersion: number, time: Time) {
  const agoMs = (atMs: number): number => (atMs < 0 ? -1 : time.nowMs() - Math.round(time.monotonicMs() - atMs))
  const isLeader = key.id === leaderId
  return {
    replicaId: key.id,
    ...(apiVersion >= 2 && { replicaDirectoryId: key.directoryId }),
    logEndOffset: endOffset,
    lastFetchTimestamp: isLeader ? time.nowMs() : agoMs(times.lastFetchMs),
    lastCaughtUpTimestamp: isLeader ? time.nowMs() : agoMs(times.lastCaughtUpMs),
  }
}

function partitionErrors({ topics }: DescribeQuorumRequest, { code, message }: KafkaError) {
  return {
    topics: topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code, errorMessage: message })),
    })),
  }
}
