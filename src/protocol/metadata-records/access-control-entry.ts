import { type InputOf, int8, type MessageOf, message, string, uuid } from '../schema.ts'

export const AccessControlEntryRecord = message('AccessControlEntryRecord', 18, '0', '0+', {
  id: uuid,
  resourceType: int8,
  resourceName: string,
  patternType: int8,
  principal: string,
  host: string,
  operation: int8,
  permissionType: int8,
})
export type AccessControlEntryRecord = MessageOf<typeof AccessControlEntryRecord>
export type AccessControlEntryRecordInput = InputOf<typeof AccessControlEntryRecord>
