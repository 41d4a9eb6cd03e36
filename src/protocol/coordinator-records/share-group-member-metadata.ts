import { array, type InputOf, type MessageOf, message, string } from '../schema.ts'

export const ShareGroupMemberMetadataKey = message('ShareGroupMemberMetadataKey', 10, '0', 'none', {
  groupId: string,
  memberId: string,
})
export type ShareGroupMemberMetadataKey = MessageOf<typeof ShareGroupMemberMetadataKey>
export type ShareGroupMemberMetadataKeyInput = InputOf<typeof ShareGroupMemberMetadataKey>

export const ShareGroupMemberMetadataValue = message('ShareGroupMemberMetadataValue', 10, '0', '0+', {
  rackId: string.nullableIn('0+'),
  clientId: string,
  clientHost: string,
  subscribedTopicNames: array(string),
})
export type ShareGroupMemberMetadataValue = MessageOf<typeof ShareGroupMemberMetadataValue>
export type ShareGroupMemberMetadataValueInput = InputOf<typeof ShareGroupMemberMetadataValue>
