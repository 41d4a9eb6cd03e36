import {
  StreamsGroupCurrentMemberAssignmentKey,
  StreamsGroupCurrentMemberAssignmentValue,
} from '../../protocol/coordinator-records/streams-group-current-member-assignment.ts'
import {
  StreamsGroupMemberMetadataKey,
  StreamsGroupMemberMetadataValue,
} from '../../protocol/coordinator-records/streams-group-member-metadata.ts'
import {
  StreamsGroupMetadataKey,
  StreamsGroupMetadataValue,
} from '../../protocol/coordinator-records/streams-group-metadata.ts'
import {
  StreamsGroupTargetAssignmentMemberKey,
  StreamsGroupTargetAssignmentMemberValue,
} from '../../protocol/coordinator-records/streams-group-target-assignment-member.ts'
import {
  StreamsGroupTargetAssignmentMetadataKey,
  StreamsGroupTargetAssignmentMetadataValue,
} from '../../protocol/coordinator-records/streams-group-target-assignment-metadata.ts'
import {
  StreamsGroupTopologyKey,
  StreamsGroupTopologyValue,
} from '../../protocol/coordinator-records/streams-group-topology.ts'
import { type CoordinatorRecord, coordinatorRecord, recordType, tombstone } from '../coordinator-record.ts'
import type { EpochAssignment } from '../modern/assignment.ts'
import type { TaskAssignment } from './assignor/types.ts'
import { type StreamsMember, toRecord } from './member.ts'
import { inOrder, toTaskIds } from './tasks.ts'
import type { StreamsTopology } from './topology/types.ts'

/** The records of streams groups in __consumer_offsets (KIP-1071). */
export const streamsEpoch = recordType(StreamsGroupMetadataKey, StreamsGroupMetadataValue)
export const streamsMember = recordType(StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue)
export const streamsTargetEpoch = recordType(
  StreamsGroupTargetAssignmentMetadataKey,
  StreamsGroupTargetAssignmentMetadataValue,
)
export const streamsTarget = recordType(StreamsGroupTargetAssignmentMemberKey, StreamsGroupTargetAssignmentMemberValue)
export const streamsCurrentAssignment = recordType(
  StreamsGroupCurrentMemberAssignmentKey,
  StreamsGroupCurrentMemberAssignmentValue,
)
export const streamsTopology = recordType(StreamsGroupTopologyKey, StreamsGroupTopologyValue)

export const streamsGroupRecordTypes: readonly { readonly id: number }[] = [
  streamsEpoch,
  streamsMember,
  streamsTargetEpoch,
  streamsTarget,
  streamsCurrentAssignment,
  streamsTopology,
]

/** All values of streams groups have only one version. */
const VERSION = 0

/** What a group is at an epoch. */
export interface GroupEpoch {
  readonly epoch: number
  readonly metadataHash: bigint
  /** The epoch of the topology that fits the topics there are; -1 for none. */
  readonly validatedTopologyEpoch: number
  readonly assignmentConfigs: AssignmentConfigs
}

/** What the assignor was told besides members and topology, by name. */
export type AssignmentConfigs = ReadonlyMap<string, string>

export function epochRecord(groupId: string, group: GroupEpoch): CoordinatorRecord {
  return coordinatorRecord(streamsEpoch, { groupId }, VERSION, {
    epoch: group.epoch,
    metadataHash: group.metadataHash,
    validatedTopologyEpoch: group.validatedTopologyEpoch,
    lastAssignmentConfigs: toPairs(group.assignmentConfigs),
  })
}

export function topologyRecord(groupId: string, topology: StreamsTopology): CoordinatorRecord {
  return coordinatorRecord(streamsTopology, { groupId }, VERSION, topology)
}

export function memberRecord(groupId: string, member: StreamsMember): CoordinatorRecord {
  return coordinatorRecord(streamsMember, { groupId, memberId: member.id }, VERSION, {
    instanceId: member.instanceId,
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    topologyEpoch: member.topologyEpoch,
    processId: member.processId,
    userEndpoint: member.userEndpoint,
    clientTags: toPairs(member.clientTags),
  })
}

/** In order. */
function toPairs(map: ReadonlyMap<string, string>): { key: string; value: string }[] {
  return Array.from(map, ([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1))
}

export function targetRecord(groupId: string, memberId: string, target: TaskAssignment): CoordinatorRecord {
  return coordinatorRecord(streamsTarget, { groupId, memberId }, VERSION, {
    activeTasks: toTaskIds(target.active),
    standbyTasks: toTaskIds(target.standby),
    warmupTasks: toTaskIds(target.warmup),
  })
}

export function targetEpochRecord(groupId: string, epoch: number, timestampMs: number): CoordinatorRecord {
  const value = { assignmentEpoch: epoch, assignmentTimestamp: timestampMs }
  return coordinatorRecord(streamsTargetEpoch, { groupId }, VERSION, value)
}

export function assignmentRecord(groupId: string, member: StreamsMember): CoordinatorRecord {
  const { assigned, pendingRevocation } = member
  return coordinatorRecord(streamsCurrentAssignment, { groupId, memberId: member.id }, VERSION, {
    memberEpoch: member.memberEpoch,
    previousMemberEpoch: member.previousMemberEpoch,
    state: toRecord(member.state),
    activeTasks: toTaskIdsWithEpochs(assigned.active),
    standbyTasks: withoutEpochs(assigned.standby),
    warmupTasks: withoutEpochs(assigned.warmup),
    activeTasksPendingRevocation: toTaskIdsWithEpochs(pendingRevocation.active),
    standbyTasksPendingRevocation: withoutEpochs(pendingRevocation.standby),
    warmupTasksPendingRevocation: withoutEpochs(pendingRevocation.warmup),
  })
}

function toTaskIdsWithEpochs(tasks: EpochAssignment) {
  return toTaskIds(tasks).map((ids) => {
    const epochs = tasks.get(ids.subtopologyId)!
    return { ...ids, assignmentEpochs: inOrder(epochs).map((partition) => epochs.get(partition)!) }
  })
}

function withoutEpochs(tasks: TaskAssignment['standby']) {
  return toTaskIds(tasks).map((ids) => ({ ...ids, assignmentEpochs: [] }))
}

/** What takes a member out of the group; in this order, as Apache Kafka insists. */
export function memberTombstones(groupId: string, memberId: string): CoordinatorRecord[] {
  const key = { groupId, memberId }
  return [tombstone(streamsCurrentAssignment, key), tombstone(streamsTarget, key), tombstone(streamsMember, key)]
}

/** What ends a group; in this order, as Apache Kafka insists. */
export function groupTombstones(groupId: string, memberIds: readonly string[]): CoordinatorRecord[] {
  return [
    ...memberIds.map((memberId) => tombstone(streamsCurrentAssignment, { groupId, memberId })),
    ...memberIds.map((memberId) => tombstone(streamsTarget, { groupId, memberId })),
    tombstone(streamsTargetEpoch, { groupId }),
    ...memberIds.map((memberId) => tombstone(streamsMember, { groupId, memberId })),
    tombstone(streamsEpoch, { groupId }),
    tombstone(streamsTopology, { groupId }),
  ]
}
