import { wholeOutcome } from '../../controller/result.ts'
import { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '../../protocol/messages/broker-heartbeat.ts'
import { defineHandler } from '../types.ts'

/** BrokerHeartbeat (KIP-631): a broker lives, and wants to serve, to be fenced or to shut down. */
export const handler = defineHandler({
  request: BrokerHeartbeatRequest,
  response: BrokerHeartbeatResponse,
  handle: async (request, _context, { controller }) => {
    try {
      return { errorCode: 0, ...(await controller.brokerHeartbeat(request)) }
    } catch (error) {
      return { errorCode: wholeOutcome(error).errorCode }
    }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})
