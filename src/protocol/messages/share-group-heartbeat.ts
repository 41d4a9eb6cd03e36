import { array, type InputOf, int16, int32, type MessageOf, message, string, struct, uuid } from '../schema.ts'

export const ShareGroupHeartbeatRequest = message('ShareGroupHeartbeatRequest', 76, '1', '0+', {
  groupId: string,
  memberId: string,
  memberEpoch: int32,
  rackId: string.nullableIn('0+', null),
  subscribedTopicNames: array(string).nullableIn('0+', null),
})
export type ShareGroupHeartbeatRequest = MessageOf<typeof ShareGroupHeartbeatRequest>
export type ShareGroupHeartbeatRequestInput = InputOf<typeof ShareGroupHeartbeatRequest>

const TopicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
})

export const ShareGroupHeartbeatResponse = message('ShareGroupHeartbeatResponse', 76, '1', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+', null),
  memberId: string.nullableIn('0+', null),
  memberEpoch: int32,
  heartbeatIntervalMs: int32,
  assignment: struct({
    topicPartitions: array(TopicPartitions),
  }).nullableIn('0+', null),
})
export type ShareGroupHeartbeatResponse = MessageOf<typeof ShareGroupHeartbeatResponse>
export type ShareGroupHeartbeatResponseInput = InputOf<typeof ShareGroupHeartbeatResponse>
