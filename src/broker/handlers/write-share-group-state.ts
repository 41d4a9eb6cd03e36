import {
  WriteShareGroupStateRequest,
  WriteShareGroupStateResponse,
} from '../../protocol/messages/write-share-group-state.ts'
import { defineHandler } from '../types.ts'

/** WriteShareGroupState (KIP-932): what became of records of a partition. */
export const handler = defineHandler({
  request: WriteShareGroupStateRequest,
  response: WriteShareGroupStateResponse,
  handle: (request, _, { shares }) => shares.coordinator.write(request),
  failed: ({ topics }, errorCode) => ({
    results: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
    })),
  }),
})
