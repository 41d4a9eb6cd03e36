import { array, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const DescribeAclsRequest = message('DescribeAclsRequest', 29, '0-3', '2+', {
  resourceTypeFilter: int8,
  resourceNameFilter: string.nullableIn('0+'),
  patternTypeFilter: int8.in('1+').or(3),
  principalFilter: string.nullableIn('0+'),
  hostFilter: string.nullableIn('0+'),
  operation: int8,
  permissionType: int8,
})
export type DescribeAclsRequest = MessageOf<typeof DescribeAclsRequest>
export type DescribeAclsRequestInput = InputOf<typeof DescribeAclsRequest>

export const DescribeAclsResponse = message('DescribeAclsResponse', 29, '0-3', '2+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+'),
  resources: array({
    resourceType: int8,
    resourceName: string,
    patternType: int8.in('1+').or(3),
    acls: array({
      principal: string,
      host: string,
      operation: int8,
      permissionType: int8,
    }),
  }),
})
export type DescribeAclsResponse = MessageOf<typeof DescribeAclsResponse>
export type DescribeAclsResponseInput = InputOf<typeof DescribeAclsResponse>
