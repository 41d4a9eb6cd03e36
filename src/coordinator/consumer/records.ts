import { type CoordinatorRecord, coordinatorRecord, tombstone } from '../coordinator-record.ts'
import {
  consumerCurrentAssignment,
  consumerEpoch,
  consumerMember,
  consumerPartitionMetadata,
  consumerRegex,
  consumerTarget,
  consumerTargetEpoch,
} from '../group-records.ts'
import { type Assignment, type EpochAssignment, toTopicPartitions } from '../modern/assignment.ts'
import type { ConsumerMember } from './member.ts'

/** All values of consumer groups have only one version. */
const VERSION = 0

/** The topics that a regular expression of the group matched. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>
  /** Of the metadata that was looked at. */
  readonly version: number
  readonly timestampMs: number
}

export function memberRecord(groupId: string, member: ConsumerMember): CoordinatorRecord {
  return coordinatorRecord(consumerMember, { groupId, memberId: member.id }, VERSION, {
    instanceId: member.instanceId,
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.subscribedTopics].sort(),
    subscribedTopicRegex: member.subscribedRegex,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    serverAssignor: member.serverAssignor,
    classicMemberMetadata: member.classic && {
      sessionTimeoutMs: member.classic.sessionTimeoutMs,
      supportedProtocols: member.classic.protocols.map(({ name, metadata }) => ({ name, metadata })),
    },
  })
}

export function epochRecord(groupId: string, epoch: number, metadataHash: bigint): CoordinatorRecord {
  return coordinatorRecord(consumerEpoch, { groupId }, VERSION, { epoch, metadataHash })
}

export function targetRecord(groupId: string, memberId: string, assignment: Assignment): CoordinatorRecord {
  const topicPartitions = toTopicPartitions(assignment)
  return coordinatorRecord(consumerTarget, { groupId, memberId }, VERSION, { topicPartitions })
}

export function targetEpochRecord(groupId: string, epoch: number, timestampMs: number): CoordinatorRecord {
  const value = { assignmentEpoch: epoch, assignmentTimestamp: timestampMs }
  return coordinatorRecord(consumerTargetEpoch, { groupId }, VERSION, value)
}

export function assignmentRecord(groupId: string, member: ConsumerMember): CoordinatorRecord {
  return coordinatorRecord(consumerCurrentAssignment, { groupId, memberId: member.id }, VERSION, {
    memberEpoch: member.memberEpoch,
    previousMemberEpoch: member.previousMemberEpoch,
    state: member.state,
    assignedPartitions: withEpochs(member.assigned),
    partitionsPendingRevocation: withEpochs(member.pendingRevocation),
  })
}

function withEpochs(assignment: EpochAssignment) {
  return Array.from(assignment, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()],
    assignmentEpochs: [...partitions.values()],
  }))
}

export function regexRecord(groupId: string, regularExpression: string, resolved: ResolvedRegex): CoordinatorRecord {
  return coordinatorRecord(consumerRegex, { groupId, regularExpression }, VERSION, {
    topics: [...resolved.topics].sort(),
    version: resolved.version,
    timestamp: resolved.timestampMs,
  })
}

export function regexTombstone(groupId: string, regularExpression: string): CoordinatorRecord {
  return tombstone(consumerRegex, { groupId, regularExpression })
}

export function partitionMetadataTombstone(groupId: string): CoordinatorRecord {
  return tombstone(consumerPartitionMetadata, { groupId })
}

/** What takes a member out of the group; in this order, as Apache Kafka insists. */
export function memberTombstones(groupId: string, memberId: string): CoordinatorRecord[] {
  const key = { groupId, memberId }
  return [tombstone(consumerCurrentAssignment, key), tombstone(consumerTarget, key), tombstone(consumerMember, key)]
}

/** What ends a group with all that is in it; in this order, as Apache Kafka insists. */
export function groupTombstones(
  groupId: string,
  memberIds: readonly string[],
  regexes: Iterable<string>,
): CoordinatorRecord[] {
  return [
    ...memberIds.map((memberId) => tombstone(consumerCurrentAssignment, { groupId, memberId })),
    ...memberIds.map((memberId) => tombstone(consumerTarget, { groupId, memberId })),
    tombstone(consumerTargetEpoch, { groupId }),
    ...memberIds.map((memberId) => tombstone(consumerMember, { groupId, memberId })),
    ...Array.from(regexes, (regex) => regexTombstone(groupId, regex)),
    partitionMetadataTombstone(groupId),
    tombstone(consumerEpoch, { groupId }),
  ]
}
