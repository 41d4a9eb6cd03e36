import { bytes, type InputOf, int16, int32, int64, type MessageOf, message } from '../schema.ts'

export const RenewDelegationTokenRequest = message('RenewDelegationTokenRequest', 39, '0-2', '2+', {
  hmac: bytes,
  renewPeriodMs: int64,
})
export type RenewDelegationTokenRequest = MessageOf<typeof RenewDelegationTokenRequest>
export type RenewDelegationTokenRequestInput = InputOf<typeof RenewDelegationTokenRequest>

export const RenewDelegationTokenResponse = message('RenewDelegationTokenResponse', 39, '0-2', '2+', {
  errorCode: int16,
  expiryTimestampMs: int64,
  throttleTimeMs: int32,
})
export type RenewDelegationTokenResponse = MessageOf<typeof RenewDelegationTokenResponse>
export type RenewDelegationTokenResponseInput = InputOf<typeof RenewDelegationTokenResponse>
