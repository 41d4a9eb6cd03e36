import { array, bytes, type InputOf, int32, type MessageOf, message, string, struct } from '../schema.ts'

export const ConsumerGroupMemberMetadataKey = message('ConsumerGroupMemberMetadataKey', 5, '0', 'none', {
  groupId: string,
  memberId: string,
})
export type ConsumerGroupMemberMetadataKey = MessageOf<typeof ConsumerGroupMemberMetadataKey>
export type ConsumerGroupMemberMetadataKeyInput = InputOf<typeof ConsumerGroupMemberMetadataKey>

export const ConsumerGroupMemberMetadataValue = message('ConsumerGroupMemberMetadataValue', 5, '0', '0+', {
  instanceId: string.nullableIn('0+'),
  rackId: string.nullableIn('0+'),
  clientId: string,
  clientHost: string,
  subscribedTopicNames: array(string),
  subscribedTopicRegex: string.nullableIn('0+'),
  rebalanceTimeoutMs: int32.or(-1),
  serverAssignor: string.nullableIn('0+'),
  classicMemberMetadata: struct({
    sessionTimeoutMs: int32,
    supportedProtocols: array({
      name: string,
      metadata: bytes,
    }),
  })
    .nullableIn('0+')
    .taggedAs(0),
})
export type ConsumerGroupMemberMetadataValue = MessageOf<typeof ConsumerGroupMemberMetadataValue>
export type ConsumerGroupMemberMetadataValueInput = InputOf<typeof ConsumerGroupMemberMetadataValue>
