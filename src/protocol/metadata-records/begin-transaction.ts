import { type InputOf, type MessageOf, message, string } from '../schema.ts'

export const BeginTransactionRecord = message('BeginTransactionRecord', 23, '0', '0+', {
  name: string.nullableIn('0+', null).taggedAs(0),
})
export type BeginTransactionRecord = MessageOf<typeof BeginTransactionRecord>
export type BeginTransactionRecordInput = InputOf<typeof BeginTransactionRecord>
