import { array, bool, type InputOf, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const OffsetFetchRequest = message('OffsetFetchRequest', 9, '0-10', '6+', {
  groupId: string.in('0-7'),
  topics: array({
    name: string,
    partitionIndexes: array(int32),
  })
    .in('0-7')
    .nullableIn('2-7'),
  groups: array({
    groupId: string,
    memberId: string.in('9+').nullableIn('9+', null).ignorable(),
    memberEpoch: int32.in('9+').or(-1).ignorable(),
    topics: array({
      name: string.in('8-9').ignorable(),
      topicId: uuid.in('10+').ignorable(),
      partitionIndexes: array(int32),
    }).nullableIn('8+'),
  }).in('8+'),
  requireStable: bool.in('7+'),
})
export type OffsetFetchRequest = MessageOf<typeof OffsetFetchRequest>
export type OffsetFetchRequestInput = InputOf<typeof OffsetFetchRequest>

export const OffsetFetchResponse = message('OffsetFetchResponse', 9, '0-10', '6+', {
  throttleTimeMs: int32.in('3+').ignorable(),
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      committedOffset: int64,
      committedLeaderEpoch: int32.in('5+').or(-1).ignorable(),
      metadata: string.nullableIn('0-7'),
      errorCode: int16,
    }),
  }).in('0-7'),
  errorCode: int16.in('2-7').ignorable(),
  groups: array({
    groupId: string,
    topics: array({
      name: string.in('8-9').ignorable(),
      topicId: uuid.in('10+').ignorable(),
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.or(-1),
        metadata: string.nullableIn('8+'),
        errorCode: int16,
      }),
    }),
    errorCode: int16,
  }).in('8+'),
})
export type OffsetFetchResponse = MessageOf<typeof OffsetFetchResponse>
export type OffsetFetchResponseInput = InputOf<typeof OffsetFetchResponse>
