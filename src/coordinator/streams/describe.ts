import { errors } from '../../protocol/errors.ts'
import type { StreamsGroupDescribeResponse } from '../../protocol/messages/streams-group-describe.ts'
import { undescribed } from '../modern/undescribed.ts'
import type { StreamsMember } from './member.ts'
import type { StreamsGroup } from './streams-group.ts'
import { toTaskIds } from './tasks.ts'
import { describeTopology } from './topology/describe.ts'

export type DescribedStreamsGroup = StreamsGroupDescribeResponse['groups'][number]

/** A group of which nothing is told but the error. */
export function undescribedStreamsGroup(
  groupId: string,
  errorCode: number,
  errorMessage: string | null,
): DescribedStreamsGroup {
  return { ...undescribed(groupId, errorCode, errorMessage), topology: null }
}

export function describeStreamsGroup(group: StreamsGroup): DescribedStreamsGroup {
  const { topology, configured } = group
  return {
    ...undescribedStreamsGroup(group.id, errors.NONE.code, null),
    groupState: group.stateName,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    topology: topology === undefined ? null : describeTopology(topology, configured ?? null),
    members: Array.from(group.members(), (member) => describeMember(group, member)),
  }
}

function describeMember(group: StreamsGroup, member: StreamsMember): DescribedStreamsGroup['members'][number] {
  const target = group.target(member.id)
  const { assigned } = member
  return {
    memberId: member.id,
    memberEpoch: member.memberEpoch,
    instanceId: member.instanceId,
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    topologyEpoch: member.topologyEpoch,
    processId: member.processId,
    userEndpoint: member.userEndpoint,
    clientTags: Array.from(member.clientTags, ([key, value]) => ({ key, value })),
    taskOffsets: [],
    taskEndOffsets: [],
    assignment: {
      activeTasks: toTaskIds(assigned.active),
      standbyTasks: toTaskIds(assigned.standby),
      warmupTasks: toTaskIds(assigned.warmup),
    },
    targetAssignment: {
      activeTasks: toTaskIds(target.active),
      standbyTasks: toTaskIds(target.standby),
      warmupTasks: toTaskIds(target.warmup),
    },
    isClassic: false,
  }
}
