import { type InputOf, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const OffsetCommitKey = message('OffsetCommitKey', 1, '0', 'none', {
  group: string,
  topic: string,
  partition: int32,
})
export type OffsetCommitKey = MessageOf<typeof OffsetCommitKey>
export type OffsetCommitKeyInput = InputOf<typeof OffsetCommitKey>

export const OffsetCommitValue = message('OffsetCommitValue', 1, '0-4', '4+', {
  offset: int64,
  leaderEpoch: int32.in('3+').or(-1).ignorable(),
  metadata: string,
  commitTimestamp: int64,
  expireTimestamp: int64.in('1').or(-1).ignorable(),
  topicId: uuid.in('4+').taggedAs(0).ignorable(),
})
export type OffsetCommitValue = MessageOf<typeof OffsetCommitValue>
export type OffsetCommitValueInput = InputOf<typeof OffsetCommitValue>
