import {
  ConsumerGroupCurrentMemberAssignmentKey,
  ConsumerGroupCurrentMemberAssignmentValue,
} from '../protocol/coordinator-records/consumer-group-current-member-assignment.ts'
import {
  ConsumerGroupMemberMetadataKey,
  ConsumerGroupMemberMetadataValue,
} from '../protocol/coordinator-records/consumer-group-member-metadata.ts'
import {
  ConsumerGroupMetadataKey,
  ConsumerGroupMetadataValue,
} from '../protocol/coordinator-records/consumer-group-metadata.ts'
import {
  ConsumerGroupPartitionMetadataKey,
  ConsumerGroupPartitionMetadataValue,
} from '../protocol/coordinator-records/consumer-group-partition-metadata.ts'
import {
  ConsumerGroupRegularExpressionKey,
  ConsumerGroupRegularExpressionValue,
} from '../protocol/coordinator-records/consumer-group-regular-expression.ts'
import {
  ConsumerGroupTargetAssignmentMemberKey,
  ConsumerGroupTargetAssignmentMemberValue,
} from '../protocol/coordinator-records/consumer-group-target-assignment-member.ts'
import {
  ConsumerGroupTargetAssignmentMetadataKey,
  ConsumerGroupTargetAssignmentMetadataValue,
} from '../protocol/coordinator-records/consumer-group-target-assignment-metadata.ts'
import { GroupMetadataKey, GroupMetadataValue } from '../protocol/coordinator-records/group-metadata.ts'
import { LegacyOffsetCommitKey, LegacyOffsetCommitValue } from '../protocol/coordinator-records/legacy-offset-commit.ts'
import { OffsetCommitKey, OffsetCommitValue } from '../protocol/coordinator-records/offset-commit.ts'
import { type RecordType, recordType } from './coordinator-record.ts'
import { shareGroupRecordTypes } from './share/group/records.ts'
import { streamsGroupRecordTypes } from './streams/records.ts'

/** The records of __consumer_offsets that are understood. */
export const groupMetadata = recordType(GroupMetadataKey, GroupMetadataValue)
export const offsetCommit = recordType(OffsetCommitKey, OffsetCommitValue)
export const legacyOffsetCommit = recordType(LegacyOffsetCommitKey, LegacyOffsetCommitValue)
export const consumerEpoch = recordType(ConsumerGroupMetadataKey, ConsumerGroupMetadataValue)
export const consumerPartitionMetadata = recordType(
  ConsumerGroupPartitionMetadataKey,
  ConsumerGroupPartitionMetadataValue,
)
export const consumerMember = recordType(ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue)
export const consumerTargetEpoch = recordType(
  ConsumerGroupTargetAssignmentMetadataKey,
  ConsumerGroupTargetAssignmentMetadataValue,
)
export const consumerTarget = recordType(
  ConsumerGroupTargetAssignmentMemberKey,
  ConsumerGroupTargetAssignmentMemberValue,
)
export const consumerCurrentAssignment = recordType(
  ConsumerGroupCurrentMemberAssignmentKey,
  ConsumerGroupCurrentMemberAssignmentValue,
)
export const consumerRegex = recordType(ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue)

const types: readonly { readonly id: number }[] = [
  groupMetadata,
  offsetCommit,
  legacyOffsetCommit,
  consumerEpoch,
  consumerPartitionMetadata,
  consumerMember,
  consumerTargetEpoch,
  consumerTarget,
  consumerCurrentAssignment,
  consumerRegex,
  ...shareGroupRecordTypes,
  ...streamsGroupRecordTypes,
]

export const groupRecordTypes: ReadonlyMap<number, RecordType> = new Map(
  types.map((type) => [type.id, type as unknown as RecordType]),
)
