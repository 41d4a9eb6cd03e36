import { wholeOutcome } from '../../controller/result.ts'
import { errorOfCode } from '../../protocol/errors.ts'
import { UnregisterBrokerRequest, UnregisterBrokerResponse } from '../../protocol/messages/unregister-broker.ts'
import { defineHandler } from '../types.ts'

/** UnregisterBroker (KIP-500): takes a broker that is gone for good out of the cluster. */
export const handler = defineHandler({
  request: UnregisterBrokerRequest,
  response: UnregisterBrokerResponse,
  handle: async ({ brokerId }, _context, { controller }) => {
    try {
      await controller.unregisterBroker(brokerId)
      return { errorCode: 0, errorMessage: '' }
    } catch (error) {
      return wholeOutcome(error)
    }
  },
  failed: (_request, errorCode) => ({ errorCode, errorMessage: errorOfCode(errorCode).message }),
})
