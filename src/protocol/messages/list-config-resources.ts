import { array, type InputOf, int8, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const ListConfigResourcesRequest = message('ListConfigResourcesRequest', 74, '0-1', '0+', {
  resourceTypes: array(int8).in('1+'),
})
export type ListConfigResourcesRequest = MessageOf<typeof ListConfigResourcesRequest>
export type ListConfigResourcesRequestInput = InputOf<typeof ListConfigResourcesRequest>

export const ListConfigResourcesResponse = message('ListConfigResourcesResponse', 74, '0-1', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  configResources: array({
    resourceName: string,
    resourceType: int8.in('1+').or(16).ignorable(),
  }),
})
export type ListConfigResourcesResponse = MessageOf<typeof ListConfigResourcesResponse>
export type ListConfigResourcesResponseInput = InputOf<typeof ListConfigResourcesResponse>
