import { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/list-groups.ts'
import { defineHandler } from '../types.ts'

/** ListGroups: the groups this node coordinates, by state (v4, KIP-518) and type (v5, KIP-848) where asked so. */
export const handler = defineHandler({
  request: ListGroupsRequest,
  response: ListGroupsResponse,
  handle: (request, _, { groups }) => groups.listGroups(request),
  failed: (_, errorCode) => ({ errorCode }),
})
