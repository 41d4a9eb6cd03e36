import { undescribedGroup } from '../../coordinator/classic/describe.ts'
import { errors } from '../../protocol/errors.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../protocol/messages/describe-groups.ts'
import { GROUP_OPERATIONS } from '../operations.ts'
import { defineHandler } from '../types.ts'

/** DescribeGroups: state, protocol and members of classic groups. A group that is not there is Dead before v6. */
export const handler = defineHandler({
  request: DescribeGroupsRequest,
  response: DescribeGroupsResponse,
  handle: async (request, { apiVersion }, { groups }) => {
    const described = await groups.describeGroups(request.groups, apiVersion)
    if (!request.includeAuthorizedOperations) return { groups: described }
    return {
      groups: described.map((group) =>
        group.errorCode === errors.NONE.code ? { ...group, authorizedOperations: GROUP_OPERATIONS } : group,
      ),
    }
  },
  failed: (request, errorCode) => ({ groups: request.groups.map((groupId) => undescribedGroup(groupId, errorCode)) }),
})
