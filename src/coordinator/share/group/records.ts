import {
  ShareGroupCurrentMemberAssignmentKey,
  ShareGroupCurrentMemberAssignmentValue,
} from '../../../protocol/coordinator-records/share-group-current-member-assignment.ts'
import {
  ShareGroupMemberMetadataKey,
  ShareGroupMemberMetadataValue,
} from '../../../protocol/coordinator-records/share-group-member-metadata.ts'
import {
  ShareGroupMetadataKey,
  ShareGroupMetadataValue,
} from '../../../protocol/coordinator-records/share-group-metadata.ts'
import {
  ShareGroupStatePartitionMetadataKey,
  ShareGroupStatePartitionMetadataValue,
} from '../../../protocol/coordinator-records/share-group-state-partition-metadata.ts'
import {
  ShareGroupTargetAssignmentMemberKey,
  ShareGroupTargetAssignmentMemberValue,
} from '../../../protocol/coordinator-records/share-group-target-assignment-member.ts'
import {
  ShareGroupTargetAssignmentMetadataKey,
  ShareGroupTargetAssignmentMetadataValue,
} from '../../../protocol/coordinator-records/share-group-target-assignment-metadata.ts'
import { type CoordinatorRecord, coordinatorRecord, recordType, tombstone } from '../../coordinator-record.ts'
import { type Assignment, toTopicPartitions } from '../../modern/assignment.ts'
import type { ShareMember } from './member.ts'
import type { StatePartitions, TopicState } from './state-partitions.ts'

/** The records of share groups in __consumer_offsets. */
export const shareMember = recordType(ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue)
export const shareEpoch = recordType(ShareGroupMetadataKey, ShareGroupMetadataValue)
export const shareTargetEpoch = recordType(
  ShareGroupTargetAssignmentMetadataKey,
  ShareGroupTargetAssignmentMetadataValue,
)
export const shareTarget = recordType(ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue)
export const shareCurrentAssignment = recordType(
  ShareGroupCurrentMemberAssignmentKey,
  ShareGroupCurrentMemberAssignmentValue,
)
export const shareStatePartitions = recordType(
  ShareGroupStatePartitionMetadataKey,
  ShareGroupStatePartitionMetadataValue,
)

export const shareGroupRecordTypes: readonly { readonly id: number }[] = [
  shareMember,
  shareEpoch,
  shareTargetEpoch,
  shareTarget,
  shareCurrentAssignment,
  shareStatePartitions,
]

/** All values of share groups have only one version. */
const VERSION = 0

export function memberRecord(groupId: string, member: ShareMember): CoordinatorRecord {
  return coordinatorRecord(shareMember, { groupId, memberId: member.id }, VERSION, {
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.subscribedTopics].sort(),
  })
}

export function epochRecord(groupId: string, epoch: number, metadataHash: bigint): CoordinatorRecord {
  return coordinatorRecord(shareEpoch, { groupId }, VERSION, { epoch, metadataHash })
}

export function targetRecord(groupId: string, memberId: string, assignment: Assignment): CoordinatorRecord {
  const topicPartitions = toTopicPartitions(assignment)
  return coordinatorRecord(shareTarget, { groupId, memberId }, VERSION, { topicPartitions })
}

export function targetEpochRecord(groupId: string, epoch: number, timestampMs: number): CoordinatorRecord {
  const value = { assignmentEpoch: epoch, assignmentTimestamp: timestampMs }
  return coordinatorRecord(shareTargetEpoch, { groupId }, VERSION, value)
}

export function assignmentRecord(groupId: string, member: ShareMember): CoordinatorRecord {
  return coordinatorRecord(shareCurrentAssignment, { groupId, memberId: member.id }, VERSION, {
    memberEpoch: member.memberEpoch,
    previousMemberEpoch: member.previousMemberEpoch,
    state: member.state,
    assignedPartitions: toTopicPartitions(member.assigned),
  })
}

export function statePartitionsRecord(groupId: string, states: StatePartitions): CoordinatorRecord {
  const listed = (topics: ReadonlyMap<string, TopicState>) =>
    Array.from(topics, ([topicId, { name, partitions }]) => ({
      topicId,
      topicName: name,
      partitions: [...partitions].sort((a, b) => a - b),
    }))
  return coordinatorRecord(shareStatePartitions, { groupId }, VERSION, {
    initializingTopics: listed(states.initializing),
    initializedTopics: listed(states.initialized),
    deletingTopics: Array.from(states.deleting, ([topicId, topicName]) => ({ topicId, topicName })),
  })
}

/** What takes a member out of the group; in this order, as Apache Kafka insists. */
export function memberTombstones(groupId: string, memberId: string): CoordinatorRecord[] {
  const key = { groupId, memberId }
  return [tombstone(shareCurrentAssignment, key), tombstone(shareTarget, key), tombstone(shareMember, key)]
}

/** What ends a group without members; in this order, as Apache Kafka insists. */
export function groupTombstones(groupId: string): CoordinatorRecord[] {
  return [
    tombstone(shareTargetEpoch, { groupId }),
    tombstone(shareStatePartitions, { groupId }),
    tombstone(shareEpoch, { groupId }),
  ]
}
