import { array, bool, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const CreatePartitionsRequest = message('CreatePartitionsRequest', 37, '0-3', '2+', {
  topics: array({
    name: string,
    count: int32,
    assignments: array({
      brokerIds: array(int32),
    }).nullableIn('0+'),
  }),
  timeoutMs: int32,
  validateOnly: bool,
})
export type CreatePartitionsRequest = MessageOf<typeof CreatePartitionsRequest>
export type CreatePartitionsRequestInput = InputOf<typeof CreatePartitionsRequest>

export const CreatePartitionsResponse = message('CreatePartitionsResponse', 37, '0-3', '2+', {
  throttleTimeMs: int32,
  results: array({
    name: string,
    errorCode: int16,
    errorMessage: string.nullableIn('0+', null),
  }),
})
export type CreatePartitionsResponse = MessageOf<typeof CreatePartitionsResponse>
export type CreatePartitionsResponseInput = InputOf<typeof CreatePartitionsResponse>
