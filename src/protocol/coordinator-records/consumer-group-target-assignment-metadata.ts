import { type InputOf, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const ConsumerGroupTargetAssignmentMetadataKey = message(
  'ConsumerGroupTargetAssignmentMetadataKey',
  6,
  '0',
  'none',
  {
    groupId: string,
  },
)
export type ConsumerGroupTargetAssignmentMetadataKey = MessageOf<typeof ConsumerGroupTargetAssignmentMetadataKey>
export type ConsumerGroupTargetAssignmentMetadataKeyInput = InputOf<typeof ConsumerGroupTargetAssignmentMetadataKey>

export const ConsumerGroupTargetAssignmentMetadataValue = message(
  'ConsumerGroupTargetAssignmentMetadataValue',
  6,
  '0',
  '0+',
  {
    assignmentEpoch: int32,
    assignmentTimestamp: int64.taggedAs(0),
  },
)
export type ConsumerGroupTargetAssignmentMetadataValue = MessageOf<typeof ConsumerGroupTargetAssignmentMetadataValue>
export type ConsumerGroupTargetAssignmentMetadataValueInput = InputOf<typeof ConsumerGroupTargetAssignmentMetadataValue>
