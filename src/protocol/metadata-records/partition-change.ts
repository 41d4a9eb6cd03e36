import { array, type InputOf, int8, int32, type MessageOf, message, uuid } from '../schema.ts'

export const PartitionChangeRecord = message('PartitionChangeRecord', 5, '0-2', '0+', {
  partitionId: int32.or(-1),
  topicId: uuid,
  isr: array(int32).nullableIn('0+', null).taggedAs(0),
  leader: int32.taggedAs(1).or(-2),
  replicas: array(int32).nullableIn('0+', null).taggedAs(2),
  removingReplicas: array(int32).nullableIn('0+', null).taggedAs(3),
  addingReplicas: array(int32).nullableIn('0+', null).taggedAs(4),
  leaderRecoveryState: int8.taggedAs(5).or(-1),
  directories: array(uuid).in('1+').nullableIn('1+', null).taggedAs(8),
  eligibleLeaderReplicas: array(int32).in('2+').nullableIn('2+', null).taggedAs(6),
  lastKnownElr: array(int32).in('2+').nullableIn('2+', null).taggedAs(7),
})
export type PartitionChangeRecord = MessageOf<typeof PartitionChangeRecord>
export type PartitionChangeRecordInput = InputOf<typeof PartitionChangeRecord>
