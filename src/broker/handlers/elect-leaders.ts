import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { ElectLeadersRequest, ElectLeadersResponse } from '../../protocol/messages/elect-leaders.ts'
import { defineHandler } from '../types.ts'

/** ElectLeaders (KIP-183, KIP-460): gives partitions to their preferred leader, or to any where there is none. */
export const handler = defineHandler({
  request: ElectLeadersRequest,
  response: ElectLeadersResponse,
  handle: async (request, { apiVersion }, { controller }) => {
    try {
      return await controller.electLeaders(request)
    } catch (error) {
      return failedWith(request, wholeOutcome(error), apiVersion)
    }
  },
  failed: (request, errorCode, { apiVersion }) =>
    failedWith(
      request,
      { errorCode, errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message },
      apiVersion,
    ),
})

function failedWith({ topicPartitions }: ElectLeadersRequest, outcome: Outcome, version: number) {
  const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => ({ partitionId, ...outcome })),
  }))
  return { errorCode: version >= 1 ? outcome.errorCode : 0, replicaElectionResults }
}
