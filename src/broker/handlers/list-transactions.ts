import { protocolErrorOf } from '../../coordinator/coordinator-error.ts'
import { transactionFilter, unknownStates } from '../../coordinator/transactions/list-transactions.ts'
import { ListTransactionsRequest, ListTransactionsResponse } from '../../protocol/messages/list-transactions.ts'
import { defineHandler } from '../types.ts'

/** ListTransactions (KIP-664): versions 1+ filter by duration (KIP-994), 2+ by a pattern of names (KIP-1152). */
export const handler = defineHandler({
  request: ListTransactionsRequest,
  response: ListTransactionsResponse,
  async handle(request, _, { transactions }) {
    try {
      const listed = await transactions.list(transactionFilter(request))
      return { ...listed, unknownStateFilters: unknownStates(request) }
    } catch (error) {
      const refusal = protocolErrorOf(error)
      if (refusal === undefined) throw error
      return { errorCode: refusal.code }
    }
  },
  failed: (_, errorCode) => ({ errorCode }),
})
