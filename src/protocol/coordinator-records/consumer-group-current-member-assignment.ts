import { array, type InputOf, int8, int32, type MessageOf, message, string, struct, uuid } from '../schema.ts'

export const ConsumerGroupCurrentMemberAssignmentKey = message(
  'ConsumerGroupCurrentMemberAssignmentKey',
  8,
  '0',
  'none',
  {
    groupId: string,
    memberId: string,
  },
)
export type ConsumerGroupCurrentMemberAssignmentKey = MessageOf<typeof ConsumerGroupCurrentMemberAssignmentKey>
export type ConsumerGroupCurrentMemberAssignmentKeyInput = InputOf<typeof ConsumerGroupCurrentMemberAssignmentKey>

const TopicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
  assignmentEpochs: array(int32).nullableIn('0+').taggedAs(0),
})

export const ConsumerGroupCurrentMemberAssignmentValue = message(
  'ConsumerGroupCurrentMemberAssignmentValue',
  8,
  '0',
  '0+',
  {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    assignedPartitions: array(TopicPartitions),
    partitionsPendingRevocation: array(TopicPartitions),
  },
)
export type ConsumerGroupCurrentMemberAssignmentValue = MessageOf<typeof ConsumerGroupCurrentMemberAssignmentValue>
export type ConsumerGroupCurrentMemberAssignmentValueInput = InputOf<typeof ConsumerGroupCurrentMemberAssignmentValue>
