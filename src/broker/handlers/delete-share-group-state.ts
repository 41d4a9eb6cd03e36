import {
  DeleteShareGroupStateRequest,
  DeleteShareGroupStateResponse,
} from '../../protocol/messages/delete-share-group-state.ts'
import { defineHandler } from '../types.ts'

/** DeleteShareGroupState (KIP-932): a group no longer reads a partition. */
export const handler = defineHandler({
  request: DeleteShareGroupStateRequest,
  response: DeleteShareGroupStateResponse,
  handle: (request, _, { shares }) => shares.coordinator.delete(request),
  failed: ({ topics }, errorCode) => ({
    results: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
    })),
  }),
})
