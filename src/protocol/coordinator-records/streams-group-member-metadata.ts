import { array, type InputOf, int32, type MessageOf, message, string, struct, uint16 } from '../schema.ts'

export const StreamsGroupMemberMetadataKey = message('StreamsGroupMemberMetadataKey', 19, '0', 'none', {
  groupId: string,
  memberId: string,
})
export type StreamsGroupMemberMetadataKey = MessageOf<typeof StreamsGroupMemberMetadataKey>
export type StreamsGroupMemberMetadataKeyInput = InputOf<typeof StreamsGroupMemberMetadataKey>

const Endpoint = struct({
  host: string,
  port: uint16,
})

const KeyValue = struct({
  key: string,
  value: string,
})

export const StreamsGroupMemberMetadataValue = message('StreamsGroupMemberMetadataValue', 19, '0', '0+', {
  instanceId: string.nullableIn('0+'),
  rackId: string.nullableIn('0+'),
  clientId: string,
  clientHost: string,
  rebalanceTimeoutMs: int32.or(-1),
  topologyEpoch: int32,
  processId: string,
  userEndpoint: Endpoint.nullableIn('0+', null),
  clientTags: array(KeyValue),
})
export type StreamsGroupMemberMetadataValue = MessageOf<typeof StreamsGroupMemberMetadataValue>
export type StreamsGroupMemberMetadataValueInput = InputOf<typeof StreamsGroupMemberMetadataValue>
