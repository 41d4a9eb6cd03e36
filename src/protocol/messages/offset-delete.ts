import { array, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const OffsetDeleteRequest = message('OffsetDeleteRequest', 47, '0', 'none', {
  groupId: string,
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
    }),
  }),
})
export type OffsetDeleteRequest = MessageOf<typeof OffsetDeleteRequest>
export type OffsetDeleteRequestInput = InputOf<typeof OffsetDeleteRequest>

export const OffsetDeleteResponse = message('OffsetDeleteResponse', 47, '0', 'none', {
  errorCode: int16,
  throttleTimeMs: int32,
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
    }),
  }),
})
export type OffsetDeleteResponse = MessageOf<typeof OffsetDeleteResponse>
export type OffsetDeleteResponseInput = InputOf<typeof OffsetDeleteResponse>
