import { array, bytes, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const DescribeDelegationTokenRequest = message('DescribeDelegationTokenRequest', 41, '0-3', '2+', {
  owners: array({
    principalType: string,
    principalName: string,
  }).nullableIn('0+'),
})
export type DescribeDelegationTokenRequest = MessageOf<typeof DescribeDelegationTokenRequest>
export type DescribeDelegationTokenRequestInput = InputOf<typeof DescribeDelegationTokenRequest>

export const DescribeDelegationTokenResponse = message('DescribeDelegationTokenResponse', 41, '0-3', '2+', {
  errorCode: int16,
  tokens: array({
    principalType: string,
    principalName: string,
    tokenRequesterPrincipalType: string.in('3+'),
    tokenRequesterPrincipalName: string.in('3+'),
    issueTimestamp: int64,
    expiryTimestamp: int64,
    maxTimestamp: int64,
    tokenId: string,
    hmac: bytes,
    renewers: array({
      principalType: string,
      principalName: string,
    }),
  }),
  throttleTimeMs: int32,
})
export type DescribeDelegationTokenResponse = MessageOf<typeof DescribeDelegationTokenResponse>
export type DescribeDelegationTokenResponseInput = InputOf<typeof DescribeDelegationTokenResponse>
