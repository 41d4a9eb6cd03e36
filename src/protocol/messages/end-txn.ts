import { bool, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const EndTxnRequest = message('EndTxnRequest', 26, '0-5', '3+', {
  transactionalId: string,
  producerId: int64,
  producerEpoch: int16,
  committed: bool,
})
export type EndTxnRequest = MessageOf<typeof EndTxnRequest>
export type EndTxnRequestInput = InputOf<typeof EndTxnRequest>

export const EndTxnResponse = message('EndTxnResponse', 26, '0-5', '3+', {
  throttleTimeMs: int32,
  errorCode: int16,
  producerId: int64.in('5+').or(-1).ignorable(),
  producerEpoch: int16.in('5+').or(-1).ignorable(),
})
export type EndTxnResponse = MessageOf<typeof EndTxnResponse>
export type EndTxnResponseInput = InputOf<typeof EndTxnResponse>
