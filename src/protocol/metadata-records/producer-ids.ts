import { type InputOf, int32, int64, type MessageOf, message } from '../schema.ts'

export const ProducerIdsRecord = message('ProducerIdsRecord', 15, '0', '0+', {
  brokerId: int32,
  brokerEpoch: int64.or(-1),
  nextProducerId: int64,
})
export type ProducerIdsRecord = MessageOf<typeof ProducerIdsRecord>
export type ProducerIdsRecordInput = InputOf<typeof ProducerIdsRecord>
