import { wholeOutcome } from '../../controller/result.ts'
import { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '../../protocol/messages/broker-heartbeat.ts'
import { NO_CONNECTION } from '../own-requests.ts'
import { defineHandler } from '../types.ts'

/** BrokerHeartbeat (KIP-631): a broker lives, and wants to serve, to be fenced or to shut down. */
export const handler = defineHandler({
  request: BrokerHeartbeatRequest,
  response: BrokerHeartbeatResponse,
  handle: async (request, { connection }, { controller }) => {
    const { id } = connection
    if (id !== NO_CONNECTION) connection.ended = () => controller.heartbeatsEnded(request.brokerId, id)
    try {
      return { errorCode: 0, ...(await controller.brokerHeartbeat(request, id === NO_CONNECTION ? undefined : id)) }
    } catch (error) {
      return { errorCode: wholeOutcome(error).errorCode }
    }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})
