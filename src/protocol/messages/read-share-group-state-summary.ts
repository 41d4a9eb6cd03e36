import { array, type InputOf, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const ReadShareGroupStateSummaryRequest = message('ReadShareGroupStateSummaryRequest', 87, '0-1', '0+', {
  groupId: string,
  topics: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      leaderEpoch: int32,
    }),
  }),
})
export type ReadShareGroupStateSummaryRequest = MessageOf<typeof ReadShareGroupStateSummaryRequest>
export type ReadShareGroupStateSummaryRequestInput = InputOf<typeof ReadShareGroupStateSummaryRequest>

export const ReadShareGroupStateSummaryResponse = message('ReadShareGroupStateSummaryResponse', 87, '0-1', '0+', {
  results: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
      stateEpoch: int32,
      leaderEpoch: int32,
      startOffset: int64,
      deliveryCompleteCount: int32.in('1+').or(-1).ignorable(),
    }),
  }),
})
export type ReadShareGroupStateSummaryResponse = MessageOf<typeof ReadShareGroupStateSummaryResponse>
export type ReadShareGroupStateSummaryResponseInput = InputOf<typeof ReadShareGroupStateSummaryResponse>
