import { bytes, type InputOf, int16, int32, int64, type MessageOf, message } from '../schema.ts'

export const ExpireDelegationTokenRequest = message('ExpireDelegationTokenRequest', 40, '0-2', '2+', {
  hmac: bytes,
  expiryTimePeriodMs: int64,
})
export type ExpireDelegationTokenRequest = MessageOf<typeof ExpireDelegationTokenRequest>
export type ExpireDelegationTokenRequestInput = InputOf<typeof ExpireDelegationTokenRequest>

export const ExpireDelegationTokenResponse = message('ExpireDelegationTokenResponse', 40, '0-2', '2+', {
  errorCode: int16,
  expiryTimestampMs: int64,
  throttleTimeMs: int32,
})
export type ExpireDelegationTokenResponse = MessageOf<typeof ExpireDelegationTokenResponse>
export type ExpireDelegationTokenResponseInput = InputOf<typeof ExpireDelegationTokenResponse>
