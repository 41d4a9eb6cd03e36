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

export const ControlRecordTypeSchema = message('ControlRecordTypeSchema', -1, '0', 'none', {
  type: int16,
})
export type ControlRecordTypeSchema = MessageOf<typeof ControlRecordTypeSchema>
export type ControlRecordTypeSchemaInput = InputOf<typeof ControlRecordTypeSchema>

export const EndTxnMarker = message('EndTxnMarker', -1, '0', 'none', {
  coordinatorEpoch: int32,
})
export type EndTxnMarker = MessageOf<typeof EndTxnMarker>
export type EndTxnMarkerInput = InputOf<typeof EndTxnMarker>

const Voter = struct({
  voterId: int32,
  voterDirectoryId: uuid.in('1+'),
})

export const LeaderChangeMessage = message('LeaderChangeMessage', -1, '0-1', '0+', {
  version: int16,
  leaderId: int32,
  voters: array(Voter),
  grantingVoters: array(Voter),
})
export type LeaderChangeMessage = MessageOf<typeof LeaderChangeMessage>
export type LeaderChangeMessageInput = InputOf<typeof LeaderChangeMessage>

export const SnapshotHeaderRecord = message('SnapshotHeaderRecord', -1, '0', '0+', {
  version: int16,
  lastContainedLogTimestamp: int64,
})
export type SnapshotHeaderRecord = MessageOf<typeof SnapshotHeaderRecord>
export type SnapshotHeaderRecordInput = InputOf<typeof SnapshotHeaderRecord>

export const SnapshotFooterRecord = message('SnapshotFooterRecord', -1, '0', '0+', {
  version: int16,
})
export type SnapshotFooterRecord = MessageOf<typeof SnapshotFooterRecord>
export type SnapshotFooterRecordInput = InputOf<typeof SnapshotFooterRecord>

export const KRaftVersionRecord = message('KRaftVersionRecord', -1, '0', '0+', {
  version: int16,
  kRaftVersion: int16,
})
export type KRaftVersionRecord = MessageOf<typeof KRaftVersionRecord>
export type KRaftVersionRecordInput = InputOf<typeof KRaftVersionRecord>

export const VotersRecord = message('VotersRecord', -1, '0', '0+', {
  version: int16,
  voters: array({
    voterId: int32,
    voterDirectoryId: uuid,
    endpoints: array({
      name: string,
      host: string,
      port: uint16,
    }),
    kRaftVersionFeature: struct({
      minSupportedVersion: int16,
      maxSupportedVersion: int16,
    }),
  }),
})
export type VotersRecord = MessageOf<typeof VotersRecord>
export type VotersRecordInput = InputOf<typeof VotersRecord>
