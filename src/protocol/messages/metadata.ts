import { array, bool, type InputOf, int16, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const MetadataRequest = message('MetadataRequest', 3, '0-13', '9+', {
  topics: array({
    topicId: uuid.in('10+').ignorable(),
    name: string.nullableIn('10+'),
  }).nullableIn('1+'),
  allowAutoTopicCreation: bool.in('4+').or(true),
  includeClusterAuthorizedOperations: bool.in('8-10'),
  includeTopicAuthorizedOperations: bool.in('8+'),
})
export type MetadataRequest = MessageOf<typeof MetadataRequest>
export type MetadataRequestInput = InputOf<typeof MetadataRequest>

export const MetadataResponse = message('MetadataResponse', 3, '0-13', '9+', {
  throttleTimeMs: int32.in('3+').ignorable(),
  brokers: array({
    nodeId: int32,
    host: string,
    port: int32,
    rack: string.in('1+').nullableIn('1+', null).ignorable(),
  }),
  clusterId: string.in('2+').nullableIn('2+', null).ignorable(),
  controllerId: int32.in('1+').or(-1).ignorable(),
  topics: array({
    errorCode: int16,
    name: string.nullableIn('12+'),
    topicId: uuid.in('10+').ignorable(),
    isInternal: bool.in('1+').ignorable(),
    partitions: array({
      errorCode: int16,
      partitionIndex: int32,
      leaderId: int32,
      leaderEpoch: int32.in('7+').or(-1).ignorable(),
      replicaNodes: array(int32),
      isrNodes: array(int32),
      offlineReplicas: array(int32).in('5+').ignorable(),
    }),
    topicAuthorizedOperations: int32.in('8+').or(-2147483648),
  }),
  clusterAuthorizedOperations: int32.in('8-10').or(-2147483648),
  errorCode: int16.in('13+').ignorable(),
})
export type MetadataResponse = MessageOf<typeof MetadataResponse>
export type MetadataResponseInput = InputOf<typeof MetadataResponse>
