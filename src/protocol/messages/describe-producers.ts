import { array, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const DescribeProducersRequest = message('DescribeProducersRequest', 61, '0', '0+', {
  topics: array({
    name: string,
    partitionIndexes: array(int32),
  }),
})
export type DescribeProducersRequest = MessageOf<typeof DescribeProducersRequest>
export type DescribeProducersRequestInput = InputOf<typeof DescribeProducersRequest>

export const DescribeProducersResponse = message('DescribeProducersResponse', 61, '0', '0+', {
  throttleTimeMs: int32,
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
      activeProducers: array({
        producerId: int64,
        producerEpoch: int32,
        lastSequence: int32.or(-1),
        lastTimestamp: int64.or(-1),
        coordinatorEpoch: int32,
        currentTxnStartOffset: int64.or(-1),
      }),
    }),
  }),
})
export type DescribeProducersResponse = MessageOf<typeof DescribeProducersResponse>
export type DescribeProducersResponseInput = InputOf<typeof DescribeProducersResponse>
