import { array, type InputOf, int16, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const DeleteShareGroupStateRequest = message('DeleteShareGroupStateRequest', 86, '0', '0+', {
  groupId: string,
  topics: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
    }),
  }),
})
export type DeleteShareGroupStateRequest = MessageOf<typeof DeleteShareGroupStateRequest>
export type DeleteShareGroupStateRequestInput = InputOf<typeof DeleteShareGroupStateRequest>

export const DeleteShareGroupStateResponse = message('DeleteShareGroupStateResponse', 86, '0', '0+', {
  results: array({
    topicId: uuid,
    partitions: array({
      partition: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
    }),
  }),
})
export type DeleteShareGroupStateResponse = MessageOf<typeof DeleteShareGroupStateResponse>
export type DeleteShareGroupStateResponseInput = InputOf<typeof DeleteShareGroupStateResponse>
