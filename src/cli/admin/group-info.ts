import { apis } from '../../protocol/api-keys.ts'
import { decode } from '../../protocol/codec.ts'
import { errors } from '../../protocol/errors.ts'
import { ConsumerProtocolAssignment } from '../../protocol/messages/consumer-protocol.ts'
import { DecodeError } from '../../protocol/wire.ts'
import { CommandError } from '../console.ts'
import { type AdminClient, AdminError, check, UnsupportedError } from './client.ts'
import { compareText } from './topic-info.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface GroupListing {
  readonly group: string
  /** Classic, Consumer, Share or Streams. */
  readonly type: string
  readonly protocolType: string
  readonly state: string
}

/** Every group of every broker, by name in ascending order. */
export async function allGroups(admin: AdminClient): Promise<GroupListing[]> {
  const groups = new Map<string, GroupListing>()
  const { brokers } = await admin.cluster()
  for (const id of brokers.keys()) {
    const listed = await admin.retrying(async () => {
      const answer = await admin.broker(id, apis.ListGroups, () => ({}))
      check(answer.errorCode)
      return answer.groups
    })
    for (const { groupId: group, groupType, groupState: state, protocolType } of listed) {
      groups.set(group, { group, type: typeName(groupType), protocolType, state })
    }
  }
  return [...groups.values()].sort((a, b) => compareText(a.group, b.group))
}

/** With a capital; brokers differ in it, and those from before KIP-848 say nothing. */
function typeName(text: string): string {
  return text === '' ? 'Classic' : `${text[0]!.toUpperCase()}${text.slice(1).toLowerCase()}`
}

/** The groups of consumers, of the classic and of the new protocol. */
export async function consumerGroups(admin: AdminClient): Promise<GroupListing[]> {
  return (await allGroups(admin)).filter(({ type, protocolType }) => {
    return (type === 'Consumer' || type === 'Classic') && (protocolType === 'consumer' || protocolType === '')
  })
}

export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly host: string
  readonly assignment: readonly TopicPartition[]
  /** The rest is known of groups of the new protocol only, and null for others. */
  readonly targetAssignment: readonly TopicPartition[] | null
  readonly epoch: number | null
  /** Whether it speaks the new protocol. */
  readonly upgraded: boolean | null
}

export interface GroupDescription {
  readonly group: string
  readonly coordinator: { readonly id: number; readonly host: string; readonly port: number }
  readonly state: string
  readonly assignor: string
  readonly groupEpoch: number | null
  readonly targetAssignmentEpoch: number | null
  readonly members: readonly GroupMember[]
}

/** A group of consumers; undefined where there is none of this name. Throws CommandError for a group of another kind. */
export async function describeGroup(admin: AdminClient, group: string): Promise<GroupDescription | undefined> {
  return admin.retrying(async () => {
    const { nodeId: id, host, port } = await admin.coordinatorOf(group)
    const coordinator = { id, host, port }
    return (await describeModern(admin, group, coordinator)) ?? describeClassic(admin, group, coordinator)
  })
}

type Coordinator = GroupDescription['coordinator']

async function describeModern(
  admin: AdminClient,
  group: string,
  coordinator: Coordinator,
): Promise<GroupDescription | undefined> {
  const answer = await admin
    .broker(coordinator.id, apis.ConsumerGroupDescribe, () => ({ groupIds: [group] }))
    .catch((error) => {
      if (error instanceof UnsupportedError) return undefined
      throw error
    })
  const [found] = answer?.groups ?? []
  if (found === undefined || isNotHere(found.errorCode)) return undefined
  check(found.errorCode, found.errorMessage)
  const partitionsOf = (assigned: (typeof found.members)[number]['assignment']) =>
    assigned.topicPartitions.flatMap(({ topicName, partitions }) =>
      partitions.map((partition) => ({ topic: topicName, partition })),
    )
  return {
    group,
    coordinator,
    state: found.groupState,
    assignor: found.assignorName,
    groupEpoch: found.groupEpoch,
    targetAssignmentEpoch: found.assignmentEpoch,
    members: found.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: partitionsOf(member.assignment),
      targetAssignment: partitionsOf(member.targetAssignment),
      epoch: member.memberEpoch,
      upgraded: member.memberType < 0 ? null : member.memberType === 1,
    })),
  }
}

/** The group is of the classic protocol, or there is none. */
function isNotHere(code: number): boolean {
  return code === errors.GROUP_ID_NOT_FOUND.code || code === errors.UNSUPPORTED_VERSION.code
}

async function describeClassic(
  admin: AdminClient,
  group: string,
  coordinator: Coordinator,
): Promise<GroupDescription | undefined> {
  const { groups } = await admin.broker(coordinator.id, apis.DescribeGroups, () => ({ groups: [group] }))
  const [found] = groups
  if (found === undefined || found.errorCode === errors.GROUP_ID_NOT_FOUND.code) return undefined
  check(found.errorCode, found.errorMessage)
  // Before version 6 a group that is not there is a dead one.
  if (found.groupState === 'Dead') return undefined
  if (found.protocolType !== 'consumer' && found.protocolType !== '') {
    throw new CommandError(`group ${group} is not one of consumers but of type '${found.protocolType}'`)
  }
  return {
    group,
    coordinator,
    state: found.groupState,
    assignor: found.protocolData,
    groupEpoch: null,
    targetAssignmentEpoch: null,
    members: found.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: classicAssignment(member.memberAssignment),
      targetAssignment: null,
      epoch: null,
      upgraded: null,
    })),
  }
}

const VERSION_BYTES = 2
const LATEST_VERSION = 3

/** Empty for a member that has none yet, or one that only its own assignor can read. */
function classicAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length < VERSION_BYTES) return []
  const version = Math.min(bytes.readInt16BE(0), LATEST_VERSION)
  try {
    const { assignedPartitions } = decode(ConsumerProtocolAssignment, version, bytes.subarray(VERSION_BYTES))
    return assignedPartitions.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
  } catch (error) {
    if (error instanceof DecodeError) return []
    throw error
  }
}

export interface CommittedOffset extends TopicPartition {
  readonly offset: number
  /** null where the consumer did not say. */
  readonly leaderEpoch: number | null
}

/** What a group has committed; nothing for a group that is not there. */
export async function committedOffsets(
  admin: AdminClient,
  group: string,
  nameOfTopic: (id: string) => string | undefined,
): Promise<CommittedOffset[]> {
  const answer = await admin.retrying(async () => {
    const response = await admin.coordinator(
      group,
      apis.OffsetFetch,
      (version) => (version < 8 ? { groupId: group, topics: null } : { groups: [{ groupId: group, topics: null }] }),
      2,
    )
    const [own] = response.groups
    const code = own?.errorCode ?? response.errorCode
    if (code !== errors.GROUP_ID_NOT_FOUND.code) check(code)
    return own ?? response
  })
  const found: CommittedOffset[] = []
  for (const topic of answer.topics) {
    // Since version 10 topics are told by their ids.
    const name = topic.name !== '' || !('topicId' in topic) ? topic.name : nameOfTopic(topic.topicId)
    if (name === undefined) continue
    for (const { partitionIndex, committedOffset, committedLeaderEpoch, errorCode } of topic.partitions) {
      if (errorCode !== 0) throw new AdminError(errorCode, `offset of ${name}-${partitionIndex}`)
      if (committedOffset < 0) continue
      const leaderEpoch = committedLeaderEpoch < 0 ? null : committedLeaderEpoch
      found.push({ topic: name, partition: partitionIndex, offset: committedOffset, leaderEpoch })
    }
  }
  return found
}
