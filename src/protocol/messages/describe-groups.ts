import { array, bool, bytes, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const DescribeGroupsRequest = message('DescribeGroupsRequest', 15, '0-6', '5+', {
  groups: array(string),
  includeAuthorizedOperations: bool.in('3+'),
})
export type DescribeGroupsRequest = MessageOf<typeof DescribeGroupsRequest>
export type DescribeGroupsRequestInput = InputOf<typeof DescribeGroupsRequest>

export const DescribeGroupsResponse = message('DescribeGroupsResponse', 15, '0-6', '5+', {
  throttleTimeMs: int32.in('1+').ignorable(),
  groups: array({
    errorCode: int16,
    errorMessage: string.in('6+').nullableIn('6+', null),
    groupId: string,
    groupState: string,
    protocolType: string,
    protocolData: string,
    members: array({
      memberId: string,
      groupInstanceId: string.in('4+').nullableIn('4+', null).ignorable(),
      clientId: string,
      clientHost: string,
      memberMetadata: bytes,
      memberAssignment: bytes,
    }),
    authorizedOperations: int32.in('3+').or(-2147483648),
  }),
})
export type DescribeGroupsResponse = MessageOf<typeof DescribeGroupsResponse>
export type DescribeGroupsResponseInput = InputOf<typeof DescribeGroupsResponse>
