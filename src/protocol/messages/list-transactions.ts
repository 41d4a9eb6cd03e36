import { array, type InputOf, int16, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const ListTransactionsRequest = message('ListTransactionsRequest', 66, '0-2', '0+', {
  stateFilters: array(string),
  producerIdFilters: array(int64),
  durationFilter: int64.in('1+').or(-1),
  transactionalIdPattern: string.in('2+').nullableIn('2+', null),
})
export type ListTransactionsRequest = MessageOf<typeof ListTransactionsRequest>
export type ListTransactionsRequestInput = InputOf<typeof ListTransactionsRequest>

export const ListTransactionsResponse = message('ListTransactionsResponse', 66, '0-2', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  unknownStateFilters: array(string),
  transactionStates: array({
    transactionalId: string,
    producerId: int64,
    transactionState: string,
  }),
})
export type ListTransactionsResponse = MessageOf<typeof ListTransactionsResponse>
export type ListTransactionsResponseInput = InputOf<typeof ListTransactionsResponse>
