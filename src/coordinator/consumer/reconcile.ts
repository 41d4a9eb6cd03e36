import { errors } from '../../protocol/errors.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import {
  type Assignment,
  type EpochAssignment,
  NO_EPOCHS,
  type TopicPartitions,
  touches,
} from '../modern/assignment.ts'
import { MemberState } from '../modern/member.ts'
import type { ConsumerMember } from './member.ts'

/** What a member is measured against. */
export interface ReconcileInput {
  readonly targetEpoch: number
  readonly target: Assignment
  /** Of the topics that the member is subscribed to, as far as they exist. */
  readonly subscribedTopicIds: ReadonlySet<string>
  readonly hasSubscriptionChanged: boolean
  /** What the member says it has; null where it says nothing. */
  readonly owned: readonly TopicPartitions[] | null
  /** Whether some member has the partition. */
  readonly isTaken: (topicId: string, partition: number) => boolean
}

/**
 * The next step of a member towards its target: give up what it must not have any more; when it has, go on to the epoch of
 * the target with what is free of the rest; and take what is not free yet as it becomes so. So nobody gets a partition
 * before its last owner has said that it is given up. Throws FENCED_MEMBER_EPOCH.
 */
export function reconcile(member: ConsumerMember, input: ReconcileInput): ConsumerMember {
  switch (member.state) {
    case MemberState.stable:
      if (member.memberEpoch !== input.targetEpoch) return nextAssignment(member, member.memberEpoch, input)
      return input.hasSubscriptionChanged ? dropUnsubscribed(member, input) : member
    case MemberState.unrevoked:
      if (mayOwn(member.pendingRevocation, input)) {
        return input.hasSubscriptionChanged ? dropUnsubscribed(member, input) : member
      }
      return nextAssignment(member, member.memberEpoch, input)
    case MemberState.unreleased:
      return nextAssignment(member, member.memberEpoch, input)
    default:
      if (input.owned === null || input.owned.length > 0) {
        const message =
          'The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.'
        throw new CoordinatorError(errors.FENCED_MEMBER_EPOCH, message)
      }
      return nextAssignment(member, input.targetEpoch, input)
  }
}

/** A member that does not say what it has may have all of it. */
function mayOwn(revoked: EpochAssignment, { owned }: ReconcileInput): boolean {
  return owned === null || touches(owned, revoked)
}

function advanced(member: ConsumerMember, memberEpoch: number, change: Partial<ConsumerMember>): ConsumerMember {
  return { ...member, ...change, previousMemberEpoch: member.memberEpoch, memberEpoch }
}

/** Takes away at once what the member does not want any more, without waiting for the next target. */
function dropUnsubscribed(member: ConsumerMember, input: ReconcileInput): ConsumerMember {
  const assigned = new Map(member.assigned)
  const pendingRevocation = new Map(member.pendingRevocation)
  for (const [topicId, partitions] of member.assigned) {
    if (input.subscribedTopicIds.has(topicId)) continue
    assigned.delete(topicId)
    pendingRevocation.set(topicId, new Map([...(pendingRevocation.get(topicId) ?? []), ...partitions]))
  }
  if (assigned.size === member.assigned.size) return member
  if (!mayOwn(pendingRevocation, input)) return advanced(member, member.memberEpoch, { assigned })
  return advanced(member, member.memberEpoch, { state: MemberState.unrevoked, assigned, pendingRevocation })
}

function nextAssignment(member: ConsumerMember, memberEpoch: number, input: ReconcileInput): ConsumerMember {
  const kept = new Map<string, Map<number, number>>()
  const revoked = new Map<string, Map<number, number>>()
  const wanted = (topicId: string) => (input.subscribedTopicIds.has(topicId) ? input.target.get(topicId) : undefined)
  for (const [topicId, partitions] of member.assigned) {
    const target = wanted(topicId)
    for (const [partition, epoch] of partitions) {
      put(target?.has(partition) ? kept : revoked, topicId, partition, epoch)
    }
  }
  if (revoked.size > 0 && mayOwn(revoked, input)) {
    return advanced(member, memberEpoch, {
      state: MemberState.unrevoked,
      assigned: kept,
      pendingRevocation: revoked,
    })
  }
  let isComplete = true
  for (const topicId of input.target.keys()) {
    for (const partition of wanted(topicId) ?? []) {
      if (kept.get(topicId)?.has(partition)) continue
      const isOwn = member.pendingRevocation.get(topicId)?.has(partition) ?? false
      if (input.isTaken(topicId, partition) && !isOwn) isComplete = false
      else put(kept, topicId, partition, input.targetEpoch)
    }
  }
  return advanced(member, input.targetEpoch, {
    state: isComplete ? MemberState.stable : MemberState.unreleased,
    assigned: kept,
    pendingRevocation: NO_EPOCHS,
  })
}

function put(assignment: Map<string, Map<number, number>>, topicId: string, partition: number, epoch: number): void {
  const partitions = assignment.get(topicId)
  if (partitions === undefined) assignment.set(topicId, new Map([[partition, epoch]]))
  else partitions.set(partition, epoch)
}
