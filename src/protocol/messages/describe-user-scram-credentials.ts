import { array, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const DescribeUserScramCredentialsRequest = message('DescribeUserScramCredentialsRequest', 50, '0', '0+', {
  users: array({
    name: string,
  }).nullableIn('0+'),
})
export type DescribeUserScramCredentialsRequest = MessageOf<typeof DescribeUserScramCredentialsRequest>
export type DescribeUserScramCredentialsRequestInput = InputOf<typeof DescribeUserScramCredentialsRequest>

export const DescribeUserScramCredentialsResponse = message('DescribeUserScramCredentialsResponse', 50, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
  results: array({
    user: string,
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
    credentialInfos: array({
      mechanism: int8,
      iterations: int32,
    }),
  }),
})
export type DescribeUserScramCredentialsResponse = MessageOf<typeof DescribeUserScramCredentialsResponse>
export type DescribeUserScramCredentialsResponseInput = InputOf<typeof DescribeUserScramCredentialsResponse>
