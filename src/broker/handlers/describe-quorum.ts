import { METADATA_TOPIC } from '../../controller/topic-names.ts'
import { errorOfCode, errors } from '../../protocol/errors.ts'
import { DescribeQuorumRequest, DescribeQuorumResponse } from '../../protocol/messages/describe-quorum.ts'
import { defineHandler } from '../types.ts'

/** DescribeQuorum (KIP-595, KIP-853): the voters of the metadata log and how far they are. */
export const handler = defineHandler({
  request: DescribeQuorumRequest,
  response: DescribeQuorumResponse,
  handle: (request, { apiVersion }, { quorum, platform }) => {
    if (!asksForMetadata(request)) return partitionErrors(request)
    const voter = quorum.voter()
    const nowMs = platform.time.nowMs()
    const state = {
      replicaId: voter.id,
      // The leader says of itself that it is up to date now.
      ...(apiVersion >= 2 && { replicaDirectoryId: voter.directoryId }),
      logEndOffset: quorum.highWatermark,
      lastFetchTimestamp: nowMs,
      lastCaughtUpTimestamp: nowMs,
    }
    const partition = {
      partitionIndex: 0,
      leaderId: quorum.leaderId,
      leaderEpoch: quorum.leaderEpoch,
      highWatermark: quorum.highWatermark,
      currentVoters: [state],
    }
    return {
      topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }],
      ...(apiVersion >= 2 && { nodes: [{ nodeId: voter.id, listeners: voter.endpoints }] }),
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

function partitionErrors({ topics }: DescribeQuorumRequest) {
  const { code, message } = errors.UNKNOWN_TOPIC_OR_PARTITION
  return {
    topics: topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code, errorMessage: message })),
    })),
  }
}
