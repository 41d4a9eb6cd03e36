import { GroupMetadataKey, GroupMetadataValue } from '../protocol/coordinator-records/group-metadata.ts'
import { LegacyOffsetCommitKey, LegacyOffsetCommitValue } from '../protocol/coordinator-records/legacy-offset-commit.ts'
import { OffsetCommitKey, OffsetCommitValue } from '../protocol/coordinator-records/offset-commit.ts'
import { type RecordType, recordType } from './coordinator-record.ts'

/** The records of __consumer_offsets that are understood; Apache Kafka's other kinds (KIP-848, KIP-932) join here. */
export const groupMetadata = recordType(GroupMetadataKey, GroupMetadataValue)
export const offsetCommit = recordType(OffsetCommitKey, OffsetCommitValue)
export const legacyOffsetCommit = recordType(LegacyOffsetCommitKey, LegacyOffsetCommitValue)

export const groupRecordTypes: ReadonlyMap<number, RecordType> = new Map(
  [groupMetadata, offsetCommit, legacyOffsetCommit].map((type) => [type.id, type as unknown as RecordType]),
)
