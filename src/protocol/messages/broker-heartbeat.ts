import { array, bool, type InputOf, int16, int32, int64, type MessageOf, message, uuid } from '../schema.ts'

export const BrokerHeartbeatRequest = message('BrokerHeartbeatRequest', 63, '0-2', '0+', {
  brokerId: int32,
  brokerEpoch: int64.or(-1),
  currentMetadataOffset: int64,
  wantFence: bool,
  wantShutDown: bool,
  offlineLogDirs: array(uuid).in('1+').taggedAs(0),
  cordonedLogDirs: array(uuid).in('2+').nullableIn('2+', null).taggedAs(1),
})
export type BrokerHeartbeatRequest = MessageOf<typeof BrokerHeartbeatRequest>
export type BrokerHeartbeatRequestInput = InputOf<typeof BrokerHeartbeatRequest>

export const BrokerHeartbeatResponse = message('BrokerHeartbeatResponse', 63, '0-2', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  isCaughtUp: bool,
  isFenced: bool.or(true),
  shouldShutDown: bool,
})
export type BrokerHeartbeatResponse = MessageOf<typeof BrokerHeartbeatResponse>
export type BrokerHeartbeatResponseInput = InputOf<typeof BrokerHeartbeatResponse>
