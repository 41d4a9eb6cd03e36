import {
  array,
  type InputOf,
  int8,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'
import { INT64_MAX } from '../wire.ts'

export const FetchRequest = message('FetchRequest', 1, '0-18', '12+', {
  clusterId: string.in('12+').nullableIn('12+', null).taggedAs(0).ignorable(),
  replicaId: int32.in('0-14').or(-1),
  replicaState: struct({
    replicaId: int32.or(-1),
    replicaEpoch: int64.or(-1),
  })
    .in('15+')
    .taggedAs(1),
  maxWaitMs: int32,
  minBytes: int32,
  maxBytes: int32.in('3+').or(0x7fffffff).ignorable(),
  isolationLevel: int8.in('4+').ignorable(),
  sessionId: int32.in('7+').ignorable(),
  sessionEpoch: int32.in('7+').or(-1).ignorable(),
  topics: array({
    topic: string.in('0-12').ignorable(),
    topicId: uuid.in('13+').ignorable(),
    partitions: array({
      partition: int32,
      currentLeaderEpoch: int32.in('9+').or(-1).ignorable(),
      fetchOffset: int64,
      lastFetchedEpoch: int32.in('12+').or(-1),
      logStartOffset: int64.in('5+').or(-1).ignorable(),
      partitionMaxBytes: int32,
      replicaDirectoryId: uuid.in('17+').taggedAs(0).ignorable(),
      highWatermark: int64.in('18+').taggedAs(1).or(INT64_MAX).ignorable(),
    }),
  }),
  forgottenTopicsData: array({
    topic: string.in('7-12').ignorable(),
    topicId: uuid.in('13+').ignorable(),
    partitions: array(int32),
  }).in('7+'),
  rackId: string.in('11+').ignorable(),
})
export type FetchRequest = MessageOf<typeof FetchRequest>
export type FetchRequestInput = InputOf<typeof FetchRequest>

export const FetchResponse = message('FetchResponse', 1, '0-18', '12+', {
  throttleTimeMs: int32.in('1+').ignorable(),
  errorCode: int16.in('7+').ignorable(),
  sessionId: int32.in('7+'),
  responses: array({
    topic: string.in('0-12').ignorable(),
    topicId: uuid.in('13+').ignorable(),
    partitions: array({
      partitionIndex: int32,
      errorCode: int16,
      highWatermark: int64,
      lastStableOffset: int64.in('4+').or(-1).ignorable(),
      logStartOffset: int64.in('5+').or(-1).ignorable(),
      divergingEpoch: struct({
        epoch: int32.or(-1),
        endOffset: int64.or(-1),
      })
        .in('12+')
        .taggedAs(0),
      currentLeader: struct({
        leaderId: int32.or(-1),
        leaderEpoch: int32.or(-1),
      })
        .in('12+')
        .taggedAs(1),
      snapshotId: struct({
        endOffset: int64.or(-1),
        epoch: int32.or(-1),
      })
        .in('12+')
        .taggedAs(2),
      abortedTransactions: array({
        producerId: int64,
        firstOffset: int64,
      })
        .in('4+')
        .nullableIn('4+')
        .ignorable(),
      preferredReadReplica: int32.in('11+').or(-1),
      records: records.nullableIn('0+'),
    }),
  }),
  nodeEndpoints: array({
    nodeId: int32,
    host: string,
    port: int32,
    rack: string.nullableIn('16+', null),
  })
    .in('16+')
    .taggedAs(0),
})
export type FetchResponse = MessageOf<typeof FetchResponse>
export type FetchResponseInput = InputOf<typeof FetchResponse>
