import { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts'
import { defineHandler } from '../types.ts'

/** From this version on several members may be named, by instance id, too (KIP-345). */
const FIRST_VERSION_WITH_MEMBERS = 3

/** LeaveGroup: members go at once instead of at the end of their session. */
export const handler = defineHandler({
  request: LeaveGroupRequest,
  response: LeaveGroupResponse,
  handle: async (request, { apiVersion }, { groups }) => {
    if (apiVersion >= FIRST_VERSION_WITH_MEMBERS) return groups.leaveGroup(request)
    const member = { memberId: request.memberId, groupInstanceId: null, reason: null }
    const { errorCode, members } = await groups.leaveGroup({ ...request, members: [member] })
    return { errorCode: errorCode || (members?.[0]?.errorCode ?? 0) }
  },
  failed: (_, errorCode) => ({ errorCode }),
})
