import { array, bytes, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const SyncGroupRequest = message('SyncGroupRequest', 14, '0-5', '4+', {
  groupId: string,
  generationId: int32,
  memberId: string,
  groupInstanceId: string.in('3+').nullableIn('3+', null),
  protocolType: string.in('5+').nullableIn('5+', null).ignorable(),
  protocolName: string.in('5+').nullableIn('5+', null).ignorable(),
  assignments: array({
    memberId: string,
    assignment: bytes,
  }),
})
export type SyncGroupRequest = MessageOf<typeof SyncGroupRequest>
export type SyncGroupRequestInput = InputOf<typeof SyncGroupRequest>

export const SyncGroupResponse = message('SyncGroupResponse', 14, '0-5', '4+', {
  throttleTimeMs: int32.in('1+').ignorable(),
  errorCode: int16,
  protocolType: string.in('5+').nullableIn('5+', null).ignorable(),
  protocolName: string.in('5+').nullableIn('5+', null).ignorable(),
  assignment: bytes,
})
export type SyncGroupResponse = MessageOf<typeof SyncGroupResponse>
export type SyncGroupResponseInput = InputOf<typeof SyncGroupResponse>
