import { array, type InputOf, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const ConsumerGroupTargetAssignmentMemberKey = message(
  'ConsumerGroupTargetAssignmentMemberKey',
  7,
  '0',
  'none',
  {
    groupId: string,
    memberId: string,
  },
)
export type ConsumerGroupTargetAssignmentMemberKey = MessageOf<typeof ConsumerGroupTargetAssignmentMemberKey>
export type ConsumerGroupTargetAssignmentMemberKeyInput = InputOf<typeof ConsumerGroupTargetAssignmentMemberKey>

export const ConsumerGroupTargetAssignmentMemberValue = message(
  'ConsumerGroupTargetAssignmentMemberValue',
  7,
  '0',
  '0+',
  {
    topicPartitions: array({
      topicId: uuid,
      partitions: array(int32),
    }),
  },
)
export type ConsumerGroupTargetAssignmentMemberValue = MessageOf<typeof ConsumerGroupTargetAssignmentMemberValue>
export type ConsumerGroupTargetAssignmentMemberValueInput = InputOf<typeof ConsumerGroupTargetAssignmentMemberValue>
