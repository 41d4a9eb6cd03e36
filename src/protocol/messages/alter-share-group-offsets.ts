import { array, type InputOf, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const AlterShareGroupOffsetsRequest = message('AlterShareGroupOffsetsRequest', 91, '0', '0+', {
  groupId: string,
  topics: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
      startOffset: int64,
    }),
  }),
})
export type AlterShareGroupOffsetsRequest = MessageOf<typeof AlterShareGroupOffsetsRequest>
export type AlterShareGroupOffsetsRequestInput = InputOf<typeof AlterShareGroupOffsetsRequest>

export const AlterShareGroupOffsetsResponse = message('AlterShareGroupOffsetsResponse', 91, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+', null),
  responses: array({
    topicName: string,
    topicId: uuid,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+', null),
    }),
  }),
})
export type AlterShareGroupOffsetsResponse = MessageOf<typeof AlterShareGroupOffsetsResponse>
export type AlterShareGroupOffsetsResponseInput = InputOf<typeof AlterShareGroupOffsetsResponse>
