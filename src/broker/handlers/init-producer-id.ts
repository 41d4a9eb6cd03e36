import { errors } from '../../protocol/errors.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/init-producer-id.ts'
import { defineHandler } from '../types.ts'

const NO_ID = -1

/**
 * InitProducerId for idempotent producers: an id that nobody else has, at epoch 0. Versions 3+ may bring the id they have
 * (KIP-360); without a transactional id that makes no difference. Transactions are not served: their coordinator is
 * never available.
 */
export const handler = defineHandler({
  request: InitProducerIdRequest,
  response: InitProducerIdResponse,
  async handle({ transactionalId, producerId, producerEpoch }, _, { producerIds, logger }) {
    if ((producerId === NO_ID) !== (producerEpoch === NO_ID)) return failure(errors.INVALID_REQUEST.code)
    if (transactionalId === '') return failure(errors.INVALID_REQUEST.code)
    if (transactionalId !== null) return failure(errors.COORDINATOR_NOT_AVAILABLE.code)
    try {
      return { producerId: await producerIds.take(), producerEpoch: 0 }
    } catch (error) {
      logger.warn(`No new block of producer ids: ${String(error)}`)
      return failure(errors.COORDINATOR_LOAD_IN_PROGRESS.code)
    }
  },
  failed: (_, errorCode) => failure(errorCode),
})

function failure(errorCode: number) {
  return { errorCode, producerId: NO_ID, producerEpoch: NO_ID }
}
