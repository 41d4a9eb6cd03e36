import { array, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const TxnOffsetCommitRequest = message('TxnOffsetCommitRequest', 28, '0-5', '3+', {
  transactionalId: string,
  groupId: string,
  producerId: int64,
  producerEpoch: int16,
  generationId: int32.in('3+').or(-1),
  memberId: string.in('3+'),
  groupInstanceId: string.in('3+').nullableIn('3+', null),
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      committedOffset: int64,
      committedLeaderEpoch: int32.in('2+').or(-1).ignorable(),
      committedMetadata: string.nullableIn('0+'),
    }),
  }),
})
export type TxnOffsetCommitRequest = MessageOf<typeof TxnOffsetCommitRequest>
export type TxnOffsetCommitRequestInput = InputOf<typeof TxnOffsetCommitRequest>

export const TxnOffsetCommitResponse = message('TxnOffsetCommitResponse', 28, '0-5', '3+', {
  throttleTimeMs: int32,
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
    }),
  }),
})
export type TxnOffsetCommitResponse = MessageOf<typeof TxnOffsetCommitResponse>
export type TxnOffsetCommitResponseInput = InputOf<typeof TxnOffsetCommitResponse>
