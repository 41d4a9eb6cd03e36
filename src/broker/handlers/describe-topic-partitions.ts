import { isInternalTopic, topicNameFault } from '../../controller/topic-names.ts'
import type { TopicImage } from '../../metadata/types.ts'
import { errors } from '../../protocol/errors.ts'
import {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
  type DescribeTopicPartitionsResponseInput,
} from '../../protocol/messages/describe-topic-partitions.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { TOPIC_OPERATIONS } from '../operations.ts'
import { PartitionView } from '../partition-view.ts'
import { defineHandler, type Services } from '../types.ts'

type Topics = NonNullable<DescribeTopicPartitionsResponseInput['topics']>
type Topic = Topics[number]
type Cursor = DescribeTopicPartitionsRequest['cursor']

/** DescribeTopicPartitions (KIP-966): partitions in order of topic and number, a bounded number at a time. */
export const handler = defineHandler({
  request: DescribeTopicPartitionsRequest,
  response: DescribeTopicPartitionsResponse,
  handle: (request, { connection }, services) => {
    const { cursor } = request
    const names = sortedNames(request, services)
    const lacksCursorTopic = request.topics.length > 0 && cursor !== null && !names.includes(cursor.topicName)
    if (lacksCursorTopic || (cursor !== null && cursor.partitionIndex < 0)) {
      return failedWith(request, errors.INVALID_REQUEST.code)
    }
    // Apache Kafka trips over a topic without a name when it looks up what may be done with it.
    if (names.includes('')) return failedWith(request, errors.UNKNOWN_SERVER_ERROR.code)
    const limit = Math.min(services.config.get('max.request.partition.size.limit'), request.responsePartitionLimit)
    const view = new PartitionView(services.image, connection.listenerName)
    return page(names, cursor, Math.max(limit, 1), request.topics.length === 0, view, services)
  },
  failed: failedWith,
})

function failedWith({ topics }: DescribeTopicPartitionsRequest, errorCode: number) {
  return { topics: topics.map(({ name }) => ({ name, errorCode })) }
}

/** The topics asked for, or all, from the cursor on. */
function sortedNames({ topics, cursor }: DescribeTopicPartitionsRequest, { image }: Services): string[] {
  const from = cursor?.topicName ?? ''
  const asked = topics.length === 0 ? image.topics.names() : topics.map(({ name }) => name)
  return [...new Set(asked)].filter((name) => name >= from).sort()
}

function page(
  names: readonly string[],
  cursor: Cursor,
  limit: number,
  wantsAll: boolean,
  view: PartitionView,
  { image }: Services,
): DescribeTopicPartitionsResponseInput {
  const topics: Topic[] = []
  let remaining = limit
  for (const name of names) {
    if (remaining === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } }
    const topic = image.topics.byName(name)
    if (topic === undefined) {
      if (!wantsAll) topics.push(missing(name))
      continue
    }
    const first = name === cursor?.topicName ? cursor.partitionIndex : 0
    const end = Math.min(topic.partitions.size, first + remaining)
    const shown = show(topic, first, end, view)
    topics.push(shown)
    if (end < topic.partitions.size) return { topics, nextCursor: { topicName: name, partitionIndex: end } }
    remaining -= shown.partitions?.length ?? 0
  }
  return { topics, nextCursor: null }
}

function missing(name: string): Topic {
  const error = topicNameFault(name) === undefined ? errors.UNKNOWN_TOPIC_OR_PARTITION : errors.INVALID_TOPIC_EXCEPTION
  return {
    errorCode: error.code,
    name,
    topicId: ZERO_UUID,
    isInternal: isInternalTopic(name),
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}

function show(topic: TopicImage, first: number, end: number, view: PartitionView): Topic {
  const partitions = view
    .partitions(topic)
    .filter(({ partition }) => partition >= first && partition < end)
    .map((partition) => ({
      partitionIndex: partition.partition,
      leaderId: view.leaderId(partition),
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      eligibleLeaderReplicas: partition.elr,
      lastKnownElr: partition.lastKnownElr,
      offlineReplicas: view.offlineReplicas(partition),
    }))
  return {
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions,
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}
