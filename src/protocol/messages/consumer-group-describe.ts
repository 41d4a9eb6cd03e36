import {
  array,
  bool,
  type InputOf,
  int8,
  int16,
  int32,
  type MessageOf,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const ConsumerGroupDescribeRequest = message('ConsumerGroupDescribeRequest', 69, '0-1', '0+', {
  groupIds: array(string),
  includeAuthorizedOperations: bool,
})
export type ConsumerGroupDescribeRequest = MessageOf<typeof ConsumerGroupDescribeRequest>
export type ConsumerGroupDescribeRequestInput = InputOf<typeof ConsumerGroupDescribeRequest>

const TopicPartitions = struct({
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
})

const Assignment = struct({
  topicPartitions: array(TopicPartitions),
})

export const ConsumerGroupDescribeResponse = message('ConsumerGroupDescribeResponse', 69, '0-1', '0+', {
  throttleTimeMs: int32,
  groups: array({
    errorCode: int16,
    errorMessage: string.nullableIn('0+', null),
    groupId: string,
    groupState: string,
    groupEpoch: int32,
    assignmentEpoch: int32,
    assignorName: string,
    members: array({
      memberId: string,
      instanceId: string.nullableIn('0+', null),
      rackId: string.nullableIn('0+', null),
      memberEpoch: int32,
      clientId: string,
      clientHost: string,
      subscribedTopicNames: array(string),
      subscribedTopicRegex: string.nullableIn('0+', null),
      assignment: Assignment,
      targetAssignment: Assignment,
      memberType: int8.in('1+').or(-1).ignorable(),
    }),
    authorizedOperations: int32.or(-2147483648),
  }),
})
export type ConsumerGroupDescribeResponse = MessageOf<typeof ConsumerGroupDescribeResponse>
export type ConsumerGroupDescribeResponseInput = InputOf<typeof ConsumerGroupDescribeResponse>
