import { array, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const LeaveGroupRequest = message('LeaveGroupRequest', 13, '0-5', '4+', {
  groupId: string,
  memberId: string.in('0-2'),
  members: array({
    memberId: string,
    groupInstanceId: string.nullableIn('3+', null),
    reason: string.in('5+').nullableIn('5+', null).ignorable(),
  }).in('3+'),
})
export type LeaveGroupRequest = MessageOf<typeof LeaveGroupRequest>
export type LeaveGroupRequestInput = InputOf<typeof LeaveGroupRequest>

export const LeaveGroupResponse = message('LeaveGroupResponse', 13, '0-5', '4+', {
  throttleTimeMs: int32.in('1+').ignorable(),
  errorCode: int16,
  members: array({
    memberId: string,
    groupInstanceId: string.nullableIn('3+'),
    errorCode: int16,
  }).in('3+'),
})
export type LeaveGroupResponse = MessageOf<typeof LeaveGroupResponse>
export type LeaveGroupResponseInput = InputOf<typeof LeaveGroupResponse>
