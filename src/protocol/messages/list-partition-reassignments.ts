import { array, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const ListPartitionReassignmentsRequest = message('ListPartitionReassignmentsRequest', 46, '0', '0+', {
  timeoutMs: int32.or(60000),
  topics: array({
    name: string,
    partitionIndexes: array(int32),
  }).nullableIn('0+', null),
})
export type ListPartitionReassignmentsRequest = MessageOf<typeof ListPartitionReassignmentsRequest>
export type ListPartitionReassignmentsRequestInput = InputOf<typeof ListPartitionReassignmentsRequest>

export const ListPartitionReassignmentsResponse = message('ListPartitionReassignmentsResponse', 46, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
  topics: array({
    name: string,
    partitions: array({
      partitionIndex: int32,
      replicas: array(int32),
      addingReplicas: array(int32),
      removingReplicas: array(int32),
    }),
  }),
})
export type ListPartitionReassignmentsResponse = MessageOf<typeof ListPartitionReassignmentsResponse>
export type ListPartitionReassignmentsResponseInput = InputOf<typeof ListPartitionReassignmentsResponse>
