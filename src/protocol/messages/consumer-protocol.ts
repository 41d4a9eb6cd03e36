import { array, bytes, type InputOf, int32, type MessageOf, message, string } from '../schema.ts'

export const ConsumerProtocolSubscription = message('ConsumerProtocolSubscription', -1, '0-3', 'none', {
  topics: array(string),
  userData: bytes.nullableIn('0+', null),
  ownedPartitions: array({
    topic: string,
    partitions: array(int32),
  })
    .in('1+')
    .ignorable(),
  generationId: int32.in('2+').or(-1).ignorable(),
  rackId: string.in('3+').nullableIn('3+', null).ignorable(),
})
export type ConsumerProtocolSubscription = MessageOf<typeof ConsumerProtocolSubscription>
export type ConsumerProtocolSubscriptionInput = InputOf<typeof ConsumerProtocolSubscription>

export const ConsumerProtocolAssignment = message('ConsumerProtocolAssignment', -1, '0-3', 'none', {
  assignedPartitions: array({
    topic: string,
    partitions: array(int32),
  }),
  userData: bytes.nullableIn('0+', null),
})
export type ConsumerProtocolAssignment = MessageOf<typeof ConsumerProtocolAssignment>
export type ConsumerProtocolAssignmentInput = InputOf<typeof ConsumerProtocolAssignment>
