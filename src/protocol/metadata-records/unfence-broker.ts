import { type InputOf, int32, int64, type MessageOf, message } from '../schema.ts'

export const UnfenceBrokerRecord = message('UnfenceBrokerRecord', 8, '0', '0+', {
  id: int32,
  epoch: int64,
})
export type UnfenceBrokerRecord = MessageOf<typeof UnfenceBrokerRecord>
export type UnfenceBrokerRecordInput = InputOf<typeof UnfenceBrokerRecord>
