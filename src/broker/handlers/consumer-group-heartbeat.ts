import { errors } from '../../protocol/errors.ts'
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/consumer-group-heartbeat.ts'
import { clientOf } from '../client-of.ts'
import { isConsumerProtocolEnabled } from '../group-protocols.ts'
import { defineHandler } from '../types.ts'

/**
 * ConsumerGroupHeartbeat (KIP-848): all that a member of a consumer group has to say, and all that it is told. v1 brought
 * regular expressions, and ids that the members make themselves (KIP-1082).
 */
export const handler = defineHandler({
  request: ConsumerGroupHeartbeatRequest,
  response: ConsumerGroupHeartbeatResponse,
  handle: async (request, context, services) => {
    if (!isConsumerProtocolEnabled(services)) return { errorCode: errors.UNSUPPORTED_VERSION.code }
    return services.groups.consumerHeartbeat(clientOf(context), request)
  },
  failed: (_, errorCode) => ({ errorCode }),
})
