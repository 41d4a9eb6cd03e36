import { errors } from '../../protocol/errors.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../protocol/messages/sync-group.ts'
import { defineHandler } from '../types.ts'

/** From this version on the client must say which protocol it believes in (KIP-559). */
const FIRST_VERSION_WITH_PROTOCOL = 5

/** SyncGroup: the leader brings everybody's assignment, and each member is answered with its own once that is written. */
export const handler = defineHandler({
  request: SyncGroupRequest,
  response: SyncGroupResponse,
  handle: (request, { apiVersion }, { groups }) => {
    const { protocolType, protocolName } = request
    if (apiVersion >= FIRST_VERSION_WITH_PROTOCOL && (protocolType === null || protocolName === null)) {
      return { errorCode: errors.INCONSISTENT_GROUP_PROTOCOL.code }
    }
    return groups.syncGroup(request)
  },
  failed: (_, errorCode) => ({ errorCode }),
})
