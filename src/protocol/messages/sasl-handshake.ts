import { array, type InputOf, int16, type MessageOf, message, string } from '../schema.ts'

export const SaslHandshakeRequest = message('SaslHandshakeRequest', 17, '0-1', 'none', {
  mechanism: string,
})
export type SaslHandshakeRequest = MessageOf<typeof SaslHandshakeRequest>
export type SaslHandshakeRequestInput = InputOf<typeof SaslHandshakeRequest>

export const SaslHandshakeResponse = message('SaslHandshakeResponse', 17, '0-1', 'none', {
  errorCode: int16,
  mechanisms: array(string),
})
export type SaslHandshakeResponse = MessageOf<typeof SaslHandshakeResponse>
export type SaslHandshakeResponseInput = InputOf<typeof SaslHandshakeResponse>
