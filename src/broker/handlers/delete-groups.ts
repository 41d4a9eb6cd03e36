import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../protocol/messages/delete-groups.ts'
import { defineHandler } from '../types.ts'

/** DeleteGroups (KIP-229): groups without members go, and their offsets with them. */
export const handler = defineHandler({
  request: DeleteGroupsRequest,
  response: DeleteGroupsResponse,
  handle: async (request, _, { groups }) => ({ results: await groups.deleteGroups([...new Set(request.groupsNames)]) }),
  failed: (request, errorCode) => ({
    results: [...new Set(request.groupsNames)].map((groupId) => ({ groupId, errorCode })),
  }),
})
