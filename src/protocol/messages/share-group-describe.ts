import { array, bool, type InputOf, int16, int32, type MessageOf, message, string, struct, uuid } from '../schema.ts'

export const ShareGroupDescribeRequest = message('ShareGroupDescribeRequest', 77, '1', '0+', {
  groupIds: array(string),
  includeAuthorizedOperations: bool,
})
export type ShareGroupDescribeRequest = MessageOf<typeof ShareGroupDescribeRequest>
export type ShareGroupDescribeRequestInput = InputOf<typeof ShareGroupDescribeRequest>

const TopicPartitions = struct({
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
})

const Assignment = struct({
  topicPartitions: array(TopicPartitions),
})

export const ShareGroupDescribeResponse = message('ShareGroupDescribeResponse', 77, '1', '0+', {
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
      rackId: string.nullableIn('0+', null),
      memberEpoch: int32,
      clientId: string,
      clientHost: string,
      subscribedTopicNames: array(string),
      assignment: Assignment,
    }),
    authorizedOperations: int32.or(-2147483648),
  }),
})
export type ShareGroupDescribeResponse = MessageOf<typeof ShareGroupDescribeResponse>
export type ShareGroupDescribeResponseInput = InputOf<typeof ShareGroupDescribeResponse>
