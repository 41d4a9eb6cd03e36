import { errors } from '../../protocol/errors.ts'
import {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponse,
} from '../../protocol/messages/share-group-heartbeat.ts'
import { clientOf } from '../client-of.ts'
import { isMemberId } from '../share/acknowledgements.ts'
import { makeShareState } from '../share/share-state.ts'
import { defineHandler } from '../types.ts'

/** ShareGroupHeartbeat (KIP-932): all that a member of a share group has to say, and all that it is told. */
export const handler = defineHandler({
  request: ShareGroupHeartbeatRequest,
  response: ShareGroupHeartbeatResponse,
  handle: async (request, context, services) => {
    if (services.image.featureLevel('share.version') < 1) return { errorCode: errors.UNSUPPORTED_VERSION.code }
    if (!isMemberId(request.memberId)) return { errorCode: errors.INVALID_REQUEST.code }
    const { response, groupEpoch, missing } = await services.groups.shareHeartbeat(clientOf(context), request)
    if (missing.size > 0) void makeShareState(request.groupId, groupEpoch, missing, services)
    return response
  },
  failed: (_, errorCode) => ({ errorCode }),
})
