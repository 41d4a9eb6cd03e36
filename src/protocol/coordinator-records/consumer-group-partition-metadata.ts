import { array, type InputOf, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const ConsumerGroupPartitionMetadataKey = message('ConsumerGroupPartitionMetadataKey', 4, '0', 'none', {
  groupId: string,
})
export type ConsumerGroupPartitionMetadataKey = MessageOf<typeof ConsumerGroupPartitionMetadataKey>
export type ConsumerGroupPartitionMetadataKeyInput = InputOf<typeof ConsumerGroupPartitionMetadataKey>

export const ConsumerGroupPartitionMetadataValue = message('ConsumerGroupPartitionMetadataValue', 4, '0', '0+', {
  topics: array({
    topicId: uuid,
    topicName: string,
    numPartitions: int32,
    partitionMetadata: array({
      partition: int32,
      racks: array(string),
    }),
  }),
})
export type ConsumerGroupPartitionMetadataValue = MessageOf<typeof ConsumerGroupPartitionMetadataValue>
export type ConsumerGroupPartitionMetadataValueInput = InputOf<typeof ConsumerGroupPartitionMetadataValue>
