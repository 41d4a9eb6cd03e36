import { array, type InputOf, int8, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const ReadShareGroupStateRequest = message('ReadShareGroupStateRequest', 84, '0', '0+', {
  groupId: string,
  topics: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      leaderEpoch: int32,
    }),
  }),
})
export type ReadShareGroupStateRequest = MessageOf<typeof ReadShareGroupStateRequest>
export type ReadShareGroupStateRequestInput = InputOf<typeof ReadShareGroupStateRequest>

export const ReadShareGroupStateResponse = message('ReadShareGroupStateResponse', 84, '0', '0+', {
  results: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
      stateEpoch: int32,
      startOffset: int64,
      stateBatches: array({
        firstOffset: int64,
        lastOffset: int64,
        deliveryState: int8,
        deliveryCount: int16,
      }),
    }),
  }),
})
export type ReadShareGroupStateResponse = MessageOf<typeof ReadShareGroupStateResponse>
export type ReadShareGroupStateResponseInput = InputOf<typeof ReadShareGroupStateResponse>
