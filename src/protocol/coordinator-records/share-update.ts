import { array, type InputOf, int8, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const ShareUpdateKey = message('ShareUpdateKey', 1, '0', 'none', {
  groupId: string,
  topicId: uuid,
  partition: int32,
})
export type ShareUpdateKey = MessageOf<typeof ShareUpdateKey>
export type ShareUpdateKeyInput = InputOf<typeof ShareUpdateKey>

export const ShareUpdateValue = message('ShareUpdateValue', 1, '0', '0+', {
  snapshotEpoch: int32,
  leaderEpoch: int32,
  startOffset: int64,
  deliveryCompleteCount: int32.taggedAs(0).or(-1),
  stateBatches: array({
    firstOffset: int64,
    lastOffset: int64,
    deliveryState: int8,
    deliveryCount: int16,
  }),
})
export type ShareUpdateValue = MessageOf<typeof ShareUpdateValue>
export type ShareUpdateValueInput = InputOf<typeof ShareUpdateValue>
