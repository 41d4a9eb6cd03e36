import {
  DescribeTransactionsRequest,
  DescribeTransactionsResponse,
} from '../../protocol/messages/describe-transactions.ts'
import { defineHandler } from '../types.ts'

/** DescribeTransactions (KIP-664): what is known of transactional ids. */
export const handler = defineHandler({
  request: DescribeTransactionsRequest,
  response: DescribeTransactionsResponse,
  async handle({ transactionalIds }, _, { transactions }) {
    return { transactionStates: await Promise.all(transactionalIds.map((id) => transactions.describe(id))) }
  },
  failed: ({ transactionalIds }, errorCode) => ({
    transactionStates: transactionalIds.map((transactionalId) => ({ transactionalId, errorCode })),
  }),
})
