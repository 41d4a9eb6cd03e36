import { JoinGroupRequest, JoinGroupResponse, type JoinGroupResponseInput } from '../../protocol/messages/join-group.ts'
import { clientOf } from '../client-of.ts'
import { defineHandler } from '../types.ts'

/** From this version on the protocol name may be null. */
const FIRST_VERSION_WITH_NULL_PROTOCOL = 7

/**
 * JoinGroup: a member asks to be part of the next generation of its group, and is answered when that begins.
 * v1 brought a rebalance timeout of its own, v4 MEMBER_ID_REQUIRED (KIP-394), v5 static members (KIP-345), v9 the skipped
 * assignment (KIP-814).
 */
export const handler = defineHandler({
  request: JoinGroupRequest,
  response: JoinGroupResponse,
  handle: async (request, context, { groups }) => {
    const rebalanceTimeoutMs = context.apiVersion === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs
    const response = await groups.joinGroup(clientOf(context), { ...request, rebalanceTimeoutMs })
    return fitted(response, context.apiVersion)
  },
  failed: (_, errorCode, { apiVersion }) => fitted({ errorCode }, apiVersion),
})

/** "No protocol" is null where it can be, and empty before. */
function fitted(response: JoinGroupResponseInput, apiVersion: number): JoinGroupResponseInput {
  if (response.protocolName) return response
  return { ...response, protocolName: apiVersion >= FIRST_VERSION_WITH_NULL_PROTOCOL ? null : '' }
}
