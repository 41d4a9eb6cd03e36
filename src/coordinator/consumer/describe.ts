import { errors } from '../../protocol/errors.ts'
import type { ConsumerGroupDescribeResponse } from '../../protocol/messages/consumer-group-describe.ts'
import type { GroupMetadataView } from '../modern/group-metadata-view.ts'
import { undescribed } from '../modern/undescribed.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerMember } from './member.ts'

export type DescribedConsumerGroup = ConsumerGroupDescribeResponse['groups'][number]
type DescribedAssignment = DescribedConsumerGroup['members'][number]['assignment']

const CLASSIC_MEMBER = 0
const CONSUMER_MEMBER = 1

/** A group of which nothing is told but the error. */
export function undescribedConsumerGroup(
  groupId: string,
  errorCode: number,
  errorMessage: string | null,
): DescribedConsumerGroup {
  return { ...undescribed(groupId, errorCode, errorMessage), assignorName: '' }
}

export function describeConsumerGroup(
  group: ConsumerGroup,
  defaultAssignor: string,
  topics: GroupMetadataView,
): DescribedConsumerGroup {
  return {
    ...undescribedConsumerGroup(group.id, errors.NONE.code, null),
    groupState: group.stateName,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.preferredAssignor(defaultAssignor),
    members: Array.from(group.members(), (member) => describeMember(group, member, topics)),
  }
}

function describeMember(group: ConsumerGroup, member: ConsumerMember, topics: GroupMetadataView) {
  return {
    memberId: member.id,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.memberEpoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.subscribedTopics],
    subscribedTopicRegex: member.subscribedRegex,
    // What it has to give up is still with it.
    assignment: describeAssignment([...member.assigned, ...member.pendingRevocation], topics),
    targetAssignment: describeAssignment([...group.target(member.id)], topics),
    memberType: member.classic === null ? CONSUMER_MEMBER : CLASSIC_MEMBER,
  }
}

/** Topics that are gone are left out; one that is listed twice is told of once. */
function describeAssignment(
  assignment: readonly (readonly [string, ReadonlySet<number> | ReadonlyMap<number, number>])[],
  topics: GroupMetadataView,
): DescribedAssignment {
  const described = new Map<string, { topicId: string; topicName: string; partitions: number[] }>()
  for (const [topicId, partitions] of assignment) {
    const topicName = topics.byId(topicId)?.name
    if (topicName === undefined) continue
    const listed = described.get(topicId)
    if (listed === undefined) described.set(topicId, { topicId, topicName, partitions: [...partitions.keys()] })
    else listed.partitions.push(...partitions.keys())
  }
  return { topicPartitions: [...described.values()] }
}
