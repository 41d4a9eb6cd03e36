import { errors } from '../../protocol/errors.ts'
import {
  DeleteShareGroupOffsetsRequest,
  DeleteShareGroupOffsetsResponse,
} from '../../protocol/messages/delete-share-group-offsets.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { refuse, refusedGroup, refuseFor } from '../share/refusal.ts'
import { type DeletedOffsets, deleteOffsets } from '../share/share-offsets.ts'
import { defineHandler } from '../types.ts'

/** DeleteShareGroupOffsets (KIP-932): share groups without members forget where they were in topics. */
export const handler = defineHandler({
  request: DeleteShareGroupOffsetsRequest,
  response: DeleteShareGroupOffsetsResponse,
  handle: async ({ groupId, topics }, _, services) => {
    const refused = refusedGroup(groupId, services)
    if (refused !== undefined) return refuse(refused)
    try {
      const names = topics.map(({ topicName }) => topicName)
      return { responses: (await deleteOffsets(groupId, names, services)).map(answer) }
    } catch (reason) {
      return refuseFor(reason)
    }
  },
  failed: (_, errorCode) => ({ errorCode }),
})

function answer({ topicName, topicId = ZERO_UUID, error, message }: DeletedOffsets) {
  const errorMessage = error === errors.NONE ? null : (message ?? error.message)
  return { topicName, topicId, errorCode: error.code, errorMessage }
}
