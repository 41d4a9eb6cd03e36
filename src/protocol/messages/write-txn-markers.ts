import { array, bool, type InputOf, int8, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const WriteTxnMarkersRequest = message('WriteTxnMarkersRequest', 27, '0-2', '1+', {
  markers: array({
    producerId: int64,
    producerEpoch: int16,
    transactionResult: bool,
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    }),
    coordinatorEpoch: int32,
    transactionVersion: int8.in('2+').ignorable(),
  }),
})
export type WriteTxnMarkersRequest = MessageOf<typeof WriteTxnMarkersRequest>
export type WriteTxnMarkersRequestInput = InputOf<typeof WriteTxnMarkersRequest>

export const WriteTxnMarkersResponse = message('WriteTxnMarkersResponse', 27, '0-2', '1+', {
  markers: array({
    producerId: int64,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  }),
})
export type WriteTxnMarkersResponse = MessageOf<typeof WriteTxnMarkersResponse>
export type WriteTxnMarkersResponseInput = InputOf<typeof WriteTxnMarkersResponse>
