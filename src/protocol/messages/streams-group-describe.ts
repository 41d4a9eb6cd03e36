import {
  array,
  bool,
  type InputOf,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  string,
  struct,
  uint16,
} from '../schema.ts'

export const StreamsGroupDescribeRequest = message('StreamsGroupDescribeRequest', 89, '0', '0+', {
  groupIds: array(string),
  includeAuthorizedOperations: bool,
})
export type StreamsGroupDescribeRequest = MessageOf<typeof StreamsGroupDescribeRequest>
export type StreamsGroupDescribeRequestInput = InputOf<typeof StreamsGroupDescribeRequest>

const Endpoint = struct({
  host: string,
  port: uint16,
})

const TaskOffset = struct({
  subtopologyId: string,
  partition: int32,
  offset: int64,
})

const TaskIds = struct({
  subtopologyId: string,
  partitions: array(int32),
})

const KeyValue = struct({
  key: string,
  value: string,
})

const TopicInfo = struct({
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(KeyValue),
})

const Assignment = struct({
  activeTasks: array(TaskIds),
  standbyTasks: array(TaskIds),
  warmupTasks: array(TaskIds),
})

export const StreamsGroupDescribeResponse = message('StreamsGroupDescribeResponse', 89, '0', '0+', {
  throttleTimeMs: int32,
  groups: array({
    errorCode: int16,
    errorMessage: string.nullableIn('0+', null),
    groupId: string,
    groupState: string,
    groupEpoch: int32,
    assignmentEpoch: int32,
    topology: struct({
      epoch: int32,
      subtopologies: array({
        subtopologyId: string,
        sourceTopics: array(string),
        repartitionSinkTopics: array(string),
        stateChangelogTopics: array(TopicInfo),
        repartitionSourceTopics: array(TopicInfo),
      }).nullableIn('0+', null),
    }).nullableIn('0+', null),
    members: array({
      memberId: string,
      memberEpoch: int32,
      instanceId: string.nullableIn('0+', null),
      rackId: string.nullableIn('0+', null),
      clientId: string,
      clientHost: string,
      topologyEpoch: int32,
      processId: string,
      userEndpoint: Endpoint.nullableIn('0+', null),
      clientTags: array(KeyValue),
      taskOffsets: array(TaskOffset),
      taskEndOffsets: array(TaskOffset),
      assignment: Assignment,
      targetAssignment: Assignment,
      isClassic: bool,
    }),
    authorizedOperations: int32.or(-2147483648),
  }),
})
export type StreamsGroupDescribeResponse = MessageOf<typeof StreamsGroupDescribeResponse>
export type StreamsGroupDescribeResponseInput = InputOf<typeof StreamsGroupDescribeResponse>
