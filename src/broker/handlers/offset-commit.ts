import { refuseCommit } from '../../coordinator/group-coordinator.ts'
import type { TopicsImage } from '../../metadata/topics-image.ts'
import { errorOfCode, errors, type KafkaError } from '../../protocol/errors.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts'
import { clientOf } from '../client-of.ts'
import { PartitionAnswers } from '../partition-answers.ts'
import { defineHandler } from '../types.ts'

/** From this version on topics are named by id (KIP-848). */
const FIRST_VERSION_WITH_IDS = 10

type CommitTopic = OffsetCommitRequest['topics'][number]

/**
 * OffsetCommit: where consumers of a group have got to. v0 and v1 are those of old clients: v0 commits for a group without
 * members (Apache Kafka kept those in ZooKeeper), v1 may bring its own timestamps; v2 to v4 a retention.
 */
export const handler = defineHandler({
  request: OffsetCommitRequest,
  response: OffsetCommitResponse,
  handle: async (request, context, { groups, image }) => {
    const byId = context.apiVersion >= FIRST_VERSION_WITH_IDS
    const answers = new PartitionAnswers<Pick<CommitTopic, 'name' | 'topicId'>>((topic) =>
      byId ? topic.topicId : topic.name,
    )
    const topics: CommitTopic[] = []
    for (const asked of request.topics) {
      const topic = byId ? image.topics.byId(asked.topicId) : image.topics.byName(asked.name)
      const { name, topicId } = topic === undefined ? asked : { name: topic.name, topicId: topic.id }
      const partitions = asked.partitions.filter(({ partitionIndex }) => {
        const error = refusal(image.topics, topic?.name, partitionIndex, byId)
        if (error !== undefined) answers.add({ name, topicId }, { partitionIndex, errorCode: error.code })
        return error === undefined
      })
      if (partitions.length > 0) topics.push({ name, topicId, partitions })
    }
    if (topics.length > 0) {
      const response = await groups.commitOffsets(clientOf(context), { ...request, topics })
      // As in Apache Kafka, a topic that was named twice is answered twice, unless something else was refused.
      if (answers.topics.length === 0) return { topics: response.topics }
      for (const { name, topicId, partitions } of response.topics) {
        for (const answer of partitions) answers.add({ name, topicId }, answer)
      }
    }
    return { topics: answers.topics }
  },
  failed: (request, errorCode) => refuseCommit(request, errorOfCode(errorCode)),
})

function refusal(
  topics: TopicsImage,
  name: string | undefined,
  partition: number,
  byId: boolean,
): KafkaError | undefined {
  if (name === undefined) return byId ? errors.UNKNOWN_TOPIC_ID : errors.UNKNOWN_TOPIC_OR_PARTITION
  return topics.partition(name, partition) === undefined ? errors.UNKNOWN_TOPIC_OR_PARTITION : undefined
}
