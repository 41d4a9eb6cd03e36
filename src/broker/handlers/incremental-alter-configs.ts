import { screenIncremental } from '../../controller/alter-configs.ts'
import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { type Api, apis } from '../../protocol/api-keys.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../protocol/messages/incremental-alter-configs.ts'
import { alterElsewhere } from '../forwarded-configs.ts'
import { defineHandler } from '../types.ts'

/** IncrementalAlterConfigs (KIP-339): sets and deletes single configs, appends to lists and subtracts from them. */
export const handler = defineHandler({
  request: IncrementalAlterConfigsRequest,
  response: IncrementalAlterConfigsResponse,
  handle: async (request, context, services) => {
    const { controller, image: head, config, nodeId, logger } = services
    const kind = context.connection.listenerKind
    try {
      if (kind === 'broker' && !controller.isActive) {
        const outcomes = screenIncremental({ head, config, nodeId, logger }, request)
        return {
          responses: await alterElsewhere(
            apis.IncrementalAlterConfigs as unknown as Api,
            request,
            outcomes,
            context,
            services,
          ),
        }
      }
      return { responses: await controller.incrementalAlterConfigs(request, kind) }
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
