import { array, type InputOf, int8, int32, type MessageOf, message, string, struct, uuid } from '../schema.ts'

export const ShareGroupCurrentMemberAssignmentKey = message('ShareGroupCurrentMemberAssignmentKey', 14, '0', 'none', {
  groupId: string,
  memberId: string,
})
export type ShareGroupCurrentMemberAssignmentKey = MessageOf<typeof ShareGroupCurrentMemberAssignmentKey>
export type ShareGroupCurrentMemberAssignmentKeyInput = InputOf<typeof ShareGroupCurrentMemberAssignmentKey>

const TopicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
})

export const ShareGroupCurrentMemberAssignmentValue = message('ShareGroupCurrentMemberAssignmentValue', 14, '0', '0+', {
  memberEpoch: int32,
  previousMemberEpoch: int32,
  state: int8,
  assignedPartitions: array(TopicPartitions),
})
export type ShareGroupCurrentMemberAssignmentValue = MessageOf<typeof ShareGroupCurrentMemberAssignmentValue>
export type ShareGroupCurrentMemberAssignmentValueInput = InputOf<typeof ShareGroupCurrentMemberAssignmentValue>
