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

const UpdateMetadataPartitionState = struct({
  topicName: string.in('0-4').ignorable(),
  partitionIndex: int32,
  controllerEpoch: int32,
  leader: int32,
  leaderEpoch: int32,
  isr: array(int32),
  zkVersion: int32,
  replicas: array(int32),
  offlineReplicas: array(int32).in('4+').ignorable(),
})

export const UpdateMetadataRequest = message('UpdateMetadataRequest', 6, '0-8', '6+', {
  controllerId: int32,
  isKRaftController: bool.in('8+'),
  type: int8.in('8+').taggedAs(0),
  controllerEpoch: int32,
  brokerEpoch: int64.in('5+').or(-1).ignorable(),
  ungroupedPartitionStates: array(UpdateMetadataPartitionState).in('0-4'),
  topicStates: array({
    topicName: string,
    topicId: uuid.in('7+').ignorable(),
    partitionStates: array(UpdateMetadataPartitionState),
  }).in('5+'),
  liveBrokers: array({
    id: int32,
    v0Host: string.in('0').ignorable(),
    v0Port: int32.in('0').ignorable(),
    endpoints: array({
      port: int32,
      host: string,
      listener: string.in('3+').ignorable(),
      securityProtocol: int16,
    })
      .in('1+')
      .ignorable(),
    rack: string.in('2+').nullableIn('0+').ignorable(),
  }),
})
export type UpdateMetadataRequest = MessageOf<typeof UpdateMetadataRequest>
export type UpdateMetadataRequestInput = InputOf<typeof UpdateMetadataRequest>

export const UpdateMetadataResponse = message('UpdateMetadataResponse', 6, '0-8', '6+', {
  errorCode: int16,
})
export type UpdateMetadataResponse = MessageOf<typeof UpdateMetadataResponse>
export type UpdateMetadataResponseInput = InputOf<typeof UpdateMetadataResponse>
