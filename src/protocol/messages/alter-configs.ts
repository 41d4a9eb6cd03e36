import { array, bool, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const AlterConfigsRequest = message('AlterConfigsRequest', 33, '0-2', '2+', {
  resources: array({
    resourceType: int8,
    resourceName: string,
    configs: array({
      name: string,
      value: string.nullableIn('0+'),
    }),
  }),
  validateOnly: bool,
})
export type AlterConfigsRequest = MessageOf<typeof AlterConfigsRequest>
export type AlterConfigsRequestInput = InputOf<typeof AlterConfigsRequest>

export const AlterConfigsResponse = message('AlterConfigsResponse', 33, '0-2', '2+', {
  throttleTimeMs: int32,
  responses: array({
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
    resourceType: int8,
    resourceName: string,
  }),
})
export type AlterConfigsResponse = MessageOf<typeof AlterConfigsResponse>
export type AlterConfigsResponseInput = InputOf<typeof AlterConfigsResponse>
