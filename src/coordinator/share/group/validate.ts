import { errors } from '../../../protocol/errors.ts'
import type { ShareGroupHeartbeatRequest } from '../../../protocol/messages/share-group-heartbeat.ts'
import { CoordinatorError } from '../../coordinator-error.ts'
import { JOIN_EPOCH, LEAVE_EPOCH } from '../../modern/member.ts'

/** What can be said of a heartbeat without its group. Throws INVALID_REQUEST. */
export function validateShareHeartbeat(request: ShareGroupHeartbeatRequest): void {
  const { memberId, groupId, rackId, memberEpoch, subscribedTopicNames: topics } = request
  if (memberId.trim() === '') throw invalid("MemberId can't be empty.")
  if (groupId.trim() === '') throw invalid("GroupId can't be empty.")
  if (rackId !== null && rackId.trim() === '') throw invalid("RackId can't be empty.")
  if (memberEpoch === JOIN_EPOCH && (topics === null || topics.length === 0)) {
    throw invalid('SubscribedTopicNames must be set in first request.')
  }
  if (memberEpoch < LEAVE_EPOCH) throw invalid('MemberEpoch is invalid.')
}

function invalid(message: string): CoordinatorError {
  return new CoordinatorError(errors.INVALID_REQUEST, message)
}
