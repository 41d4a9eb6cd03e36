import {
  array,
  bool,
  type InputOf,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  string,
  uint16,
  uuid,
} from '../schema.ts'

export const VoteRequest = message('VoteRequest', 52, '0-2', '0+', {
  clusterId: string.nullableIn('0+', null),
  voterId: int32.in('1+').or(-1).ignorable(),
  topics: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
      replicaEpoch: int32,
      replicaId: int32,
      replicaDirectoryId: uuid.in('1+').ignorable(),
      voterDirectoryId: uuid.in('1+').ignorable(),
      lastOffsetEpoch: int32,
      lastOffset: int64,
      preVote: bool.in('2+'),
    }),
  }),
})
export type VoteRequest = MessageOf<typeof VoteRequest>
export type VoteRequestInput = InputOf<typeof VoteRequest>

export const VoteResponse = message('VoteResponse', 52, '0-2', '0+', {
  errorCode: int16,
  topics: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      leaderId: int32,
      leaderEpoch: int32,
      voteGranted: bool,
    }),
  }),
  nodeEndpoints: array({
    nodeId: int32,
    host: string,
    port: uint16,
  })
    .in('1+')
    .taggedAs(0),
})
export type VoteResponse = MessageOf<typeof VoteResponse>
export type VoteResponseInput = InputOf<typeof VoteResponse>
