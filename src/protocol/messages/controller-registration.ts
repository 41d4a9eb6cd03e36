import { array, bool, type InputOf, int16, int32, type MessageOf, message, string, uint16, uuid } from '../schema.ts'

export const ControllerRegistrationRequest = message('ControllerRegistrationRequest', 70, '0', '0+', {
  controllerId: int32,
  incarnationId: uuid,
  zkMigrationReady: bool,
  listeners: array({
    name: string,
    host: string,
    port: uint16,
    securityProtocol: int16,
  }),
  features: array({
    name: string,
    minSupportedVersion: int16,
    maxSupportedVersion: int16,
  }),
})
export type ControllerRegistrationRequest = MessageOf<typeof ControllerRegistrationRequest>
export type ControllerRegistrationRequestInput = InputOf<typeof ControllerRegistrationRequest>

export const ControllerRegistrationResponse = message('ControllerRegistrationResponse', 70, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
})
export type ControllerRegistrationResponse = MessageOf<typeof ControllerRegistrationResponse>
export type ControllerRegistrationResponseInput = InputOf<typeof ControllerRegistrationResponse>
