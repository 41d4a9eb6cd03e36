import { array, bool, float64, type InputOf, type MessageOf, message, string } from '../schema.ts'

export const ClientQuotaRecord = message('ClientQuotaRecord', 14, '0', '0+', {
  entity: array({
    entityType: string,
    entityName: string.nullableIn('0+'),
  }),
  key: string,
  value: float64,
  remove: bool,
})
export type ClientQuotaRecord = MessageOf<typeof ClientQuotaRecord>
export type ClientQuotaRecordInput = InputOf<typeof ClientQuotaRecord>
