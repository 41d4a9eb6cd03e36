import type { CoordinatorRecord } from '../coordinator-record.ts'
import { isOf } from '../coordinator-record.ts'
import type { Group } from '../group.ts'
import {
  consumerCurrentAssignment,
  consumerEpoch,
  consumerMember,
  consumerPartitionMetadata,
  consumerRegex,
  consumerTarget,
  consumerTargetEpoch,
} from '../group-records.ts'
import type { GroupStore } from '../group-store.ts'
import { toAssignment } from '../modern/assignment.ts'
import { LEAVE_EPOCH } from '../modern/member.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { newConsumerMember, withAssignment, withMetadata, withoutAssignment } from './member.ts'

const DELETED_ASSIGNMENT = -1
const consumerTypes: ReadonlySet<number> = new Set(
  [
    consumerCurrentAssignment,
    consumerEpoch,
    consumerMember,
    consumerPartitionMetadata,
    consumerRegex,
    consumerTarget,
    consumerTargetEpoch,
  ].map((type) => type.id),
)

/** Applies a record of a consumer group; false for any other. Throws Error for one that does not fit the state. */
export function replayConsumerRecord(groups: GroupStore, record: CoordinatorRecord): boolean {
  if (!consumerTypes.has(record.type.id)) return false
  const { groupId } = record.key as unknown as { groupId: string }
  if (record.value === null) {
    const group = groups.consumer(groupId)
    if (group === undefined) return true
    bury(group, record)
    if (isOf(record, consumerEpoch)) groups.delete(groupId)
    return true
  }
  applyConsumerRecord(
    groups.replayed(groupId, isConsumerGroup, (undo) => new ConsumerGroup(groupId, undo)),
    record,
  )
  return true
}

function isConsumerGroup(group: Group): group is ConsumerGroup {
  return group instanceof ConsumerGroup
}

/** Applies a record that is no tombstone to its group. */
export function applyConsumerRecord(group: ConsumerGroup, record: CoordinatorRecord): void {
  if (isOf(record, consumerMember)) {
    const { memberId } = record.key
    group.putMember(withMetadata(group.member(memberId) ?? newConsumerMember(memberId), record.value!))
  } else if (isOf(record, consumerEpoch)) {
    group.setEpoch(record.value!.epoch, record.value!.metadataHash)
  } else if (isOf(record, consumerTarget)) {
    group.setTarget(record.key.memberId, toAssignment(record.value!.topicPartitions))
  } else if (isOf(record, consumerTargetEpoch)) {
    group.setAssignmentEpoch(record.value!.assignmentEpoch, record.value!.assignmentTimestamp)
  } else if (isOf(record, consumerCurrentAssignment)) {
    const { memberId } = record.key
    group.putMember(withAssignment(group.member(memberId) ?? newConsumerMember(memberId), record.value!))
  } else if (isOf(record, consumerRegex)) {
    const { topics, version, timestamp } = record.value!
    group.setResolvedRegex(record.key.regularExpression, { topics: new Set(topics), version, timestampMs: timestamp })
  } else {
    group.setHasPartitionMetadata(true)
  }
}

/** Applies a tombstone. They come in an order: what a member has, what it was to have, the member, and the group last. */
function bury(group: ConsumerGroup, record: CoordinatorRecord): void {
  if (isOf(record, consumerMember)) {
    const { memberId } = record.key
    const member = group.member(memberId)
    if (member === undefined) return
    require(member.memberEpoch === LEAVE_EPOCH &&
      !group.hasTarget(memberId), group, `member ${memberId} has partitions`)
    group.removeMember(memberId)
  } else if (isOf(record, consumerEpoch)) {
    require(group.isEmpty, group, 'it has members')
    require(group.assignmentEpoch === DELETED_ASSIGNMENT, group, 'it has an assignment')
  } else if (isOf(record, consumerTarget)) {
    group.setTarget(record.key.memberId, undefined)
  } else if (isOf(record, consumerTargetEpoch)) {
    require(group.targets().next().done === true, group, 'members have assignments')
    group.setAssignmentEpoch(DELETED_ASSIGNMENT, 0)
  } else if (isOf(record, consumerCurrentAssignment)) {
    const member = group.member(record.key.memberId)
    if (member !== undefined) group.putMember(withoutAssignment(member))
  } else if (isOf(record, consumerRegex)) {
    group.setResolvedRegex(record.key.regularExpression, undefined)
  } else {
    group.setHasPartitionMetadata(false)
  }
}

function require(holds: boolean, group: ConsumerGroup, otherwise: string): void {
  if (!holds) throw new Error(`tombstone in group ${group.id} comes too early: ${otherwise}`)
}
