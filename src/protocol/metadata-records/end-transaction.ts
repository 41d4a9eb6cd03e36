import { type InputOf, type MessageOf, message } from '../schema.ts'

export const EndTransactionRecord = message('EndTransactionRecord', 24, '0', '0+', {})
export type EndTransactionRecord = MessageOf<typeof EndTransactionRecord>
export type EndTransactionRecordInput = InputOf<typeof EndTransactionRecord>
