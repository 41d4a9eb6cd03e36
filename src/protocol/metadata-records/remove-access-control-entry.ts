import { type InputOf, type MessageOf, message, uuid } from '../schema.ts'

export const RemoveAccessControlEntryRecord = message('RemoveAccessControlEntryRecord', 19, '0', '0+', {
  id: uuid,
})
export type RemoveAccessControlEntryRecord = MessageOf<typeof RemoveAccessControlEntryRecord>
export type RemoveAccessControlEntryRecordInput = InputOf<typeof RemoveAccessControlEntryRecord>
