import { array, bool, float64, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const DescribeClientQuotasRequest = message('DescribeClientQuotasRequest', 48, '0-1', '1+', {
  components: array({
    entityType: string,
    matchType: int8,
    match: string.nullableIn('0+'),
  }),
  strict: bool,
})
export type DescribeClientQuotasRequest = MessageOf<typeof DescribeClientQuotasRequest>
export type DescribeClientQuotasRequestInput = InputOf<typeof DescribeClientQuotasRequest>

export const DescribeClientQuotasResponse = message('DescribeClientQuotasResponse', 48, '0-1', '1+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
  entries: array({
    entity: array({
      entityType: string,
      entityName: string.nullableIn('0+'),
    }),
    values: array({
      key: string,
      value: float64,
    }),
  }).nullableIn('0+'),
})
export type DescribeClientQuotasResponse = MessageOf<typeof DescribeClientQuotasResponse>
export type DescribeClientQuotasResponseInput = InputOf<typeof DescribeClientQuotasResponse>
