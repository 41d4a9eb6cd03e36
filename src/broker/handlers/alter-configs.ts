import { screenReplacement } from '../../controller/alter-configs.ts'
import { type Outcome, wholeOutcome } from '../../controller/result.ts'
import { type Api, apis } from '../../protocol/api-keys.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { AlterConfigsRequest, AlterConfigsResponse } from '../../protocol/messages/alter-configs.ts'
import { alterElsewhere } from '../forwarded-configs.ts'
import { defineHandler } from '../types.ts'

/** AlterConfigs: replaces all configs of a resource. */
export const handler = defineHandler({
  request: AlterConfigsRequest,
  response: AlterConfigsResponse,
  handle: async (request, context, services) => {
    const { controller, image: head, config, nodeId, logger } = services
    const kind = context.connection.listenerKind
    try {
      if (kind === 'broker' && !controller.isActive) {
        const outcomes = screenReplacement({ head, config, nodeId, logger }, request)
        return {
          responses: await alterElsewhere(apis.AlterConfigs as unknown as Api, request, outcomes, context, services),
        }
      }
      return { responses: await controller.alterConfigs(request, kind) }
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
