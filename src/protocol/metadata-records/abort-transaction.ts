import { type InputOf, type MessageOf, message, string } from '../schema.ts'

export const AbortTransactionRecord = message('AbortTransactionRecord', 25, '0', '0+', {
  reason: string.nullableIn('0+', null).taggedAs(0),
})
export type AbortTransactionRecord = MessageOf<typeof AbortTransactionRecord>
export type AbortTransactionRecordInput = InputOf<typeof AbortTransactionRecord>
