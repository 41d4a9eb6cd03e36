import { type InputOf, int32, int64, type MessageOf, message, string } from '../schema.ts'

export const ShareGroupTargetAssignmentMetadataKey = message('ShareGroupTargetAssignmentMetadataKey', 12, '0', 'none', {
  groupId: string,
})
export type ShareGroupTargetAssignmentMetadataKey = MessageOf<typeof ShareGroupTargetAssignmentMetadataKey>
export type ShareGroupTargetAssignmentMetadataKeyInput = InputOf<typeof ShareGroupTargetAssignmentMetadataKey>

export const ShareGroupTargetAssignmentMetadataValue = message(
  'ShareGroupTargetAssignmentMetadataValue',
  12,
  '0',
  '0+',
  {
    assignmentEpoch: int32,
    assignmentTimestamp: int64.taggedAs(0),
  },
)
export type ShareGroupTargetAssignmentMetadataValue = MessageOf<typeof ShareGroupTargetAssignmentMetadataValue>
export type ShareGroupTargetAssignmentMetadataValueInput = InputOf<typeof ShareGroupTargetAssignmentMetadataValue>
