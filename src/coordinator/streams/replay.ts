import { type CoordinatorRecord, isOf } from '../coordinator-record.ts'
import type { Group } from '../group.ts'
import type { GroupStore } from '../group-store.ts'
import { LEAVE_EPOCH } from '../modern/member.ts'
import { newStreamsMember, withAssignment, withMetadata, withoutAssignment } from './member.ts'
import {
  streamsCurrentAssignment,
  streamsEpoch,
  streamsGroupRecordTypes,
  streamsMember,
  streamsTarget,
  streamsTargetEpoch,
  streamsTopology,
} from './records.ts'
import { StreamsGroup } from './streams-group.ts'
import { toTasks } from './tasks.ts'

const DELETED_ASSIGNMENT = -1
const types: ReadonlySet<number> = new Set(streamsGroupRecordTypes.map((type) => type.id))

/** Applies a record of a streams group; false for any other. Throws Error for one that does not fit the state. */
export function replayStreamsRecord(groups: GroupStore, record: CoordinatorRecord): boolean {
  if (!types.has(record.type.id)) return false
  const { groupId } = record.key as unknown as { groupId: string }
  if (record.value === null) {
    const group = groups.get(groupId)
    if (!(group instanceof StreamsGroup)) return true
    bury(group, record)
    if (isOf(record, streamsEpoch)) groups.delete(groupId)
    return true
  }
  apply(
    groups.replayed(groupId, isStreamsGroup, (undo) => new StreamsGroup(groupId, undo)),
    record,
  )
  return true
}

function isStreamsGroup(group: Group): group is StreamsGroup {
  return group instanceof StreamsGroup
}

function apply(group: StreamsGroup, record: CoordinatorRecord): void {
  if (isOf(record, streamsMember)) {
    const { memberId } = record.key
    group.putMember(withMetadata(group.member(memberId) ?? newStreamsMember(memberId), record.value!))
  } else if (isOf(record, streamsCurrentAssignment)) {
    const { memberId } = record.key
    group.putMember(withAssignment(group.member(memberId) ?? newStreamsMember(memberId), record.value!))
  } else if (isOf(record, streamsTarget)) {
    const { activeTasks, standbyTasks, warmupTasks } = record.value!
    const target = { active: toTasks(activeTasks), standby: toTasks(standbyTasks), warmup: toTasks(warmupTasks) }
    group.setTarget(record.key.memberId, target)
  } else if (isOf(record, streamsTargetEpoch)) {
    group.setAssignmentEpoch(record.value!.assignmentEpoch, record.value!.assignmentTimestamp)
  } else if (isOf(record, streamsTopology)) {
    group.setTopology(record.value!)
  } else if (isOf(record, streamsEpoch)) {
    const { lastAssignmentConfigs, ...epoch } = record.value!
    const configs = new Map(lastAssignmentConfigs?.map(({ key, value }) => [key, value]))
    group.setGroupEpoch({ ...epoch, assignmentConfigs: configs })
  }
}

/** Applies a tombstone. They come in an order: what a member has, what it was to have, the member, and the group last. */
function bury(group: StreamsGroup, record: CoordinatorRecord): void {
  if (isOf(record, streamsMember)) {
    const { memberId } = record.key
    const member = group.member(memberId)
    if (member === undefined) return
    require(member.memberEpoch === LEAVE_EPOCH && !group.hasTarget(memberId), group, `member ${memberId} has tasks`)
    group.removeMember(memberId)
  } else if (isOf(record, streamsCurrentAssignment)) {
    const member = group.member(record.key.memberId)
    if (member !== undefined) group.putMember(withoutAssignment(member))
  } else if (isOf(record, streamsTarget)) {
    group.setTarget(record.key.memberId, undefined)
  } else if (isOf(record, streamsTargetEpoch)) {
    require(group.targets().next().done === true, group, 'members have assignments')
    group.setAssignmentEpoch(DELETED_ASSIGNMENT, 0)
  } else if (isOf(record, streamsTopology)) {
    group.setTopology(undefined)
  } else if (isOf(record, streamsEpoch)) {
    require(group.isEmpty, group, 'it has members')
    require(group.assignmentEpoch === DELETED_ASSIGNMENT, group, 'it has an assignment')
  }
}

function require(holds: boolean, group: StreamsGroup, otherwise: string): void {
  if (!holds) throw new Error(`tombstone in group ${group.id} comes too early: ${otherwise}`)
}
