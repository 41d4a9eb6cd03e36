import { type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const AddOffsetsToTxnRequest = message('AddOffsetsToTxnRequest', 25, '0-4', '3+', {
  transactionalId: string,
  producerId: int64,
  producerEpoch: int16,
  groupId: string,
})
export type AddOffsetsToTxnRequest = MessageOf<typeof AddOffsetsToTxnRequest>
export type AddOffsetsToTxnRequestInput = InputOf<typeof AddOffsetsToTxnRequest>

export const AddOffsetsToTxnResponse = message('AddOffsetsToTxnResponse', 25, '0-4', '3+', {
  throttleTimeMs: int32,
  errorCode: int16,
})
export type AddOffsetsToTxnResponse = MessageOf<typeof AddOffsetsToTxnResponse>
export type AddOffsetsToTxnResponseInput = InputOf<typeof AddOffsetsToTxnResponse>
