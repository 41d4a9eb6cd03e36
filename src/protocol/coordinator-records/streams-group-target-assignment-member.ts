import { array, type InputOf, int32, type MessageOf, message, string, struct } from '../schema.ts'

export const StreamsGroupTargetAssignmentMemberKey = message('StreamsGroupTargetAssignmentMemberKey', 21, '0', 'none', {
  groupId: string,
  memberId: string,
})
export type StreamsGroupTargetAssignmentMemberKey = MessageOf<typeof StreamsGroupTargetAssignmentMemberKey>
export type StreamsGroupTargetAssignmentMemberKeyInput = InputOf<typeof StreamsGroupTargetAssignmentMemberKey>

const TaskIds = struct({
  subtopologyId: string,
  partitions: array(int32),
})

export const StreamsGroupTargetAssignmentMemberValue = message(
  'StreamsGroupTargetAssignmentMemberValue',
  21,
  '0',
  '0+',
  {
    activeTasks: array(TaskIds),
    standbyTasks: array(TaskIds),
    warmupTasks: array(TaskIds),
  },
)
export type StreamsGroupTargetAssignmentMemberValue = MessageOf<typeof StreamsGroupTargetAssignmentMemberValue>
export type StreamsGroupTargetAssignmentMemberValueInput = InputOf<typeof StreamsGroupTargetAssignmentMemberValue>
