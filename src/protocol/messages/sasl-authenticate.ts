import { bytes, type InputOf, int16, int64, type MessageOf, message, string } from '../schema.ts'

export const SaslAuthenticateRequest = message('SaslAuthenticateRequest', 36, '0-2', '2+', {
  authBytes: bytes,
})
export type SaslAuthenticateRequest = MessageOf<typeof SaslAuthenticateRequest>
export type SaslAuthenticateRequestInput = InputOf<typeof SaslAuthenticateRequest>

export const SaslAuthenticateResponse = message('SaslAuthenticateResponse', 36, '0-2', '2+', {
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
  authBytes: bytes,
  sessionLifetimeMs: int64.in('1+').ignorable(),
})
export type SaslAuthenticateResponse = MessageOf<typeof SaslAuthenticateResponse>
export type SaslAuthenticateResponseInput = InputOf<typeof SaslAuthenticateResponse>
