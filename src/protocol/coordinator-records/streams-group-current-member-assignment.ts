import { array, type InputOf, int8, int32, type MessageOf, message, string, struct } from '../schema.ts'

export const StreamsGroupCurrentMemberAssignmentKey = message(
  'StreamsGroupCurrentMemberAssignmentKey',
  22,
  '0',
  'none',
  {
    groupId: string,
    memberId: string,
  },
)
export type StreamsGroupCurrentMemberAssignmentKey = MessageOf<typeof StreamsGroupCurrentMemberAssignmentKey>
export type StreamsGroupCurrentMemberAssignmentKeyInput = InputOf<typeof StreamsGroupCurrentMemberAssignmentKey>

const TaskIds = struct({
  subtopologyId: string,
  partitions: array(int32),
  assignmentEpochs: array(int32).nullableIn('0+').taggedAs(0),
})

export const StreamsGroupCurrentMemberAssignmentValue = message(
  'StreamsGroupCurrentMemberAssignmentValue',
  22,
  '0',
  '0+',
  {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    activeTasks: array(TaskIds),
    standbyTasks: array(TaskIds),
    warmupTasks: array(TaskIds),
    activeTasksPendingRevocation: array(TaskIds),
    standbyTasksPendingRevocation: array(TaskIds),
    warmupTasksPendingRevocation: array(TaskIds),
  },
)
export type StreamsGroupCurrentMemberAssignmentValue = MessageOf<typeof StreamsGroupCurrentMemberAssignmentValue>
export type StreamsGroupCurrentMemberAssignmentValueInput = InputOf<typeof StreamsGroupCurrentMemberAssignmentValue>
