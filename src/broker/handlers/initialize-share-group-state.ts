import {
  InitializeShareGroupStateRequest,
  InitializeShareGroupStateResponse,
} from '../../protocol/messages/initialize-share-group-state.ts'
import { defineHandler } from '../types.ts'

/** InitializeShareGroupState (KIP-932): a group begins to read a partition, or begins anew at another offset. */
export const handler = defineHandler({
  request: InitializeShareGroupStateRequest,
  response: InitializeShareGroupStateResponse,
  handle: (request, _, { shares }) => shares.coordinator.initialize(request),
  failed: ({ topics }, errorCode) => ({
    results: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
    })),
  }),
})
