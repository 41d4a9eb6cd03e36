import { type InputOf, int32, int64big, type MessageOf, message, string } from '../schema.ts'

export const ConsumerGroupMetadataKey = message('ConsumerGroupMetadataKey', 3, '0', 'none', {
  groupId: string,
})
export type ConsumerGroupMetadataKey = MessageOf<typeof ConsumerGroupMetadataKey>
export type ConsumerGroupMetadataKeyInput = InputOf<typeof ConsumerGroupMetadataKey>

export const ConsumerGroupMetadataValue = message('ConsumerGroupMetadataValue', 3, '0', '0+', {
  epoch: int32,
  metadataHash: int64big.taggedAs(0),
})
export type ConsumerGroupMetadataValue = MessageOf<typeof ConsumerGroupMetadataValue>
export type ConsumerGroupMetadataValueInput = InputOf<typeof ConsumerGroupMetadataValue>
