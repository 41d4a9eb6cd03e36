import { array, type InputOf, int16, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const DeleteTopicsRequest = message('DeleteTopicsRequest', 20, '0-6', '4+', {
  topics: array({
    name: string.nullableIn('6+', null),
    topicId: uuid,
  }).in('6+'),
  topicNames: array(string).in('0-5').ignorable(),
  timeoutMs: int32,
})
export type DeleteTopicsRequest = MessageOf<typeof DeleteTopicsRequest>
export type DeleteTopicsRequestInput = InputOf<typeof DeleteTopicsRequest>

export const DeleteTopicsResponse = message('DeleteTopicsResponse', 20, '0-6', '4+', {
  throttleTimeMs: int32.in('1+').ignorable(),
  responses: array({
    name: string.nullableIn('6+'),
    topicId: uuid.in('6+').ignorable(),
    errorCode: int16,
    errorMessage: string.in('5+').nullableIn('5+', null).ignorable(),
  }),
})
export type DeleteTopicsResponse = MessageOf<typeof DeleteTopicsResponse>
export type DeleteTopicsResponseInput = InputOf<typeof DeleteTopicsResponse>
