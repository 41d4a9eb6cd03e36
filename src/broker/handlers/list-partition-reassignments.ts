import { listReassignments } from '../../controller/reassignments.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../../protocol/messages/list-partition-reassignments.ts'
import { defineHandler } from '../types.ts'

/** ListPartitionReassignments (KIP-455): the moves between brokers that are not over. */
export const handler = defineHandler({
  request: ListPartitionReassignmentsRequest,
  response: ListPartitionReassignmentsResponse,
  handle: (request, _context, { image }) => listReassignments(image, request),
  failed: ({ topics }, errorCode) => ({
    errorCode,
    errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message,
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex })),
    })),
  }),
})
