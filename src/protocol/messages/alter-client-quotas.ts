import { array, bool, float64, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const AlterClientQuotasRequest = message('AlterClientQuotasRequest', 49, '0-1', '1+', {
  entries: array({
    entity: array({
      entityType: string,
      entityName: string.nullableIn('0+'),
    }),
    ops: array({
      key: string,
      value: float64,
      remove: bool,
    }),
  }),
  validateOnly: bool,
})
export type AlterClientQuotasRequest = MessageOf<typeof AlterClientQuotasRequest>
export type AlterClientQuotasRequestInput = InputOf<typeof AlterClientQuotasRequest>

export const AlterClientQuotasResponse = message('AlterClientQuotasResponse', 49, '0-1', '1+', {
  throttleTimeMs: int32,
  entries: array({
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
    entity: array({
      entityType: string,
      entityName: string.nullableIn('0+'),
    }),
  }),
})
export type AlterClientQuotasResponse = MessageOf<typeof AlterClientQuotasResponse>
export type AlterClientQuotasResponseInput = InputOf<typeof AlterClientQuotasResponse>
