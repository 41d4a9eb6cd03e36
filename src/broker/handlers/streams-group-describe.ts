import { undescribedStreamsGroup } from '../../coordinator/streams/describe.ts'
import { errors } from '../../protocol/errors.ts'
import {
  StreamsGroupDescribeRequest,
  StreamsGroupDescribeResponse,
} from '../../protocol/messages/streams-group-describe.ts'
import { isStreamsProtocolEnabled } from '../group-protocols.ts'
import { GROUP_OPERATIONS } from '../operations.ts'
import { defineHandler } from '../types.ts'

/** StreamsGroupDescribe: topology, members and assignments of streams groups (KIP-1071). */
export const handler = defineHandler({
  request: StreamsGroupDescribeRequest,
  response: StreamsGroupDescribeResponse,
  handle: async (request, _, services) => {
    if (!isStreamsProtocolEnabled(services)) return refuse(request, errors.UNSUPPORTED_VERSION.code)
    const groups = await services.groups.describeStreamsGroups(request.groupIds)
    if (request.includeAuthorizedOperations) {
      for (const group of groups) {
        if (group.errorCode === errors.NONE.code) group.authorizedOperations = GROUP_OPERATIONS
      }
    }
    return { groups }
  },
  failed: refuse,
})

function refuse(request: StreamsGroupDescribeRequest, errorCode: number) {
  return { groups: request.groupIds.map((groupId) => undescribedStreamsGroup(groupId, errorCode, null)) }
}
