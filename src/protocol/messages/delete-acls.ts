import { array, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const DeleteAclsRequest = message('DeleteAclsRequest', 31, '0-3', '2+', {
  filters: array({
    resourceTypeFilter: int8,
    resourceNameFilter: string.nullableIn('0+'),
    patternTypeFilter: int8.in('1+').or(3),
    principalFilter: string.nullableIn('0+'),
    hostFilter: string.nullableIn('0+'),
    operation: int8,
    permissionType: int8,
  }),
})
export type DeleteAclsRequest = MessageOf<typeof DeleteAclsRequest>
export type DeleteAclsRequestInput = InputOf<typeof DeleteAclsRequest>

export const DeleteAclsResponse = message('DeleteAclsResponse', 31, '0-3', '2+', {
  throttleTimeMs: int32,
  filterResults: array({
    errorCode: int16,
    errorMessage: string.nullableIn('0+'),
    matchingAcls: array({
      errorCode: int16,
      errorMessage: string.nullableIn('0+'),
      resourceType: int8,
      resourceName: string,
      patternType: int8.in('1+').or(3),
      principal: string,
      host: string,
      operation: int8,
      permissionType: int8,
    }),
  }),
})
export type DeleteAclsResponse = MessageOf<typeof DeleteAclsResponse>
export type DeleteAclsResponseInput = InputOf<typeof DeleteAclsResponse>
