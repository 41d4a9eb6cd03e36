import { array, type InputOf, int8, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const WriteShareGroupStateRequest = message('WriteShareGroupStateRequest', 85, '0-1', '0+', {
  groupId: string,
  topics: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      stateEpoch: int32,
      leaderEpoch: int32,
      startOffset: int64,
      deliveryCompleteCount: int32.in('1+').or(-1).ignorable(),
      stateBatches: array({
        firstOffset: int64,
        lastOffset: int64,
        deliveryState: int8,
        deliveryCount: int16,
      }),
    }),
  }),
})
export type WriteShareGroupStateRequest = MessageOf<typeof WriteShareGroupStateRequest>
export type WriteShareGroupStateRequestInput = InputOf<typeof WriteShareGroupStateRequest>

export const WriteShareGroupStateResponse = message('WriteShareGroupStateResponse', 85, '0-1', '0+', {
  results: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
    }),
  }),
})
export type WriteShareGroupStateResponse = MessageOf<typeof WriteShareGroupStateResponse>
export type WriteShareGroupStateResponseInput = InputOf<typeof WriteShareGroupStateResponse>
