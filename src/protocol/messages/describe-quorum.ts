import {
  array,
  type InputOf,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.ts'

export const DescribeQuorumRequest = message('DescribeQuorumRequest', 55, '0-2', '0+', {
  topics: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
    }),
  }),
})
export type DescribeQuorumRequest = MessageOf<typeof DescribeQuorumRequest>
export type DescribeQuorumRequestInput = InputOf<typeof DescribeQuorumRequest>

const ReplicaState = struct({
  replicaId: int32,
  replicaDirectoryId: uuid.in('2+'),
  logEndOffset: int64,
  lastFetchTimestamp: int64.in('1+').or(-1).ignorable(),
  lastCaughtUpTimestamp: int64.in('1+').or(-1).ignorable(),
})

export const DescribeQuorumResponse = message('DescribeQuorumResponse', 55, '0-2', '0+', {
  errorCode: int16,
  errorMessage: string.in('2+').nullableIn('2+').ignorable(),
  topics: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      errorMessage: string.in('2+').nullableIn('2+').ignorable(),
      leaderId: int32,
      leaderEpoch: int32,
      highWatermark: int64,
      currentVoters: array(ReplicaState),
      observers: array(ReplicaState),
    }),
  }),
  nodes: array({
    nodeId: int32,
    listeners: array({
      name: string,
      host: string,
      port: uint16,
    }),
  }).in('2+'),
})
export type DescribeQuorumResponse = MessageOf<typeof DescribeQuorumResponse>
export type DescribeQuorumResponseInput = InputOf<typeof DescribeQuorumResponse>
