import type { Time } from '../../platform/time.ts'
import type { GroupMetadataValue } from '../../protocol/coordinator-records/group-metadata.ts'
import { type CoordinatorRecord, coordinatorRecord } from '../coordinator-record.ts'
import { groupMetadata } from '../group-records.ts'
import { ClassicGroup } from './classic-group.ts'
import { ClassicMember, EMPTY_ASSIGNMENT } from './member.ts'

/** What Apache Kafka 4.3.1 writes at every metadata.version that it knows. */
const VALUE_VERSION = 3
const NO_TIMESTAMP = -1

/** The group as it is, with `assignments` by member id: what a Sync of the leader, or the end of the last member, leaves. */
export function groupRecord(group: ClassicGroup, assignments: ReadonlyMap<string, Buffer>): CoordinatorRecord {
  return groupMetadataRecord(group, {
    protocolType: group.protocolType,
    generation: group.generationId,
    protocol: group.protocolNameOrNull,
    leader: group.leaderId ?? null,
    members: [...group.members()].map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.metadataFor(group.protocolName ?? '') ?? EMPTY_ASSIGNMENT,
      assignment: assignments.get(member.id) ?? EMPTY_ASSIGNMENT,
    })),
  })
}

/** A group that has just come to be: somebody asked to join it, but is not in yet. */
export function newGroupRecord(group: ClassicGroup): CoordinatorRecord {
  return groupMetadataRecord(group, { protocolType: '', generation: 0, protocol: null, leader: null, members: [] })
}

function groupMetadataRecord(
  group: ClassicGroup,
  value: Omit<GroupMetadataValue, 'currentStateTimestamp'>,
): CoordinatorRecord {
  return coordinatorRecord(groupMetadata, { group: group.id }, VALUE_VERSION, {
    ...value,
    currentStateTimestamp: group.stateTimestampMs ?? NO_TIMESTAMP,
  })
}

/** The group that a record describes; its bytes are copied out of the buffer they were read into. */
export function groupFromRecord(id: string, value: GroupMetadataValue, time: Time): ClassicGroup {
  const members = value.members.map(
    (member) =>
      new ClassicMember(
        {
          id: member.memberId,
          instanceId: member.groupInstanceId,
          clientId: member.clientId,
          clientHost: member.clientHost,
          protocolType: value.protocolType,
        },
        // Version 0 knew only one timeout.
        member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
        member.sessionTimeout,
        [{ name: value.protocol ?? '', metadata: Buffer.from(member.subscription) }],
        Buffer.from(member.assignment),
      ),
  )
  return ClassicGroup.restore(id, time, {
    protocolType: value.protocolType === '' ? undefined : value.protocolType,
    protocolName: value.protocol ?? undefined,
    generationId: value.generation,
    leaderId: value.leader ?? undefined,
    stateTimestampMs: value.currentStateTimestamp === NO_TIMESTAMP ? undefined : value.currentStateTimestamp,
    members,
  })
}
