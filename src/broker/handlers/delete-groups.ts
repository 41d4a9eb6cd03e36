import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../protocol/messages/delete-groups.ts'
import { deleteShareState } from '../share/share-state.ts'
import { defineHandler } from '../types.ts'

/** DeleteGroups (KIP-229): groups without members go, and their offsets with them. */
export const handler = defineHandler({
  request: DeleteGroupsRequest,
  response: DeleteGroupsResponse,
  handle: async (request, _, services) => {
    const groupIds = [...new Set(request.groupsNames)]
    const failures = await deleteShareState(groupIds, services)
    const results = await services.groups.deleteGroups(groupIds.filter((groupId) => !failures.has(groupId)))
    const failed = Array.from(failures, ([groupId, { code: errorCode }]) => ({ groupId, errorCode }))
    return { results: [...results, ...failed] }
  },
  failed: (request, errorCode) => ({
    results: [...new Set(request.groupsNames)].map((groupId) => ({ groupId, errorCode })),
  }),
})
