import { type InputOf, int8, type MessageOf, message, string } from '../schema.ts'

export const ConfigRecord = message('ConfigRecord', 4, '0', '0+', {
  resourceType: int8,
  resourceName: string,
  name: string,
  value: string.nullableIn('0+'),
})
export type ConfigRecord = MessageOf<typeof ConfigRecord>
export type ConfigRecordInput = InputOf<typeof ConfigRecord>
