import {
  ShareSnapshotKey,
  ShareSnapshotValue,
  type ShareSnapshotValueInput,
} from '../../protocol/coordinator-records/share-snapshot.ts'
import { ShareUpdateKey, ShareUpdateValue } from '../../protocol/coordinator-records/share-update.ts'
import {
  type CoordinatorRecord,
  coordinatorRecord,
  type RecordType,
  recordType,
  tombstone,
} from '../coordinator-record.ts'
import { combineBatches, type StateBatch } from './state-batch.ts'

/** The records of __share_group_state. */
export const shareSnapshot = recordType(ShareSnapshotKey, ShareSnapshotValue)
export const shareUpdate = recordType(ShareUpdateKey, ShareUpdateValue)

export const shareRecordTypes: ReadonlyMap<number, RecordType> = new Map(
  [shareSnapshot, shareUpdate].map((type) => [type.id, type as unknown as RecordType]),
)

/** One partition of a topic as one group reads it. */
export interface SharePartitionKey {
  readonly groupId: string
  readonly topicId: string
  readonly partition: number
}

/** As FindCoordinator and the partitioner of the state topic name it. */
export function sharePartitionName({ groupId, topicId, partition }: SharePartitionKey): string {
  return `${groupId}:${topicId}:${partition}`
}

/** The durable state of a share partition. -1 as a start offset or count: not known yet. */
export interface ShareState {
  readonly key: SharePartitionKey
  readonly snapshotEpoch: number
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: number
  /** Records from the start offset on that need no delivery any more. */
  readonly deliveryCompleteCount: number
  readonly createTimestampMs: number
  readonly writeTimestampMs: number
  readonly batches: readonly StateBatch[]
  /** Updates since the last snapshot that reset it. */
  readonly updateCount: number
  /** The highest epochs that were ever written: writers with lower ones are fenced. */
  readonly highestLeaderEpoch: number
  readonly highestStateEpoch: number
  /** The record that this began with is not before this offset of its log. */
  readonly firstOffset: number
}

export const UNKNOWN_OFFSET = -1
export const UNKNOWN_EPOCH = -1
const VALUE_VERSION = 0

/** `limit`: share.coordinator.snapshot.update.records.per.snapshot; `offset`: the record's is not before it. */
export function stateFromSnapshot(
  key: SharePartitionKey,
  value: ShareSnapshotValue,
  old: ShareState | undefined,
  limit: number,
  offset: number,
): ShareState {
  const updateCount = old?.updateCount ?? 0
  return {
    key,
    snapshotEpoch: value.snapshotEpoch,
    stateEpoch: value.stateEpoch,
    leaderEpoch: value.leaderEpoch,
    startOffset: value.startOffset,
    deliveryCompleteCount: value.deliveryCompleteCount,
    createTimestampMs: value.createTimestamp,
    writeTimestampMs: value.writeTimestamp,
    batches: value.stateBatches,
    updateCount: updateCount >= limit ? 0 : updateCount,
    highestLeaderEpoch: Math.max(old?.highestLeaderEpoch ?? value.leaderEpoch, value.leaderEpoch),
    highestStateEpoch: Math.max(old?.highestStateEpoch ?? value.stateEpoch, value.stateEpoch),
    firstOffset: offset,
  }
}

/** An update without a snapshot before it stands alone. `offset`: the record's is not before it. */
export function stateFromUpdate(
  key: SharePartitionKey,
  value: ShareUpdateValue,
  old: ShareState | undefined,
  offset: number,
): ShareState {
  const startOffset = old !== undefined && value.startOffset === UNKNOWN_OFFSET ? old.startOffset : value.startOffset
  return {
    key,
    snapshotEpoch: old?.snapshotEpoch ?? value.snapshotEpoch,
    stateEpoch: old?.stateEpoch ?? 0,
    leaderEpoch: old !== undefined && value.leaderEpoch === UNKNOWN_EPOCH ? old.leaderEpoch : value.leaderEpoch,
    startOffset,
    deliveryCompleteCount: value.deliveryCompleteCount,
    createTimestampMs: old?.createTimestampMs ?? 0,
    writeTimestampMs: old?.writeTimestampMs ?? 0,
    batches: old === undefined ? value.stateBatches : combineBatches(old.batches, value.stateBatches, startOffset),
    updateCount: (old?.updateCount ?? 0) + 1,
    highestLeaderEpoch: Math.max(old?.highestLeaderEpoch ?? value.leaderEpoch, value.leaderEpoch),
    highestStateEpoch: old?.highestStateEpoch ?? 0,
    firstOffset: old?.firstOffset ?? offset,
  }
}

export function snapshotRecord(key: SharePartitionKey, value: ShareSnapshotValueInput): CoordinatorRecord {
  return coordinatorRecord(shareSnapshot, key, VALUE_VERSION, {
    deliveryCompleteCount: -1,
    stateBatches: [],
    ...value,
  } as ShareSnapshotValue)
}

export function updateRecord(key: SharePartitionKey, value: ShareUpdateValue): CoordinatorRecord {
  return coordinatorRecord(shareUpdate, key, VALUE_VERSION, value)
}

export function stateTombstone(key: SharePartitionKey): CoordinatorRecord {
  return tombstone(shareSnapshot, key)
}
