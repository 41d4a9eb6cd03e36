import { array, bytes, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const CreateDelegationTokenRequest = message('CreateDelegationTokenRequest', 38, '0-3', '2+', {
  ownerPrincipalType: string.in('3+').nullableIn('3+'),
  ownerPrincipalName: string.in('3+').nullableIn('3+'),
  renewers: array({
    principalType: string,
    principalName: string,
  }),
  maxLifetimeMs: int64,
})
export type CreateDelegationTokenRequest = MessageOf<typeof CreateDelegationTokenRequest>
export type CreateDelegationTokenRequestInput = InputOf<typeof CreateDelegationTokenRequest>

export const CreateDelegationTokenResponse = message('CreateDelegationTokenResponse', 38, '0-3', '2+', {
  errorCode: int16,
  principalType: string,
  principalName: string,
  tokenRequesterPrincipalType: string.in('3+'),
  tokenRequesterPrincipalName: string.in('3+'),
  issueTimestampMs: int64,
  expiryTimestampMs: int64,
  maxTimestampMs: int64,
  tokenId: string,
  hmac: bytes,
  throttleTimeMs: int32,
})
export type CreateDelegationTokenResponse = MessageOf<typeof CreateDelegationTokenResponse>
export type CreateDelegationTokenResponseInput = InputOf<typeof CreateDelegationTokenResponse>
