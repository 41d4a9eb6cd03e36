import {
  array,
  bool,
  type InputOf,
  int8,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts'

const LeaderAndIsrPartitionState = struct({
  topicName: string.in('0-1').ignorable(),
  partitionIndex: int32,
  controllerEpoch: int32,
  leader: int32,
  leaderEpoch: int32,
  isr: array(int32),
  partitionEpoch: int32,
  replicas: array(int32),
  addingReplicas: array(int32).in('3+').ignorable(),
  removingReplicas: array(int32).in('3+').ignorable(),
  isNew: bool.in('1+').ignorable(),
  leaderRecoveryState: int8.in('6+'),
})

export const LeaderAndIsrRequest = message('LeaderAndIsrRequest', 4, '0-7', '4+', {
  controllerId: int32,
  isKRaftController: bool.in('7+'),
  controllerEpoch: int32,
  brokerEpoch: int64.in('2+').or(-1).ignorable(),
  type: int8.in('5+'),
  ungroupedPartitionStates: array(LeaderAndIsrPartitionState).in('0-1'),
  topicStates: array({
    topicName: string,
    topicId: uuid.in('5+').ignorable(),
    partitionStates: array(LeaderAndIsrPartitionState),
  }).in('2+'),
  liveLeaders: array({
    brokerId: int32,
    hostName: string,
    port: int32,
  }),
})
export type LeaderAndIsrRequest = MessageOf<typeof LeaderAndIsrRequest>
export type LeaderAndIsrRequestInput = InputOf<typeof LeaderAndIsrRequest>

const LeaderAndIsrPartitionError = struct({
  topicName: string.in('0-4').ignorable(),
  partitionIndex: int32,
  errorCode: int16,
})

export const LeaderAndIsrResponse = message('LeaderAndIsrResponse', 4, '0-7', '4+', {
  errorCode: int16,
  partitionErrors: array(LeaderAndIsrPartitionError).in('0-4'),
  topics: array({
    topicId: uuid,
    partitionErrors: array(LeaderAndIsrPartitionError),
  }).in('5+'),
})
export type LeaderAndIsrResponse = MessageOf<typeof LeaderAndIsrResponse>
export type LeaderAndIsrResponseInput = InputOf<typeof LeaderAndIsrResponse>
