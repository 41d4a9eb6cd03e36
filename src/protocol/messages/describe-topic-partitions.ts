import { array, bool, type InputOf, int16, int32, type MessageOf, message, string, struct, uuid } from '../schema.ts'

export const DescribeTopicPartitionsRequest = message('DescribeTopicPartitionsRequest', 75, '0', '0+', {
  topics: array({
    name: string,
  }),
  responsePartitionLimit: int32.or(2000),
  cursor: struct({
    topicName: string,
    partitionIndex: int32,
  }).nullableIn('0+', null),
})
export type DescribeTopicPartitionsRequest = MessageOf<typeof DescribeTopicPartitionsRequest>
export type DescribeTopicPartitionsRequestInput = InputOf<typeof DescribeTopicPartitionsRequest>

export const DescribeTopicPartitionsResponse = message('DescribeTopicPartitionsResponse', 75, '0', '0+', {
  throttleTimeMs: int32,
  topics: array({
    errorCode: int16,
    name: string.nullableIn('0+'),
    topicId: uuid,
    isInternal: bool,
    partitions: array({
      errorCode: int16,
      partitionIndex: int32,
      leaderId: int32,
      leaderEpoch: int32.or(-1),
      replicaNodes: array(int32),
      isrNodes: array(int32),
      eligibleLeaderReplicas: array(int32).nullableIn('0+', null),
      lastKnownElr: array(int32).nullableIn('0+', null),
      offlineReplicas: array(int32),
    }),
    topicAuthorizedOperations: int32.or(-2147483648),
  }),
  nextCursor: struct({
    topicName: string,
    partitionIndex: int32,
  }).nullableIn('0+', null),
})
export type DescribeTopicPartitionsResponse = MessageOf<typeof DescribeTopicPartitionsResponse>
export type DescribeTopicPartitionsResponseInput = InputOf<typeof DescribeTopicPartitionsResponse>
