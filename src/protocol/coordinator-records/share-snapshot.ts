import { array, type InputOf, int8, int16, int32, int64, type MessageOf, message, string, uuid } from '../schema.ts'

export const ShareSnapshotKey = message('ShareSnapshotKey', 0, '0', 'none', {
  groupId: string,
  topicId: uuid,
  partition: int32,
})
export type ShareSnapshotKey = MessageOf<typeof ShareSnapshotKey>
export type ShareSnapshotKeyInput = InputOf<typeof ShareSnapshotKey>

export const ShareSnapshotValue = message('ShareSnapshotValue', 0, '0', '0+', {
  snapshotEpoch: int32,
  stateEpoch: int32,
  leaderEpoch: int32,
  startOffset: int64,
  deliveryCompleteCount: int32.taggedAs(0).or(-1),
  createTimestamp: int64,
  writeTimestamp: int64,
  stateBatches: array({
    firstOffset: int64,
    lastOffset: int64,
    deliveryState: int8,
    deliveryCount: int16,
  }),
})
export type ShareSnapshotValue = MessageOf<typeof ShareSnapshotValue>
export type ShareSnapshotValueInput = InputOf<typeof ShareSnapshotValue>
