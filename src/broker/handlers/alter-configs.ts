import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { AlterConfigsRequest, AlterConfigsResponse } from '../../protocol/messages/alter-configs.ts'
import { defineHandler } from '../types.ts'

/** AlterConfigs: replaces all configs of a resource. */
export const handler = defineHandler({
  request: AlterConfigsRequest,
  response: AlterConfigsResponse,
  handle: async (request, { connection }, { controller }) => {
    try {
      return { responses: await controller.alterConfigs(request, connection.listenerKind) }
    } catch (error) {
      return failedWith(request, wholeOutcome(error))
    }
  },
  failed: (request, errorCode) =>
    failedWith(request, { errorCode, errorMessage: errorCode === -1 ? null : errorOfCode(errorCode).message }),
})

function failedWith({ resources }: AlterConfigsRequest, outcome: Outcome) {
  return { responses: resources.map(({ resourceType, resourceName }) => ({ resourceType, resourceName, ...outcome })) }
}
