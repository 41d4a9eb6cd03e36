import { topicNameFault } from '../../controller/topic-names.ts'
import { errors } from '../../protocol/errors.ts'
import { DescribeProducersRequest, DescribeProducersResponse } from '../../protocol/messages/describe-producers.ts'
import { defineHandler, type Services } from '../types.ts'

/** DescribeProducers (KIP-664): the producers that a partition knows, with their open transactions. */
export const handler = defineHandler({
  request: DescribeProducersRequest,
  response: DescribeProducersResponse,
  handle: ({ topics }, _, services) => ({
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        ...producersOf(name, partitionIndex, services),
      })),
    })),
  }),
  failed: ({ topics }, errorCode) => ({
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
    })),
  }),
})

function producersOf(topic: string, index: number, { image, replicas }: Services) {
  const reason = topicNameFault(topic)
  if (reason !== undefined) return { errorCode: errors.INVALID_TOPIC_EXCEPTION.code, errorMessage: reason }
  if (image.topics.byName(topic) === undefined) {
    const { code, message } = errors.UNKNOWN_TOPIC_OR_PARTITION
    return { errorCode: code, errorMessage: message }
  }
  if (image.topics.partition(topic, index) === undefined) return { errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION.code }
  const partition = replicas.get(topic, index)
  if (partition === undefined) return { errorCode: errors.NOT_LEADER_OR_FOLLOWER.code }
  if (partition.log.offline !== undefined) return { errorCode: errors.KAFKA_STORAGE_ERROR.code }
  return { activeProducers: partition.log.activeProducers() }
}
