import {
  ReadShareGroupStateRequest,
  ReadShareGroupStateResponse,
} from '../../protocol/messages/read-share-group-state.ts'
import { defineHandler } from '../types.ts'

/** ReadShareGroupState (KIP-932): what the leader of a partition begins with. */
export const handler = defineHandler({
  request: ReadShareGroupStateRequest,
  response: ReadShareGroupStateResponse,
  handle: (request, _, { shares }) => shares.coordinator.read(request),
  failed: ({ topics }, errorCode) => ({
    results: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode, stateEpoch: 0, startOffset: 0 })),
    })),
  }),
})
