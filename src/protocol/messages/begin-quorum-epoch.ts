import { array, type InputOf, int16, int32, type MessageOf, message, string, uint16, uuid } from '../schema.ts'

export const BeginQuorumEpochRequest = message('BeginQuorumEpochRequest', 53, '0-1', '1+', {
  clusterId: string.nullableIn('0+', null),
  voterId: int32.in('1+').or(-1).ignorable(),
  topics: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
      voterDirectoryId: uuid.in('1+').ignorable(),
      leaderId: int32,
      leaderEpoch: int32,
    }),
  }),
  leaderEndpoints: array({
    name: string,
    host: string,
    port: uint16,
  })
    .in('1+')
    .ignorable(),
})
export type BeginQuorumEpochRequest = MessageOf<typeof BeginQuorumEpochRequest>
export type BeginQuorumEpochRequestInput = InputOf<typeof BeginQuorumEpochRequest>

export const BeginQuorumEpochResponse = message('BeginQuorumEpochResponse', 53, '0-1', '1+', {
  errorCode: int16,
  topics: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      leaderId: int32,
      leaderEpoch: int32,
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
export type BeginQuorumEpochResponse = MessageOf<typeof BeginQuorumEpochResponse>
export type BeginQuorumEpochResponseInput = InputOf<typeof BeginQuorumEpochResponse>
