import { wholeOutcome } from '../../controller/result.ts'
import { AlterPartitionRequest, AlterPartitionResponse } from '../../protocol/messages/alter-partition.ts'
import { defineHandler } from '../types.ts'

/** AlterPartition (KIP-497): a leader says who is in sync. */
export const handler = defineHandler({
  request: AlterPartitionRequest,
  response: AlterPartitionResponse,
  handle: async (request, { apiVersion }, { controller }) => {
    try {
      return await controller.alterPartition(request, apiVersion)
    } catch (error) {
      return { errorCode: wholeOutcome(error).errorCode }
    }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})
