import { wholeOutcome } from '../../controller/result.ts'
import { BrokerRegistrationRequest, BrokerRegistrationResponse } from '../../protocol/messages/broker-registration.ts'
import { NO_CONNECTION } from '../own-requests.ts'
import { defineHandler } from '../types.ts'

/** BrokerRegistration (KIP-631): a broker has started, and says where it is and what it can do. */
export const handler = defineHandler({
  request: BrokerRegistrationRequest,
  response: BrokerRegistrationResponse,
  handle: async (request, { apiVersion, connection }, { controller, nodeId }) => {
    // What this process asks of itself came in by no connection.
    const isOwn = connection.id === NO_CONNECTION && request.brokerId === nodeId
    try {
      return { errorCode: 0, brokerEpoch: await controller.registerBroker(request, apiVersion, isOwn) }
    } catch (error) {
      return { errorCode: wholeOutcome(error).errorCode }
    }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})
