import { type InputOf, int32, int64, type MessageOf, message } from '../schema.ts'

export const FenceBrokerRecord = message('FenceBrokerRecord', 7, '0', '0+', {
  id: int32,
  epoch: int64,
})
export type FenceBrokerRecord = MessageOf<typeof FenceBrokerRecord>
export type FenceBrokerRecordInput = InputOf<typeof FenceBrokerRecord>
