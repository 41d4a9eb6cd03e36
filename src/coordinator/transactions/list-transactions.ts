import { RE2JS, RE2JSException } from 're2js'
import { errors } from '../../protocol/errors.ts'
import type { ListTransactionsRequest } from '../../protocol/messages/list-transactions.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { stateNames, type Transaction } from './transaction.ts'

/** Whether a transaction is asked for at `nowMs`. */
export type TransactionFilter = (transaction: Transaction, nowMs: number) => boolean

/** Names in the request that are those of no state. */
export function unknownStates({ stateFilters }: ListTransactionsRequest): string[] {
  return [...new Set(stateFilters)].filter((name) => !stateNames.includes(name))
}

/**
 * All filters must let a transaction through; none is all. The pattern is matched by RE2, in time linear to the name, as
 * it comes from clients. Throws CoordinatorError INVALID_REGULAR_EXPRESSION.
 */
export function transactionFilter(request: ListTransactionsRequest): TransactionFilter {
  const { durationFilter } = request
  const states = new Set(request.stateFilters)
  const producerIds = new Set(request.producerIdFilters)
  const pattern = request.transactionalIdPattern ? compile(request.transactionalIdPattern) : undefined
  return ({ transactionalId, producerId, state, startMs }, nowMs) => {
    if (producerIds.size > 0 && !producerIds.has(producerId)) return false
    if (states.size > 0 && !states.has(stateNames[state]!)) return false
    if (durationFilter >= 0 && nowMs - startMs <= durationFilter) return false
    return pattern === undefined || pattern.matches(transactionalId)
  }
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    throw new CoordinatorError(errors.INVALID_REGULAR_EXPRESSION, error.message)
  }
}
