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

export const RegisterBrokerRecord = message('RegisterBrokerRecord', 0, '0-4', '0+', {
  brokerId: int32,
  isMigratingZkBroker: bool.in('2+'),
  incarnationId: uuid,
  brokerEpoch: int64,
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
  rack: string.nullableIn('0+'),
  fenced: bool.or(true),
  inControlledShutdown: bool.in('1+'),
  logDirs: array(uuid).in('3+').taggedAs(0),
  cordonedLogDirs: array(uuid).in('4+').nullableIn('4+', null).taggedAs(1),
})
export type RegisterBrokerRecord = MessageOf<typeof RegisterBrokerRecord>
export type RegisterBrokerRecordInput = InputOf<typeof RegisterBrokerRecord>
