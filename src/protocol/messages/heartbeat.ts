import { type InputOf, int16, int32, type MessageOf, message, string } from '../schema.ts'

export const HeartbeatRequest = message('HeartbeatRequest', 12, '0-4', '4+', {
  groupId: string,
  generationId: int32,
  memberId: string,
  groupInstanceId: string.in('3+').nullableIn('3+', null),
})
export type HeartbeatRequest = MessageOf<typeof HeartbeatRequest>
export type HeartbeatRequestInput = InputOf<typeof HeartbeatRequest>

export const HeartbeatResponse = message('HeartbeatResponse', 12, '0-4', '4+', {
  throttleTimeMs: int32.in('1+').ignorable(),
  errorCode: int16,
})
export type HeartbeatResponse = MessageOf<typeof HeartbeatResponse>
export type HeartbeatResponseInput = InputOf<typeof HeartbeatResponse>
