import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../protocol/messages/incremental-alter-configs.ts'
import { defineHandler } from '../types.ts'

/** IncrementalAlterConfigs (KIP-339): sets and deletes single configs, appends to lists and subtracts from them. */
export const handler = defineHandler({
  request: IncrementalAlterConfigsRequest,
  response: IncrementalAlterConfigsResponse,
  handle: async (request, { connection }, { controller }) => {
    try {
      return { responses: await controller.incrementalAlterConfigs(request, connection.listenerKind) }
    } catch (error) {
      return failedWith(request, wholeOutcome(error))
    }
  },
  failed: (request, errorCode) =>
    failedWith(request, { errorCode, errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message }),
})

function failedWith({ resources }: IncrementalAlterConfigsRequest, outcome: Outcome) {
  return { responses: resources.map(({ resourceType, resourceName }) => ({ resourceType, resourceName, ...outcome })) }
}
