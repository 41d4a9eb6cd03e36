import type { ConsumerGroupCurrentMemberAssignmentValue } from '../../protocol/coordinator-records/consumer-group-current-member-assignment.ts'
import type { ConsumerGroupMemberMetadataValue } from '../../protocol/coordinator-records/consumer-group-member-metadata.ts'
import { type EpochAssignment, NO_EPOCHS, sameEpochs, sameSet } from '../modern/assignment.ts'
import { LEAVE_EPOCH, MemberState, type ModernMember, memberState } from '../modern/member.ts'

/** A protocol of a classic member: the assignor's name and the member's subscription. */
export interface ClassicProtocol {
  readonly name: string
  readonly metadata: Buffer
}

/** What is known of a member that speaks the classic protocol in a consumer group. */
export interface ClassicPart {
  readonly sessionTimeoutMs: number
  /** At least one. */
  readonly protocols: readonly ClassicProtocol[]
}

/** A member of a consumer group (KIP-848). */
export interface ConsumerMember extends ModernMember {
  readonly rebalanceTimeoutMs: number
  /** '' or null for none. */
  readonly subscribedRegex: string | null
  /** null where the member leaves it to the group. */
  readonly serverAssignor: string | null
  readonly assigned: EpochAssignment
  /** What it had to give up and may still have. */
  readonly pendingRevocation: EpochAssignment
  /** null for a member that speaks the new protocol. */
  readonly classic: ClassicPart | null
}

export function newConsumerMember(id: string): ConsumerMember {
  return {
    id,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: MemberState.stable,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    clientId: '',
    clientHost: '',
    subscribedTopics: new Set(),
    subscribedRegex: '',
    serverAssignor: null,
    assigned: NO_EPOCHS,
    pendingRevocation: NO_EPOCHS,
    classic: null,
  }
}

/** Undefined where the member is not subscribed by a regular expression. */
export function regexOf(member: ConsumerMember | undefined): string | undefined {
  return member?.subscribedRegex || undefined
}

/** At which epoch the member got a partition that it has, or has to give up; undefined for any other. */
export function epochOfPartition(member: ConsumerMember, topicId: string, partition: number): number | undefined {
  return member.assigned.get(topicId)?.get(partition) ?? member.pendingRevocation.get(topicId)?.get(partition)
}

/** Whether both say the same of what the member is and wants. */
export function sameMetadata(a: ConsumerMember, b: ConsumerMember): boolean {
  return (
    a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.subscribedRegex === b.subscribedRegex &&
    a.serverAssignor === b.serverAssignor &&
    sameSet(a.subscribedTopics, b.subscribedTopics) &&
    sameClassicPart(a.classic, b.classic)
  )
}

function sameClassicPart(a: ClassicPart | null, b: ClassicPart | null): boolean {
  if (a === null || b === null) return a === b
  return (
    a.sessionTimeoutMs === b.sessionTimeoutMs &&
    a.protocols.length === b.protocols.length &&
    a.protocols.every((own, i) => own.name === b.protocols[i]!.name && own.metadata.equals(b.protocols[i]!.metadata))
  )
}

/** Whether both are as far with their assignment. */
export function sameProgress(a: ConsumerMember, b: ConsumerMember): boolean {
  return (
    a.memberEpoch === b.memberEpoch &&
    a.previousMemberEpoch === b.previousMemberEpoch &&
    a.state === b.state &&
    sameEpochs(a.assigned, b.assigned) &&
    sameEpochs(a.pendingRevocation, b.pendingRevocation)
  )
}

/** The member as a record about its subscription leaves it. Bytes are copied out of the buffer they were read into. */
export function withMetadata(member: ConsumerMember, value: ConsumerGroupMemberMetadataValue): ConsumerMember {
  const { classicMemberMetadata: classic } = value
  const topics = new Set(value.subscribedTopicNames)
  return {
    ...member,
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    subscribedTopics: sameSet(topics, member.subscribedTopics) ? member.subscribedTopics : topics,
    subscribedRegex: value.subscribedTopicRegex,
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    serverAssignor: value.serverAssignor,
    classic: classic && {
      sessionTimeoutMs: classic.sessionTimeoutMs,
      protocols: classic.supportedProtocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
    },
  }
}

type RecordPartitions = ConsumerGroupCurrentMemberAssignmentValue['assignedPartitions']

/** The member as a record about its assignment leaves it. */
export function withAssignment(
  member: ConsumerMember,
  value: ConsumerGroupCurrentMemberAssignmentValue,
): ConsumerMember {
  return {
    ...member,
    memberEpoch: value.memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: memberState(value.state),
    assigned: epochsOf(value.assignedPartitions, value.memberEpoch),
    pendingRevocation: epochsOf(value.partitionsPendingRevocation, value.memberEpoch),
  }
}

/** Earlier releases wrote no epochs: then they count from the member's own. */
function epochsOf(topics: RecordPartitions, memberEpoch: number): EpochAssignment {
  const assignment = new Map<string, ReadonlyMap<number, number>>()
  for (const { topicId, partitions, assignmentEpochs } of topics) {
    const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : undefined
    assignment.set(
      topicId,
      new Map(partitions.map((partition, i) => [partition, epochs?.[i] ?? Math.max(memberEpoch, 0)])),
    )
  }
  return assignment
}

/** The member as the tombstone of its assignment leaves it: gone, but for what the next tombstone says. */
export function withoutAssignment(member: ConsumerMember): ConsumerMember {
  return {
    ...member,
    memberEpoch: LEAVE_EPOCH,
    previousMemberEpoch: LEAVE_EPOCH,
    assigned: NO_EPOCHS,
    pendingRevocation: NO_EPOCHS,
  }
}
