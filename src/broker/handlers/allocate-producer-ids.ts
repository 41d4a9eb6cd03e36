import { wholeOutcome } from '../../controller/result.ts'
import {
  AllocateProducerIdsRequest,
  AllocateProducerIdsResponse,
} from '../../protocol/messages/allocate-producer-ids.ts'
import { defineHandler } from '../types.ts'

/** AllocateProducerIds (KIP-730): a broker needs producer ids to give out. */
export const handler = defineHandler({
  request: AllocateProducerIdsRequest,
  response: AllocateProducerIdsResponse,
  handle: async (request, _context, { controller }) => {
    try {
      const { firstProducerId, size } = await controller.allocateProducerIds(request)
      return { errorCode: 0, producerIdStart: firstProducerId, producerIdLen: size }
    } catch (error) {
      return { errorCode: wholeOutcome(error).errorCode }
    }
  },
  failed: (_request, errorCode) => ({ errorCode }),
})
