import { array, bytes, type InputOf, int32, int64, type MessageOf, message, string, struct } from '../schema.ts'

export const GroupMetadataKey = message('GroupMetadataKey', 2, '0', 'none', {
  group: string,
})
export type GroupMetadataKey = MessageOf<typeof GroupMetadataKey>
export type GroupMetadataKeyInput = InputOf<typeof GroupMetadataKey>

const MemberMetadata = struct({
  memberId: string,
  groupInstanceId: string.in('3+').nullableIn('3+', null).ignorable(),
  clientId: string,
  clientHost: string,
  rebalanceTimeout: int32.in('1+').or(-1).ignorable(),
  sessionTimeout: int32,
  subscription: bytes,
  assignment: bytes,
})

export const GroupMetadataValue = message('GroupMetadataValue', 2, '0-4', '4+', {
  protocolType: string,
  generation: int32,
  protocol: string.nullableIn('0+'),
  leader: string.nullableIn('0+'),
  currentStateTimestamp: int64.in('2+').or(-1).ignorable(),
  members: array(MemberMetadata),
})
export type GroupMetadataValue = MessageOf<typeof GroupMetadataValue>
export type GroupMetadataValueInput = InputOf<typeof GroupMetadataValue>
