import { array, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const OffsetForLeaderEpochRequest = message('OffsetForLeaderEpochRequest', 23, '0-4', '4+', {
  replicaId: int32.in('3+').or(-2).ignorable(),
  topics: array({
    topic: string,
    partitions: array({
      partition: int32,
      currentLeaderEpoch: int32.in('2+').or(-1).ignorable(),
      leaderEpoch: int32,
    }),
  }),
})
export type OffsetForLeaderEpochRequest = MessageOf<typeof OffsetForLeaderEpochRequest>
export type OffsetForLeaderEpochRequestInput = InputOf<typeof OffsetForLeaderEpochRequest>

export const OffsetForLeaderEpochResponse = message('OffsetForLeaderEpochResponse', 23, '0-4', '4+', {
  throttleTimeMs: int32.in('2+').ignorable(),
  topics: array({
    topic: string,
    partitions: array({
      errorCode: int16,
      partition: int32,
      leaderEpoch: int32.in('1+').or(-1).ignorable(),
      endOffset: int64.or(-1),
    }),
  }),
})
export type OffsetForLeaderEpochResponse = MessageOf<typeof OffsetForLeaderEpochResponse>
export type OffsetForLeaderEpochResponseInput = InputOf<typeof OffsetForLeaderEpochResponse>
