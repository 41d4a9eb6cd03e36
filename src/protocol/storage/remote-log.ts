import {
  array,
  bool,
  bytes,
  type InputOf,
  int8,
  int32,
  int64,
  type MessageOf,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const RemoteLogSegmentMetadataRecord = message('RemoteLogSegmentMetadataRecord', 0, '0', '0+', {
  remoteLogSegmentId: struct({
    topicIdPartition: struct({
      name: string,
      id: uuid,
      partition: int32,
    }),
    id: uuid,
  }),
  startOffset: int64,
  endOffset: int64,
  brokerId: int32,
  maxTimestampMs: int64,
  eventTimestampMs: int64,
  segmentLeaderEpochs: array({
    leaderEpoch: int32,
    offset: int64,
  }),
  segmentSizeInBytes: int32,
  customMetadata: bytes.nullableIn('0+', null),
  remoteLogSegmentState: int8,
  txnIndexEmpty: bool.taggedAs(0),
})
export type RemoteLogSegmentMetadataRecord = MessageOf<typeof RemoteLogSegmentMetadataRecord>
export type RemoteLogSegmentMetadataRecordInput = InputOf<typeof RemoteLogSegmentMetadataRecord>

export const RemoteLogSegmentMetadataSnapshotRecord = message('RemoteLogSegmentMetadataSnapshotRecord', 3, '0', '0+', {
  segmentId: uuid,
  startOffset: int64,
  endOffset: int64,
  brokerId: int32,
  maxTimestampMs: int64,
  eventTimestampMs: int64,
  segmentLeaderEpochs: array({
    leaderEpoch: int32,
    offset: int64,
  }),
  segmentSizeInBytes: int32,
  customMetadata: bytes.nullableIn('0+', null),
  remoteLogSegmentState: int8,
  txnIndexEmpty: bool.taggedAs(0),
})
export type RemoteLogSegmentMetadataSnapshotRecord = MessageOf<typeof RemoteLogSegmentMetadataSnapshotRecord>
export type RemoteLogSegmentMetadataSnapshotRecordInput = InputOf<typeof RemoteLogSegmentMetadataSnapshotRecord>

export const RemoteLogSegmentMetadataUpdateRecord = message('RemoteLogSegmentMetadataUpdateRecord', 1, '0', '0+', {
  remoteLogSegmentId: struct({
    topicIdPartition: struct({
      name: string,
      id: uuid,
      partition: int32,
    }),
    id: uuid,
  }),
  brokerId: int32,
  eventTimestampMs: int64,
  customMetadata: bytes.nullableIn('0+', null),
  remoteLogSegmentState: int8,
})
export type RemoteLogSegmentMetadataUpdateRecord = MessageOf<typeof RemoteLogSegmentMetadataUpdateRecord>
export type RemoteLogSegmentMetadataUpdateRecordInput = InputOf<typeof RemoteLogSegmentMetadataUpdateRecord>

export const RemotePartitionDeleteMetadataRecord = message('RemotePartitionDeleteMetadataRecord', 2, '0', '0+', {
  topicIdPartition: struct({
    name: string,
    id: uuid,
    partition: int32,
  }),
  brokerId: int32,
  eventTimestampMs: int64,
  remotePartitionDeleteState: int8,
})
export type RemotePartitionDeleteMetadataRecord = MessageOf<typeof RemotePartitionDeleteMetadataRecord>
export type RemotePartitionDeleteMetadataRecordInput = InputOf<typeof RemotePartitionDeleteMetadataRecord>
