import { type InputOf, type MessageOf, message, string, uuid } from '../schema.ts'

export const TopicRecord = message('TopicRecord', 2, '0', '0+', {
  name: string,
  topicId: uuid,
})
export type TopicRecord = MessageOf<typeof TopicRecord>
export type TopicRecordInput = InputOf<typeof TopicRecord>
