import { array, type InputOf, int16, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const DeleteShareGroupOffsetsRequest = message('DeleteShareGroupOffsetsRequest', 92, '0', '0+', {
  groupId: string,
  topics: array({
    topicName: string,
  }),
})
export type DeleteShareGroupOffsetsRequest = MessageOf<typeof DeleteShareGroupOffsetsRequest>
export type DeleteShareGroupOffsetsRequestInput = InputOf<typeof DeleteShareGroupOffsetsRequest>

export const DeleteShareGroupOffsetsResponse = message('DeleteShareGroupOffsetsResponse', 92, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+', null),
  responses: array({
    topicName: string,
    topicId: uuid,
    errorCode: int16,
    errorMessage: string.nullableIn('0+', null),
  }),
})
export type DeleteShareGroupOffsetsResponse = MessageOf<typeof DeleteShareGroupOffsetsResponse>
export type DeleteShareGroupOffsetsResponseInput = InputOf<typeof DeleteShareGroupOffsetsResponse>
