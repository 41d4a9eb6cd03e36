import { array, bool, type InputOf, int16, int32, type MessageOf, message, string, uint16, uuid } from '../schema.ts'

export const RegisterControllerRecord = message('RegisterControllerRecord', 27, '0', '0+', {
  controllerId: int32,
  incarnationId: uuid,
  zkMigrationReady: bool,
  endPoints: array({
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
export type RegisterControllerRecord = MessageOf<typeof RegisterControllerRecord>
export type RegisterControllerRecordInput = InputOf<typeof RegisterControllerRecord>
