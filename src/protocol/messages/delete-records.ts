import { array, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const DeleteRecordsRequest = message('DeleteRecordsRequest', 21, '0-2', '2+', {
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      offset: int64,
    }),
  }),
  timeoutMs: int32,
})
export type DeleteRecordsRequest = MessageOf<typeof DeleteRecordsRequest>
export type DeleteRecordsRequestInput = InputOf<typeof DeleteRecordsRequest>

export const DeleteRecordsResponse = message('DeleteRecordsResponse', 21, '0-2', '2+', {
  throttleTimeMs: int32,
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      lowWatermark: int64,
      errorCode: int16,
    }),
  }),
})
export type DeleteRecordsResponse = MessageOf<typeof DeleteRecordsResponse>
export type DeleteRecordsResponseInput = InputOf<typeof DeleteRecordsResponse>
