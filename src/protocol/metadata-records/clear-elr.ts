import { type InputOf, type MessageOf, message, string } from '../schema.ts'

export const ClearElrRecord = message('ClearElrRecord', 28, '0', '0+', {
  topicName: string,
})
export type ClearElrRecord = MessageOf<typeof ClearElrRecord>
export type ClearElrRecordInput = InputOf<typeof ClearElrRecord>
