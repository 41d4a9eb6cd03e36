import { array, type InputOf, int32, type MessageOf, message, string, uuid } from '../schema.ts'

export const ShareGroupTargetAssignmentMemberKey = message('ShareGroupTargetAssignmentMemberKey', 13, '0', 'none', {
  groupId: string,
  memberId: string,
})
export type ShareGroupTargetAssignmentMemberKey = MessageOf<typeof ShareGroupTargetAssignmentMemberKey>
export type ShareGroupTargetAssignmentMemberKeyInput = InputOf<typeof ShareGroupTargetAssignmentMemberKey>

export const ShareGroupTargetAssignmentMemberValue = message('ShareGroupTargetAssignmentMemberValue', 13, '0', '0+', {
  topicPartitions: array({
    topicId: uuid,
    partitions: array(int32),
  }),
})
export type ShareGroupTargetAssignmentMemberValue = MessageOf<typeof ShareGroupTargetAssignmentMemberValue>
export type ShareGroupTargetAssignmentMemberValueInput = InputOf<typeof ShareGroupTargetAssignmentMemberValue>
