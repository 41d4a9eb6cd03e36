import { array, type InputOf, int32, type MessageOf, message, string, struct, uuid } from '../schema.ts'

export const ShareGroupStatePartitionMetadataKey = message('ShareGroupStatePartitionMetadataKey', 15, '0', 'none', {
  groupId: string,
})
export type ShareGroupStatePartitionMetadataKey = MessageOf<typeof ShareGroupStatePartitionMetadataKey>
export type ShareGroupStatePartitionMetadataKeyInput = InputOf<typeof ShareGroupStatePartitionMetadataKey>

const TopicPartitionsInfo = struct({
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
})

const TopicInfo = struct({
  topicId: uuid,
  topicName: string,
})

export const ShareGroupStatePartitionMetadataValue = message('ShareGroupStatePartitionMetadataValue', 15, '0', '0+', {
  initializingTopics: array(TopicPartitionsInfo),
  initializedTopics: array(TopicPartitionsInfo),
  deletingTopics: array(TopicInfo),
})
export type ShareGroupStatePartitionMetadataValue = MessageOf<typeof ShareGroupStatePartitionMetadataValue>
export type ShareGroupStatePartitionMetadataValueInput = InputOf<typeof ShareGroupStatePartitionMetadataValue>
