import { array, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const DescribeTransactionsRequest = message('DescribeTransactionsRequest', 65, '0', '0+', {
  transactionalIds: array(string),
})
export type DescribeTransactionsRequest = MessageOf<typeof DescribeTransactionsRequest>
export type DescribeTransactionsRequestInput = InputOf<typeof DescribeTransactionsRequest>

export const DescribeTransactionsResponse = message('DescribeTransactionsResponse', 65, '0', '0+', {
  throttleTimeMs: int32,
  transactionStates: array({
    errorCode: int16,
    transactionalId: string,
    transactionState: string,
    transactionTimeoutMs: int32,
    transactionStartTimeMs: int64,
    producerId: int64,
    producerEpoch: int16,
    topics: array({
      topic: string,
      partitions: array(int32),
    }),
  }),
})
export type DescribeTransactionsResponse = MessageOf<typeof DescribeTransactionsResponse>
export type DescribeTransactionsResponseInput = InputOf<typeof DescribeTransactionsResponse>
