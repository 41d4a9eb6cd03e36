import { type InputOf, int32, int64, type MessageOf, message } from '../schema.ts'

export const UnregisterBrokerRecord = message('UnregisterBrokerRecord', 1, '0', '0+', {
  brokerId: int32,
  brokerEpoch: int64,
})
export type UnregisterBrokerRecord = MessageOf<typeof UnregisterBrokerRecord>
export type UnregisterBrokerRecordInput = InputOf<typeof UnregisterBrokerRecord>
