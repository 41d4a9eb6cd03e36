import { array, type InputOf, int8, int32, int64, type MessageOf, message, uuid } from '../schema.ts'

export const BrokerRegistrationChangeRecord = message('BrokerRegistrationChangeRecord', 17, '0-3', '0+', {
  brokerId: int32,
  brokerEpoch: int64,
  fenced: int8.taggedAs(0),
  inControlledShutdown: int8.in('1+').taggedAs(1),
  logDirs: array(uuid).in('2+').taggedAs(2),
  cordonedLogDirs: array(uuid).in('3+').nullableIn('3+', null).taggedAs(3),
})
export type BrokerRegistrationChangeRecord = MessageOf<typeof BrokerRegistrationChangeRecord>
export type BrokerRegistrationChangeRecordInput = InputOf<typeof BrokerRegistrationChangeRecord>
