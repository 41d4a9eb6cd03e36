import { type InputOf, int16, int32, int64, type MessageOf, message } from '../schema.ts'

export const AllocateProducerIdsRequest = message('AllocateProducerIdsRequest', 67, '0', '0+', {
  brokerId: int32,
  brokerEpoch: int64.or(-1),
})
export type AllocateProducerIdsRequest = MessageOf<typeof AllocateProducerIdsRequest>
export type AllocateProducerIdsRequestInput = InputOf<typeof AllocateProducerIdsRequest>

export const AllocateProducerIdsResponse = message('AllocateProducerIdsResponse', 67, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  producerIdStart: int64,
  producerIdLen: int32,
})
export type AllocateProducerIdsResponse = MessageOf<typeof AllocateProducerIdsResponse>
export type AllocateProducerIdsResponseInput = InputOf<typeof AllocateProducerIdsResponse>
