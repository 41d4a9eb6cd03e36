import { undescribedConsumerGroup } from '../../coordinator/consumer/describe.ts'
import { errors } from '../../protocol/errors.ts'
import {
  ConsumerGroupDescribeRequest,
  ConsumerGroupDescribeResponse,
} from '../../protocol/messages/consumer-group-describe.ts'
import { isConsumerProtocolEnabled } from '../group-protocols.ts'
import { GROUP_OPERATIONS } from '../operations.ts'
import { defineHandler } from '../types.ts'

/** ConsumerGroupDescribe: state, members and assignments of consumer groups. v1 tells which protocol a member speaks. */
export const handler = defineHandler({
  request: ConsumerGroupDescribeRequest,
  response: ConsumerGroupDescribeResponse,
  handle: async (request, _, services) => {
    if (!isConsumerProtocolEnabled(services)) return refuse(request, errors.UNSUPPORTED_VERSION.code)
    const groups = await services.groups.describeConsumerGroups(request.groupIds)
    if (request.includeAuthorizedOperations) {
      for (const group of groups) {
        if (group.errorCode === errors.NONE.code) group.authorizedOperations = GROUP_OPERATIONS
      }
    }
    return { groups }
  },
  failed: refuse,
})

function refuse(request: ConsumerGroupDescribeRequest, errorCode: number) {
  return { groups: request.groupIds.map((groupId) => undescribedConsumerGroup(groupId, errorCode, null)) }
}
