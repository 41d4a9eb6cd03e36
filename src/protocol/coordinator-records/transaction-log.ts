import { array, type InputOf, int8, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const TransactionLogKey = message('TransactionLogKey', 0, '0', 'none', {
  transactionalId: string,
})
export type TransactionLogKey = MessageOf<typeof TransactionLogKey>
export type TransactionLogKeyInput = InputOf<typeof TransactionLogKey>

export const TransactionLogValue = message('TransactionLogValue', 0, '0-1', '1+', {
  producerId: int64,
  previousProducerId: int64.in('1+').taggedAs(0).or(-1),
  nextProducerId: int64.in('1+').taggedAs(1).or(-1),
  producerEpoch: int16,
  nextProducerEpoch: int16.in('1+').taggedAs(3).or(-1),
  transactionTimeoutMs: int32,
  transactionStatus: int8,
  transactionPartitions: array({
    topic: string,
    partitionIds: array(int32),
  }).nullableIn('0+'),
  transactionLastUpdateTimestampMs: int64,
  transactionStartTimestampMs: int64,
  clientTransactionVersion: int16.in('1+').taggedAs(2),
})
export type TransactionLogValue = MessageOf<typeof TransactionLogValue>
export type TransactionLogValueInput = InputOf<typeof TransactionLogValue>
