import { errors } from '../../protocol/errors.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/init-producer-id.ts'
import { defineHandler } from '../types.ts'

const NO_ID = -1
const PRODUCER_FENCED_FROM = 4

/**
 * InitProducerId. For idempotent producers: an id that nobody else has, at epoch 0. For transactional ones: the id of the
 * transactional id at an epoch of its own, which fences the producer before. Versions 3+ may bring the id they have
 * (KIP-360); without a transactional id that makes no difference.
 */
export const handler = defineHandler({
  request: InitProducerIdRequest,
  response: InitProducerIdResponse,
  async handle(request, { apiVersion }, { producerIds, transactions, logger }) {
    const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request
    if ((producerId === NO_ID) !== (producerEpoch === NO_ID)) return failure(errors.INVALID_REQUEST.code)
    if (transactionalId !== null) {
      const expected = producerId === NO_ID ? undefined : { producerId, producerEpoch }
      const response = await transactions.initProducerId(transactionalId, transactionTimeoutMs, expected)
      const isHidden = apiVersion < PRODUCER_FENCED_FROM && response.errorCode === errors.PRODUCER_FENCED.code
      return isHidden ? failure(errors.INVALID_PRODUCER_EPOCH.code) : response
    }
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
