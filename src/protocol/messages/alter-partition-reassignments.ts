import { array, bool, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const AlterPartitionReassignmentsRequest = message('AlterPartitionReassignmentsRequest', 45, '0-1', '0+', {
  timeoutMs: int32.or(60000),
  allowReplicationFactorChange: bool.in('1+').or(true),
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      replicas: array(int32).nullableIn('0+', null),
    }),
  }),
})
export type AlterPartitionReassignmentsRequest = MessageOf<typeof AlterPartitionReassignmentsRequest>
export type AlterPartitionReassignmentsRequestInput = InputOf<typeof AlterPartitionReassignmentsRequest>

export const AlterPartitionReassignmentsResponse = message('AlterPartitionReassignmentsResponse', 45, '0-1', '0+', {
  throttleTimeMs: int32,
  allowReplicationFactorChange: bool.in('1+').or(true).ignorable(),
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
  responses: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+'),
    }),
  }),
})
export type AlterPartitionReassignmentsResponse = MessageOf<typeof AlterPartitionReassignmentsResponse>
export type AlterPartitionReassignmentsResponseInput = InputOf<typeof AlterPartitionReassignmentsResponse>
