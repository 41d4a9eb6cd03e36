import { type CoordinatorRecord, isOf } from '../../coordinator-record.ts'
import type { Group } from '../../group.ts'
import type { GroupStore } from '../../group-store.ts'
import { NO_PARTITIONS, toAssignment } from '../../modern/assignment.ts'
import { LEAVE_EPOCH, memberState } from '../../modern/member.ts'
import { newShareMember } from './member.ts'
import {
  shareCurrentAssignment,
  shareEpoch,
  shareGroupRecordTypes,
  shareMember,
  shareStatePartitions,
  shareTarget,
  shareTargetEpoch,
} from './records.ts'
import { ShareGroup } from './share-group.ts'
import { NO_STATE, type TopicState } from './state-partitions.ts'

const DELETED_ASSIGNMENT = -1
const types: ReadonlySet<number> = new Set(shareGroupRecordTypes.map((type) => type.id))

/** Applies a record of a share group; false for any other. Throws Error for one that does not fit the state. */
export function replayShareRecord(groups: GroupStore, record: CoordinatorRecord, nowMs: number): boolean {
  if (!types.has(record.type.id)) return false
  const { groupId } = record.key as unknown as { groupId: string }
  if (record.value === null) {
    const group = groups.get(groupId)
    if (!(group instanceof ShareGroup)) return true
    bury(group, record)
    if (isOf(record, shareEpoch)) groups.delete(groupId)
    return true
  }
  apply(
    groups.replayed(groupId, isShareGroup, (undo) => new ShareGroup(groupId, undo)),
    record,
    nowMs,
  )
  return true
}

function isShareGroup(group: Group): group is ShareGroup {
  return group instanceof ShareGroup
}

function bury(group: ShareGroup, record: CoordinatorRecord): void {
  if (isOf(record, shareMember)) group.removeMember(record.key.memberId)
  else if (isOf(record, shareTarget)) group.setTarget(record.key.memberId, undefined)
  else if (isOf(record, shareTargetEpoch)) group.setAssignmentEpoch(DELETED_ASSIGNMENT, 0)
  else if (isOf(record, shareStatePartitions)) group.states = NO_STATE
  else if (isOf(record, shareCurrentAssignment)) {
    const member = group.member(record.key.memberId)
    if (member === undefined) return
    group.putMember({ ...member, memberEpoch: LEAVE_EPOCH, previousMemberEpoch: LEAVE_EPOCH, assigned: NO_PARTITIONS })
  }
}

function apply(group: ShareGroup, record: CoordinatorRecord, nowMs: number): void {
  if (isOf(record, shareEpoch)) group.setEpoch(record.value!.epoch, record.value!.metadataHash)
  else if (isOf(record, shareTargetEpoch)) {
    group.setAssignmentEpoch(record.value!.assignmentEpoch, record.value!.assignmentTimestamp)
  } else if (isOf(record, shareTarget)) {
    group.setTarget(record.key.memberId, toAssignment(record.value!.topicPartitions))
  } else if (isOf(record, shareMember)) {
    const { rackId, clientId, clientHost, subscribedTopicNames } = record.value!
    const old = group.member(record.key.memberId) ?? newShareMember(record.key.memberId)
    group.putMember({ ...old, rackId, clientId, clientHost, subscribedTopics: new Set(subscribedTopicNames) })
  } else if (isOf(record, shareCurrentAssignment)) {
    const { memberEpoch, previousMemberEpoch, state, assignedPartitions } = record.value!
    const old = group.member(record.key.memberId) ?? newShareMember(record.key.memberId)
    const assigned = toAssignment(assignedPartitions)
    group.putMember({ ...old, memberEpoch, previousMemberEpoch, state: memberState(state), assigned })
  } else if (isOf(record, shareStatePartitions)) {
    const { initializingTopics, initializedTopics, deletingTopics } = record.value!
    const read = (topics: typeof initializedTopics): Map<string, TopicState> =>
      new Map(
        topics.map(({ topicId, topicName, partitions }) => [
          topicId,
          { name: topicName, partitions: new Set(partitions), timestampMs: nowMs },
        ]),
      )
    group.states = {
      initializing: read(initializingTopics),
      initialized: read(initializedTopics),
      deleting: new Map(deletingTopics.map(({ topicId, topicName }) => [topicId, topicName])),
    }
  }
}
