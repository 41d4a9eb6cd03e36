import { type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const UnregisterBrokerRequest = message('UnregisterBrokerRequest', 64, '0', '0+', {
  brokerId: int32,
})
export type UnregisterBrokerRequest = MessageOf<typeof UnregisterBrokerRequest>
export type UnregisterBrokerRequestInput = InputOf<typeof UnregisterBrokerRequest>

export const UnregisterBrokerResponse = message('UnregisterBrokerResponse', 64, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
})
export type UnregisterBrokerResponse = MessageOf<typeof UnregisterBrokerResponse>
export type UnregisterBrokerResponseInput = InputOf<typeof UnregisterBrokerResponse>
