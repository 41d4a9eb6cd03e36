import { array, bool, bytes, type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const JoinGroupRequest = message('JoinGroupRequest', 11, '0-9', '6+', {
  groupId: string,
  sessionTimeoutMs: int32,
  rebalanceTimeoutMs: int32.in('1+').or(-1).ignorable(),
  memberId: string,
  groupInstanceId: string.in('5+').nullableIn('5+', null),
  protocolType: string,
  protocols: array({
    name: string,
    metadata: bytes,
  }),
  reason: string.in('8+').nullableIn('8+', null).ignorable(),
})
export type JoinGroupRequest = MessageOf<typeof JoinGroupRequest>
export type JoinGroupRequestInput = InputOf<typeof JoinGroupRequest>

export const JoinGroupResponse = message('JoinGroupResponse', 11, '0-9', '6+', {
  throttleTimeMs: int32.in('2+').ignorable(),
  errorCode: int16,
  generationId: int32.or(-1),
  protocolType: string.in('7+').nullableIn('7+', null).ignorable(),
  protocolName: string.nullableIn('7+'),
  leader: string,
  skipAssignment: bool.in('9+'),
  memberId: string,
  members: array({
    memberId: string,
    groupInstanceId: string.in('5+').nullableIn('5+', null).ignorable(),
    metadata: bytes,
  }),
})
export type JoinGroupResponse = MessageOf<typeof JoinGroupResponse>
export type JoinGroupResponseInput = InputOf<typeof JoinGroupResponse>
