import { array, type InputOf, int16, int32, type MessageOf, message, string, struct, uuid } from '../schema.ts'

export const ConsumerGroupHeartbeatRequest = message('ConsumerGroupHeartbeatRequest', 68, '0-1', '0+', {
  groupId: string,
  memberId: string,
  memberEpoch: int32,
  instanceId: string.nullableIn('0+', null),
  rackId: string.nullableIn('0+', null),
  rebalanceTimeoutMs: int32.or(-1),
  subscribedTopicNames: array(string).nullableIn('0+', null),
  subscribedTopicRegex: string.in('1+').nullableIn('1+', null),
  serverAssignor: string.nullableIn('0+', null),
  topicPartitions: array({
    topicId: uuid,
    partitions: array(int32),
  }).nullableIn('0+', null),
})
export type ConsumerGroupHeartbeatRequest = MessageOf<typeof ConsumerGroupHeartbeatRequest>
export type ConsumerGroupHeartbeatRequestInput = InputOf<typeof ConsumerGroupHeartbeatRequest>

const TopicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
})

export const ConsumerGroupHeartbeatResponse = message('ConsumerGroupHeartbeatResponse', 68, '0-1', '0+', {
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
export type ConsumerGroupHeartbeatResponse = MessageOf<typeof ConsumerGroupHeartbeatResponse>
export type ConsumerGroupHeartbeatResponseInput = InputOf<typeof ConsumerGroupHeartbeatResponse>
