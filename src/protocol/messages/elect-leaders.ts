import { array, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const ElectLeadersRequest = message('ElectLeadersRequest', 43, '0-2', '2+', {
  electionType: int8.in('1+'),
  topicPartitions: array({
    topic: string,
    partitions: array(int32),
  }).nullableIn('0+'),
  timeoutMs: int32.or(60000),
})
export type ElectLeadersRequest = MessageOf<typeof ElectLeadersRequest>
export type ElectLeadersRequestInput = InputOf<typeof ElectLeadersRequest>

export const ElectLeadersResponse = message('ElectLeadersResponse', 43, '0-2', '2+', {
  throttleTimeMs: int32,
  errorCode: int16.in('1+'),
  replicaElectionResults: array({
    topic: string,
    partitionResult: array({
      partitionId: int32,
      errorCode: int16,
      errorMessage: string.nullableIn('0+'),
    }),
  }),
})
export type ElectLeadersResponse = MessageOf<typeof ElectLeadersResponse>
export type ElectLeadersResponseInput = InputOf<typeof ElectLeadersResponse>
