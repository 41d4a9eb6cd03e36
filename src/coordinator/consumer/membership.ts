import { errors } from '../../protocol/errors.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { TopicPartitions } from '../modern/assignment.ts'
import { STATIC_LEAVE_EPOCH } from '../modern/member.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { type ConsumerMember, newConsumerMember } from './member.ts'
import { assignmentRecord, memberRecord, memberTombstones, targetRecord } from './records.ts'
import { validateMemberEpoch } from './validate.ts'

/** Who speaks to a group. */
export interface Caller {
  readonly memberId: string
  readonly instanceId: string | null
  /** Undefined for one that speaks the classic protocol, which has generations. */
  readonly epoch: number | undefined
  readonly owned: readonly TopicPartitions[] | null
  /** It may be new, or come back. */
  readonly mayJoin: boolean
}

/** The caller as a member: new, known, or in the place of a static member that it replaces. Throws CoordinatorError. */
export function memberFor(group: ConsumerGroup, caller: Caller, records: CoordinatorRecord[]): ConsumerMember {
  return caller.instanceId === null ? dynamicMember(group, caller) : staticMember(group, caller, records)
}

function dynamicMember(group: ConsumerGroup, { memberId, epoch, owned, mayJoin }: Caller): ConsumerMember {
  const known = mayJoin ? group.member(memberId) : group.requireMember(memberId)
  const member = known ?? newConsumerMember(memberId)
  if (epoch !== undefined) validateMemberEpoch(member, epoch, owned)
  return member
}

function staticMember(group: ConsumerGroup, caller: Caller, records: CoordinatorRecord[]): ConsumerMember {
  const { memberId, epoch, owned, mayJoin } = caller
  const instanceId = caller.instanceId!
  const existing = group.staticMember(instanceId)
  if (!mayJoin) {
    const member = requireStatic(existing, instanceId, memberId)
    if (epoch !== undefined) validateMemberEpoch(member, epoch, owned)
    return member
  }
  if (existing === undefined) return group.member(memberId) ?? newConsumerMember(memberId)
  if (epoch !== undefined && existing.classic === null && existing.memberEpoch !== STATIC_LEAVE_EPOCH) {
    const message =
      `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is owned ` +
      `by ${existing.id} member.`
    throw new CoordinatorError(errors.UNRELEASED_INSTANCE_ID, message)
  }
  // It takes the place that it had, under its new id.
  const member = { ...existing, id: memberId, memberEpoch: 0, previousMemberEpoch: 0 }
  records.push(
    ...memberTombstones(group.id, existing.id),
    memberRecord(group.id, member),
    targetRecord(group.id, memberId, group.target(existing.id)),
    assignmentRecord(group.id, member),
  )
  return member
}

/** Throws UNKNOWN_MEMBER_ID where nobody has the instance id, FENCED_INSTANCE_ID where somebody else has. */
export function requireStatic(
  existing: ConsumerMember | undefined,
  instanceId: string,
  memberId: string,
): ConsumerMember {
  if (existing === undefined) {
    throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`)
  }
  if (existing.id === memberId) return existing
  const message = `Static member ${memberId} with instance id ${instanceId} was fenced by member ${existing.id}.`
  throw new CoordinatorError(errors.FENCED_INSTANCE_ID, message)
}

/** Throws GROUP_MAX_SIZE_REACHED for a new member of a full group. */
export function requireRoom(group: ConsumerGroup, memberId: string, maxGroupSize: number): void {
  if (group.size < maxGroupSize || (memberId !== '' && group.has(memberId))) return
  const message = `The consumer group has reached its maximum capacity of ${maxGroupSize} members.`
  throw new CoordinatorError(errors.GROUP_MAX_SIZE_REACHED, message)
}
