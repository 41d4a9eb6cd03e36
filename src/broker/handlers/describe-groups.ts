import { undescribedGroup } from '../../coordinator/classic/describe.ts'
import { errors } from '../../protocol/errors.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../protocol/messages/describe-groups.ts'
import { defineHandler } from '../types.ts'

/** READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS: what can be done with a group; without ACLs, all of it. */
const GROUP_OPERATIONS = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11)

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
