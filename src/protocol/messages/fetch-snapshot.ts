import {
  array,
  type InputOf,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  records,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.ts'

export const FetchSnapshotRequest = message('FetchSnapshotRequest', 59, '0-1', '0+', {
  clusterId: string.nullableIn('0+', null).taggedAs(0),
  replicaId: int32.or(-1),
  maxBytes: int32.or(0x7fffffff),
  topics: array({
    name: string,
    partitions: array({
      partition: int32,
      currentLeaderEpoch: int32,
      snapshotId: struct({
        endOffset: int64,
        epoch: int32,
      }),
      position: int64,
      replicaDirectoryId: uuid.in('1+').taggedAs(0).ignorable(),
    }),
  }),
})
export type FetchSnapshotRequest = MessageOf<typeof FetchSnapshotRequest>
export type FetchSnapshotRequestInput = InputOf<typeof FetchSnapshotRequest>

export const FetchSnapshotResponse = message('FetchSnapshotResponse', 59, '0-1', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  topics: array({
    name: string,
    partitions: array({
      index: int32,
      errorCode: int16,
      snapshotId: struct({
        endOffset: int64,
        epoch: int32,
      }),
      currentLeader: struct({
        leaderId: int32,
        leaderEpoch: int32,
      }).taggedAs(0),
      size: int64,
      position: int64,
      unalignedRecords: records,
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
export type FetchSnapshotResponse = MessageOf<typeof FetchSnapshotResponse>
export type FetchSnapshotResponseInput = InputOf<typeof FetchSnapshotResponse>
