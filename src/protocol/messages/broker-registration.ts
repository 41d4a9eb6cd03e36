import {
  array,
  bool,
  type InputOf,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  string,
  uint16,
  uuid,
} from '../schema.ts'

export const BrokerRegistrationRequest = message('BrokerRegistrationRequest', 62, '0-4', '0+', {
  brokerId: int32,
  clusterId: string,
  incarnationId: uuid,
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
  rack: string.nullableIn('0+'),
  isMigratingZkBroker: bool.in('1+'),
  logDirs: array(uuid).in('2+').ignorable(),
  previousBrokerEpoch: int64.in('3+').or(-1).ignorable(),
})
export type BrokerRegistrationRequest = MessageOf<typeof BrokerRegistrationRequest>
export type BrokerRegistrationRequestInput = InputOf<typeof BrokerRegistrationRequest>

export const BrokerRegistrationResponse = message('BrokerRegistrationResponse', 62, '0-4', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  brokerEpoch: int64.or(-1),
})
export type BrokerRegistrationResponse = MessageOf<typeof BrokerRegistrationResponse>
export type BrokerRegistrationResponseInput = InputOf<typeof BrokerRegistrationResponse>
