import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../../protocol/messages/alter-partition-reassignments.ts'
import { defineHandler } from '../types.ts'

/** AlterPartitionReassignments (KIP-455, KIP-860): moves partitions between brokers, or calls a move off. */
export const handler = defineHandler({
  request: AlterPartitionReassignmentsRequest,
  response: AlterPartitionReassignmentsResponse,
  handle: async (request, _context, { controller }) => {
    try {
      return await controller.alterPartitionReassignments(request)
    } catch (error) {
      return failedWith(request, wholeOutcome(error))
    }
  },
  failed: (request, errorCode) =>
    failedWith(request, { errorCode, errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message }),
})

function failedWith({ topics }: AlterPartitionReassignmentsRequest, outcome: Outcome) {
  const responses = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, ...outcome })),
  }))
  return { ...outcome, responses }
}
