import { type InputOf, type MessageOf, message, uuid } from '../schema.ts'

export const RemoveTopicRecord = message('RemoveTopicRecord', 9, '0', '0+', {
  topicId: uuid,
})
export type RemoveTopicRecord = MessageOf<typeof RemoveTopicRecord>
export type RemoveTopicRecordInput = InputOf<typeof RemoveTopicRecord>
