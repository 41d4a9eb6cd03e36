import { errors, type KafkaError } from '../../protocol/errors.ts'
import {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../protocol/messages/offset-for-leader-epoch.ts'
import { defineHandler, type Services } from '../types.ts'

/** OffsetForLeaderEpoch (KIP-101, KIP-320): where an epoch ends, by which readers find out that a log was cut back. */
export const handler = defineHandler({
  request: OffsetForLeaderEpochRequest,
  response: OffsetForLeaderEpochResponse,
  handle: ({ topics }, _, services) => ({
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => ({
        partition,
        ...endOf(topic, partition, currentLeaderEpoch, leaderEpoch, services),
      })),
    })),
  }),
  failed: ({ topics }, errorCode) => ({
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
    })),
  }),
})

function endOf(topic: string, index: number, currentLeaderEpoch: number, leaderEpoch: number, services: Services) {
  const partition = services.replicas.get(topic, index)
  if (partition === undefined) {
    const isKnown = services.image.topics.partition(topic, index) !== undefined
    return failure(isKnown ? errors.NOT_LEADER_OR_FOLLOWER : errors.UNKNOWN_TOPIC_OR_PARTITION)
  }
  const refusal = partition.refusal(currentLeaderEpoch, true)
  if (refusal !== undefined) return failure(refusal)
  const end = partition.log.endOffsetForEpoch(leaderEpoch)
  return end === undefined
    ? failure(errors.NONE)
    : { errorCode: 0, leaderEpoch: end.leaderEpoch, endOffset: end.offset }
}

function failure(error: KafkaError) {
  return { errorCode: error.code, leaderEpoch: -1, endOffset: -1 }
}
