import { array, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const ListGroupsRequest = message('ListGroupsRequest', 16, '0-5', '3+', {
  statesFilter: array(string).in('4+'),
  typesFilter: array(string).in('5+'),
})
export type ListGroupsRequest = MessageOf<typeof ListGroupsRequest>
export type ListGroupsRequestInput = InputOf<typeof ListGroupsRequest>

export const ListGroupsResponse = message('ListGroupsResponse', 16, '0-5', '3+', {
  throttleTimeMs: int32.in('1+').ignorable(),
  errorCode: int16,
  groups: array({
    groupId: string,
    protocolType: string,
    groupState: string.in('4+').ignorable(),
    groupType: string.in('5+').ignorable(),
  }),
})
export type ListGroupsResponse = MessageOf<typeof ListGroupsResponse>
export type ListGroupsResponseInput = InputOf<typeof ListGroupsResponse>
