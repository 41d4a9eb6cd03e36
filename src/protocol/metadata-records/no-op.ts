import { type InputOf, type MessageOf, message } from '../schema.ts'

export const NoOpRecord = message('NoOpRecord', 20, '0', '0+', {})
export type NoOpRecord = MessageOf<typeof NoOpRecord>
export type NoOpRecordInput = InputOf<typeof NoOpRecord>
