import { array, type InputOf, int8, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const ListOffsetsRequest = message('ListOffsetsRequest', 2, '0-11', '6+', {
  replicaId: int32,
  isolationLevel: int8.in('2+'),
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      currentLeaderEpoch: int32.in('4+').or(-1).ignorable(),
      timestamp: int64,
      maxNumOffsets: int32.in('0').or(1),
    }),
  }),
  timeoutMs: int32.in('10+').ignorable(),
})
export type ListOffsetsRequest = MessageOf<typeof ListOffsetsRequest>
export type ListOffsetsRequestInput = InputOf<typeof ListOffsetsRequest>

export const ListOffsetsResponse = message('ListOffsetsResponse', 2, '0-11', '6+', {
  throttleTimeMs: int32.in('2+').ignorable(),
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      oldStyleOffsets: array(int64).in('0'),
      timestamp: int64.in('1+').or(-1),
      offset: int64.in('1+').or(-1),
      leaderEpoch: int32.in('4+').or(-1),
    }),
  }),
})
export type ListOffsetsResponse = MessageOf<typeof ListOffsetsResponse>
export type ListOffsetsResponseInput = InputOf<typeof ListOffsetsResponse>
