import { array, type InputOf, int16, int32, type MessageOf, message, string, uint16, uuid } from '../schema.ts'

export const EndQuorumEpochRequest = message('EndQuorumEpochRequest', 54, '0-1', '1+', {
  clusterId: string.nullableIn('0+', null),
  topics: array({
    topicName: string,
    partitions: array({
      partitionIndex: int32,
      leaderId: int32,
      leaderEpoch: int32,
      preferredSuccessors: array(int32).in('0').ignorable(),
      preferredCandidates: array({
        candidateId: int32,
        candidateDirectoryId: uuid,
      })
        .in('1+')
        .ignorable(),
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
export type EndQuorumEpochRequest = MessageOf<typeof EndQuorumEpochRequest>
export type EndQuorumEpochRequestInput = InputOf<typeof EndQuorumEpochRequest>

export const EndQuorumEpochResponse = message('EndQuorumEpochResponse', 54, '0-1', '1+', {
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
export type EndQuorumEpochResponse = MessageOf<typeof EndQuorumEpochResponse>
export type EndQuorumEpochResponseInput = InputOf<typeof EndQuorumEpochResponse>
