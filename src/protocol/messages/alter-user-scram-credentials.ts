import { array, bytes, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const AlterUserScramCredentialsRequest = message('AlterUserScramCredentialsRequest', 51, '0', '0+', {
  deletions: array({
    name: string,
    mechanism: int8,
  }),
  upsertions: array({
    name: string,
    mechanism: int8,
    iterations: int32,
    salt: bytes,
    saltedPassword: bytes,
  }),
})
export type AlterUserScramCredentialsRequest = MessageOf<typeof AlterUserScramCredentialsRequest>
export type AlterUserScramCredentialsRequestInput = InputOf<typeof AlterUserScramCredentialsRequest>

export const AlterUserScramCredentialsResponse = message('AlterUserScramCredentialsResponse', 51, '0', '0+', {
  throttleTimeMs: int32,
  results: array({
    user: string,
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
  }),
})
export type AlterUserScramCredentialsResponse = MessageOf<typeof AlterUserScramCredentialsResponse>
export type AlterUserScramCredentialsResponseInput = InputOf<typeof AlterUserScramCredentialsResponse>
