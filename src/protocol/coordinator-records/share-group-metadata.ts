import { type InputOf, int32, int64big, type MessageOf, message, string } from '../schema.ts'

export const ShareGroupMetadataKey = message('ShareGroupMetadataKey', 11, '0', 'none', {
  groupId: string,
})
export type ShareGroupMetadataKey = MessageOf<typeof ShareGroupMetadataKey>
export type ShareGroupMetadataKeyInput = InputOf<typeof ShareGroupMetadataKey>

export const ShareGroupMetadataValue = message('ShareGroupMetadataValue', 11, '0', '0+', {
  epoch: int32,
  metadataHash: int64big,
})
export type ShareGroupMetadataValue = MessageOf<typeof ShareGroupMetadataValue>
export type ShareGroupMetadataValueInput = InputOf<typeof ShareGroupMetadataValue>
