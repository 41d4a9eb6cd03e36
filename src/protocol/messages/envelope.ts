import { bytes, type InputOf, int16, type MessageOf, message } from '../schema.ts'

export const EnvelopeRequest = message('EnvelopeRequest', 58, '0', '0+', {
  requestData: bytes,
  requestPrincipal: bytes.nullableIn('0+'),
  clientHostAddress: bytes,
})
export type EnvelopeRequest = MessageOf<typeof EnvelopeRequest>
export type EnvelopeRequestInput = InputOf<typeof EnvelopeRequest>

export const EnvelopeResponse = message('EnvelopeResponse', 58, '0', '0+', {
  responseData: bytes.nullableIn('0+', null),
  errorCode: int16,
})
export type EnvelopeResponse = MessageOf<typeof EnvelopeResponse>
export type EnvelopeResponseInput = InputOf<typeof EnvelopeResponse>
