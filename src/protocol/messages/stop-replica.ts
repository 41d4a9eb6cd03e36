import { array, bool, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const StopReplicaRequest = message('StopReplicaRequest', 5, '0-4', '2+', {
  controllerId: int32,
  isKRaftController: bool.in('4+'),
  controllerEpoch: int32,
  brokerEpoch: int64.in('1+').or(-1).ignorable(),
  deletePartitions: bool.in('0-2'),
  ungroupedPartitions: array({
    topicName: string,
    partitionIndex: int32,
  }).in('0'),
  topics: array({
    name: string,
    partitionIndexes: array(int32),
  }).in('1-2'),
  topicStates: array({
    topicName: string,
    partitionStates: array({
      partitionIndex: int32,
      leaderEpoch: int32.or(-1),
      deletePartition: bool,
    }),
  }).in('3+'),
})
export type StopReplicaRequest = MessageOf<typeof StopReplicaRequest>
export type StopReplicaRequestInput = InputOf<typeof StopReplicaRequest>

export const StopReplicaResponse = message('StopReplicaResponse', 5, '0-4', '2+', {
  errorCode: int16,
  partitionErrors: array({
    topicName: string,
    partitionIndex: int32,
    errorCode: int16,
  }),
})
export type StopReplicaResponse = MessageOf<typeof StopReplicaResponse>
export type StopReplicaResponseInput = InputOf<typeof StopReplicaResponse>
