import { array, bool, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const IncrementalAlterConfigsRequest = message('IncrementalAlterConfigsRequest', 44, '0-1', '1+', {
  resources: array({
    resourceType: int8,
    resourceName: string,
    configs: array({
      name: string,
      configOperation: int8,
      value: string.nullableIn('0+'),
    }),
  }),
  validateOnly: bool,
})
export type IncrementalAlterConfigsRequest = MessageOf<typeof IncrementalAlterConfigsRequest>
export type IncrementalAlterConfigsRequestInput = InputOf<typeof IncrementalAlterConfigsRequest>

export const IncrementalAlterConfigsResponse = message('IncrementalAlterConfigsResponse', 44, '0-1', '1+', {
  throttleTimeMs: int32,
  responses: array({
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
    resourceType: int8,
    resourceName: string,
  }),
})
export type IncrementalAlterConfigsResponse = MessageOf<typeof IncrementalAlterConfigsResponse>
export type IncrementalAlterConfigsResponseInput = InputOf<typeof IncrementalAlterConfigsResponse>
