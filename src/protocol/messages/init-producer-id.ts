import { bool, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const InitProducerIdRequest = message(
  'InitProducerIdRequest',
  22,
  '0-6',
  '2+',
  {
    transactionalId: string.nullableIn('0+'),
    transactionTimeoutMs: int32,
    producerId: int64.in('3+').or(-1),
    producerEpoch: int16.in('3+').or(-1),
    enable2Pc: bool.in('6+'),
    keepPreparedTxn: bool.in('6+'),
  },
  { latestVersionUnstable: true },
)
export type InitProducerIdRequest = MessageOf<typeof InitProducerIdRequest>
export type InitProducerIdRequestInput = InputOf<typeof InitProducerIdRequest>

export const InitProducerIdResponse = message('InitProducerIdResponse', 22, '0-6', '2+', {
  throttleTimeMs: int32,
  errorCode: int16,
  producerId: int64.or(-1),
  producerEpoch: int16,
  ongoingTxnProducerId: int64.in('6+').or(-1),
  ongoingTxnProducerEpoch: int16.in('6+').or(-1),
})
export type InitProducerIdResponse = MessageOf<typeof InitProducerIdResponse>
export type InitProducerIdResponseInput = InputOf<typeof InitProducerIdResponse>
