import { errors } from '../../protocol/errors.ts'
import type { ConsumerGroupHeartbeatRequest } from '../../protocol/messages/consumer-group-heartbeat.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { isWithin, type TopicPartitions } from '../modern/assignment.ts'
import { JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH } from '../modern/member.ts'
import type { ConsumerMember } from './member.ts'

/** From this version on members bring their id (KIP-1082). */
const FIRST_VERSION_WITH_OWN_ID = 1
/** What Java's trim takes for blank. */
const BLANK = /^[\0- ]*$/

/** What can be said of a heartbeat without looking at the group. Throws CoordinatorError. */
export function validateHeartbeat(
  request: ConsumerGroupHeartbeatRequest,
  apiVersion: number,
  assignors: readonly string[],
): void {
  const { memberEpoch, serverAssignor } = request
  if (apiVersion >= FIRST_VERSION_WITH_OWN_ID || memberEpoch > JOIN_EPOCH || memberEpoch === LEAVE_EPOCH) {
    refuseBlank(request.memberId, 'MemberId')
  }
  refuseBlank(request.groupId, 'GroupId')
  refuseBlank(request.instanceId, 'InstanceId')
  refuseBlank(request.rackId, 'RackId')
  if (memberEpoch === JOIN_EPOCH) {
    refuseIf(request.rebalanceTimeoutMs === -1, 'RebalanceTimeoutMs must be provided in first request.')
    const ownsSomething = request.topicPartitions === null || request.topicPartitions.length > 0
    refuseIf(ownsSomething, 'TopicPartitions must be empty when (re-)joining.')
    refuseIf(
      request.subscribedTopicNames === null && request.subscribedTopicRegex === null,
      'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.',
    )
  } else if (memberEpoch === STATIC_LEAVE_EPOCH) {
    refuseIf(request.instanceId === null, "InstanceId can't be null.")
  } else {
    refuseIf(memberEpoch < STATIC_LEAVE_EPOCH, 'MemberEpoch is invalid.')
  }
  if (serverAssignor !== null && !assignors.includes(serverAssignor)) {
    const message = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${assignors.join(', ')}.`
    throw new CoordinatorError(errors.UNSUPPORTED_ASSIGNOR, message)
  }
}

function refuseBlank(value: string | null, name: string): void {
  refuseIf(value !== null && BLANK.test(value), `${name} can't be empty.`)
}

function refuseIf(condition: boolean, message: string): void {
  if (condition) throw new CoordinatorError(errors.INVALID_REQUEST, message)
}

/**
 * A member may come with its epoch, or with the one before where it has nothing that it must not have: then the answer with
 * the new epoch was lost. Throws FENCED_MEMBER_EPOCH.
 */
export function validateMemberEpoch(
  member: ConsumerMember,
  epoch: number,
  owned: readonly TopicPartitions[] | null,
): void {
  if (epoch === JOIN_EPOCH || epoch === member.memberEpoch) return
  const isLate = epoch < member.memberEpoch
  if (isLate && epoch === member.previousMemberEpoch && owned !== null && isWithin(owned, member.assigned)) return
  const message =
    `The consumer group member has a ${isLate ? 'smaller' : 'greater'} member epoch (${epoch}) than the one known by ` +
    `the group coordinator (${member.memberEpoch}). The member must abandon all its partitions and rejoin.`
  throw new CoordinatorError(errors.FENCED_MEMBER_EPOCH, message)
}
