import { errors } from '../../protocol/errors.ts'
import { EndTxnRequest, EndTxnResponse } from '../../protocol/messages/end-txn.ts'
import { defineHandler } from '../types.ts'

/** Older clients know INVALID_PRODUCER_EPOCH only. */
const PRODUCER_FENCED_FROM = 2
/** From this version on every end has an epoch of its own (KIP-890). */
const EPOCH_BUMP_FROM = 5

/** EndTxn: commits or aborts. Answered when the decision is in the log; the markers follow. */
export const handler = defineHandler({
  request: EndTxnRequest,
  response: EndTxnResponse,
  async handle(request, { apiVersion }, { transactions }) {
    const { transactionalId, committed } = request
    const clientVersion = apiVersion >= EPOCH_BUMP_FROM ? 2 : 0
    const response = await transactions.endTransaction(transactionalId, request, committed, clientVersion)
    const isHidden = apiVersion < PRODUCER_FENCED_FROM && response.errorCode === errors.PRODUCER_FENCED.code
    return isHidden ? { ...response, errorCode: errors.INVALID_PRODUCER_EPOCH.code } : response
  },
  failed: (_, errorCode) => ({ errorCode }),
})
