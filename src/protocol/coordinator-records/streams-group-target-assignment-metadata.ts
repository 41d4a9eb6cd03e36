import { type InputOf, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const StreamsGroupTargetAssignmentMetadataKey = message(
  'StreamsGroupTargetAssignmentMetadataKey',
  20,
  '0',
  'none',
  {
    groupId: string,
  },
)
export type StreamsGroupTargetAssignmentMetadataKey = MessageOf<typeof StreamsGroupTargetAssignmentMetadataKey>
export type StreamsGroupTargetAssignmentMetadataKeyInput = InputOf<typeof StreamsGroupTargetAssignmentMetadataKey>

export const StreamsGroupTargetAssignmentMetadataValue = message(
  'StreamsGroupTargetAssignmentMetadataValue',
  20,
  '0',
  '0+',
  {
    assignmentEpoch: int32,
    assignmentTimestamp: int64.taggedAs(0),
  },
)
export type StreamsGroupTargetAssignmentMetadataValue = MessageOf<typeof StreamsGroupTargetAssignmentMetadataValue>
export type StreamsGroupTargetAssignmentMetadataValueInput = InputOf<typeof StreamsGroupTargetAssignmentMetadataValue>
