import { undescribedShareGroup } from '../../coordinator/share/group/share-groups.ts'
import { errors } from '../../protocol/errors.ts'
import { ShareGroupDescribeRequest, ShareGroupDescribeResponse } from '../../protocol/messages/share-group-describe.ts'

import { GROUP_OPERATIONS } from '../operations.ts'
import { defineHandler } from '../types.ts'

/** ShareGroupDescribe: state, members and assignments of share groups (KIP-932). */
export const handler = defineHandler({
  request: ShareGroupDescribeRequest,
  response: ShareGroupDescribeResponse,
  handle: async (request, _, services) => {
    if (services.image.featureLevel('share.version') < 1) return refuse(request, errors.UNSUPPORTED_VERSION.code)
    const groups = await services.groups.describeShareGroups(request.groupIds)
    if (request.includeAuthorizedOperations) {
      for (const group of groups) {
        if (group.errorCode === errors.NONE.code) group.authorizedOperations = GROUP_OPERATIONS
      }
    }
    return { groups }
  },
  failed: refuse,
})

function refuse(request: ShareGroupDescribeRequest, errorCode: number) {
  return { groups: request.groupIds.map((groupId) => undescribedShareGroup(groupId, errorCode, null)) }
}
