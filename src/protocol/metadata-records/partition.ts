import { array, type InputOf, int8, int32, type MessageOf, message, uuid } from '../schema.ts'

export const PartitionRecord = message('PartitionRecord', 3, '0-2', '0+', {
  partitionId: int32.or(-1),
  topicId: uuid,
  replicas: array(int32),
  isr: array(int32),
  removingReplicas: array(int32),
  addingReplicas: array(int32),
  leader: int32.or(-1),
  leaderRecoveryState: int8.taggedAs(0),
  leaderEpoch: int32.or(-1),
  partitionEpoch: int32.or(-1),
  directories: array(uuid).in('1+'),
  eligibleLeaderReplicas: array(int32).in('2+').nullableIn('2+', null).taggedAs(1),
  lastKnownElr: array(int32).in('2+').nullableIn('2+', null).taggedAs(2),
})
export type PartitionRecord = MessageOf<typeof PartitionRecord>
export type PartitionRecordInput = InputOf<typeof PartitionRecord>
