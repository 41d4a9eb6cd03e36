import { type InputOf, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const LegacyOffsetCommitKey = message('LegacyOffsetCommitKey', 0, '0', 'none', {
  group: string,
  topic: string,
  partition: int32,
})
export type LegacyOffsetCommitKey = MessageOf<typeof LegacyOffsetCommitKey>
export type LegacyOffsetCommitKeyInput = InputOf<typeof LegacyOffsetCommitKey>

export const LegacyOffsetCommitValue = message('LegacyOffsetCommitValue', 0, '0', 'none', {
  offset: int64,
  metadata: string,
  commitTimestamp: int64,
})
export type LegacyOffsetCommitValue = MessageOf<typeof LegacyOffsetCommitValue>
export type LegacyOffsetCommitValueInput = InputOf<typeof LegacyOffsetCommitValue>
