import { array, type InputOf, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const OffsetCommitRequest = message('OffsetCommitRequest', 8, '0-10', '8+', {
  groupId: string,
  generationIdOrMemberEpoch: int32.in('1+').or(-1).ignorable(),
  memberId: string.in('1+').ignorable(),
  groupInstanceId: string.in('7+').nullableIn('7+', null),
  retentionTimeMs: int64.in('2-4').or(-1).ignorable(),
  topics: array({
    name: string.in('0-9').ignorable(),
    topicId: uuid.in('10+').ignorable(),
    partitions: array({
      partitionIndex: int32,
      committedOffset: int64,
      committedLeaderEpoch: int32.in('6+').or(-1).ignorable(),
      commitTimestamp: int64.in('1').or(-1),
      committedMetadata: string.nullableIn('0+'),
    }),
  }),
})
export type OffsetCommitRequest = MessageOf<typeof OffsetCommitRequest>
export type OffsetCommitRequestInput = InputOf<typeof OffsetCommitRequest>

export const OffsetCommitResponse = message('OffsetCommitResponse', 8, '0-10', '8+', {
  throttleTimeMs: int32.in('3+').ignorable(),
  topics: array({
    name: string.in('0-9').ignorable(),
    topicId: uuid.in('10+').ignorable(),
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
    }),
  }),
})
export type OffsetCommitResponse = MessageOf<typeof OffsetCommitResponse>
export type OffsetCommitResponseInput = InputOf<typeof OffsetCommitResponse>
