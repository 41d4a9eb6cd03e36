import { array, type InputOf, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const InitializeShareGroupStateRequest = message('InitializeShareGroupStateRequest', 83, '0', '0+', {
  groupId: string,
  topics: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      stateEpoch: int32,
      startOffset: int64,
    }),
  }),
})
export type InitializeShareGroupStateRequest = MessageOf<typeof InitializeShareGroupStateRequest>
export type InitializeShareGroupStateRequestInput = InputOf<typeof InitializeShareGroupStateRequest>

export const InitializeShareGroupStateResponse = message('InitializeShareGroupStateResponse', 83, '0', '0+', {
  results: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
    }),
  }),
})
export type InitializeShareGroupStateResponse = MessageOf<typeof InitializeShareGroupStateResponse>
export type InitializeShareGroupStateResponseInput = InputOf<typeof InitializeShareGroupStateResponse>
