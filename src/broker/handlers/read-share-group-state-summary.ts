import {
  ReadShareGroupStateSummaryRequest,
  ReadShareGroupStateSummaryResponse,
} from '../../protocol/messages/read-share-group-state-summary.ts'
import { defineHandler } from '../types.ts'

/** ReadShareGroupStateSummary (KIP-932): where a group stands in a partition. */
export const handler = defineHandler({
  request: ReadShareGroupStateSummaryRequest,
  response: ReadShareGroupStateSummaryResponse,
  handle: (request, _, { shares }) => shares.coordinator.summarise(request),
  failed: ({ topics }, errorCode) => ({
    results: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partition }) => ({
        partition,
        errorCode,
        stateEpoch: 0,
        leaderEpoch: 0,
        startOffset: 0,
      })),
    })),
  }),
})
