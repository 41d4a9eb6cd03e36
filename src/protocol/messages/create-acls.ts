import { array, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const CreateAclsRequest = message('CreateAclsRequest', 30, '0-3', '2+', {
  creations: array({
    resourceType: int8,
    resourceName: string,
    resourcePatternType: int8.in('1+').or(3),
    principal: string,
    host: string,
    operation: int8,
    permissionType: int8,
  }),
})
export type CreateAclsRequest = MessageOf<typeof CreateAclsRequest>
export type CreateAclsRequestInput = InputOf<typeof CreateAclsRequest>

export const CreateAclsResponse = message('CreateAclsResponse', 30, '0-3', '2+', {
  throttleTimeMs: int32,
  results: array({
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
  }),
})
export type CreateAclsResponse = MessageOf<typeof CreateAclsResponse>
export type CreateAclsResponseInput = InputOf<typeof CreateAclsResponse>
