import { array, type InputOf, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const DescribeShareGroupOffsetsRequest = message('DescribeShareGroupOffsetsRequest', 90, '0-1', '0+', {
  groups: array({
    groupId: string,
    topics: array({
      topicName: string,
      partitions: array(int32),
    }).nullableIn('0+'),
  }),
})
export type DescribeShareGroupOffsetsRequest = MessageOf<typeof DescribeShareGroupOffsetsRequest>
export type DescribeShareGroupOffsetsRequestInput = InputOf<typeof DescribeShareGroupOffsetsRequest>

export const DescribeShareGroupOffsetsResponse = message('DescribeShareGroupOffsetsResponse', 90, '0-1', '0+', {
  throttleTimeMs: int32,
  groups: array({
    groupId: string,
    topics: array({
      topicName: string,
      topicId: uuid,
      partitions: array({
        partitionIndex: int32,
        startOffset: int64,
        leaderEpoch: int32,
        lag: int64.in('1+').or(-1).ignorable(),
        errorCode: int16,
        errorMessage: string.nullableIn('0+', null),
      }),
    }),
    errorCode: int16,
    errorMessage: string.nullableIn('0+', null),
  }),
})
export type DescribeShareGroupOffsetsResponse = MessageOf<typeof DescribeShareGroupOffsetsResponse>
export type DescribeShareGroupOffsetsResponseInput = InputOf<typeof DescribeShareGroupOffsetsResponse>
