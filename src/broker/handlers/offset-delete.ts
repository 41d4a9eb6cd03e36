import { errors } from '../../protocol/errors.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/messages/offset-delete.ts'
import { PartitionAnswers } from '../partition-answers.ts'
import { defineHandler } from '../types.ts'

/** OffsetDelete (KIP-496): forgets committed offsets of topics that nobody in the group is subscribed to. */
export const handler = defineHandler({
  request: OffsetDeleteRequest,
  response: OffsetDeleteResponse,
  handle: async (request, _, { groups, image }) => {
    const answers = new PartitionAnswers<{ name: string }>(({ name }) => name)
    const topics: OffsetDeleteRequest['topics'] = []
    for (const { name, partitions } of request.topics) {
      const known = partitions.filter(({ partitionIndex }) => {
        if (image.topics.partition(name, partitionIndex) !== undefined) return true
        answers.add({ name }, { partitionIndex, errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION.code })
        return false
      })
      if (known.length > 0) topics.push({ name, partitions: known })
    }
    // The group is asked even where no topic is left: that it is not there matters more than that they are not.
    const response = await groups.deleteOffsets({ groupId: request.groupId, topics })
    if (response.errorCode !== errors.NONE.code) return { errorCode: response.errorCode }
    for (const { name = '', partitions = [] } of response.topics ?? []) {
      for (const { partitionIndex = 0, errorCode = 0 } of partitions)
        answers.add({ name }, { partitionIndex, errorCode })
    }
    return { topics: answers.topics }
  },
  failed: (_, errorCode) => ({ errorCode }),
})
