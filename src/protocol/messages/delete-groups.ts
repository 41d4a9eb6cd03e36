import { array, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const DeleteGroupsRequest = message('DeleteGroupsRequest', 42, '0-2', '2+', {
  groupsNames: array(string),
})
export type DeleteGroupsRequest = MessageOf<typeof DeleteGroupsRequest>
export type DeleteGroupsRequestInput = InputOf<typeof DeleteGroupsRequest>

export const DeleteGroupsResponse = message('DeleteGroupsResponse', 42, '0-2', '2+', {
  throttleTimeMs: int32,
  results: array({
    groupId: string,
    errorCode: int16,
  }),
})
export type DeleteGroupsResponse = MessageOf<typeof DeleteGroupsResponse>
export type DeleteGroupsResponseInput = InputOf<typeof DeleteGroupsResponse>
