import {
  array,
  bool,
  type InputOf,
  int8,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  string,
  struct,
  uint16,
} from '../schema.ts'

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

export const StreamsGroupHeartbeatRequest = message('StreamsGroupHeartbeatRequest', 88, '0', '0+', {
  groupId: string,
  memberId: string,
  memberEpoch: int32,
  endpointInformationEpoch: int32,
  instanceId: string.nullableIn('0+', null),
  rackId: string.nullableIn('0+', null),
  rebalanceTimeoutMs: int32.or(-1),
  topology: struct({
    epoch: int32,
    subtopologies: array({
      subtopologyId: string,
      sourceTopics: array(string),
      sourceTopicRegex: array(string),
      stateChangelogTopics: array(TopicInfo),
      repartitionSinkTopics: array(string),
      repartitionSourceTopics: array(TopicInfo),
      copartitionGroups: array({
        sourceTopics: array(int16),
        sourceTopicRegex: array(int16),
        repartitionSourceTopics: array(int16),
      }),
    }),
  }).nullableIn('0+', null),
  activeTasks: array(TaskIds).nullableIn('0+', null),
  standbyTasks: array(TaskIds).nullableIn('0+', null),
  warmupTasks: array(TaskIds).nullableIn('0+', null),
  processId: string.nullableIn('0+', null),
  userEndpoint: Endpoint.nullableIn('0+', null),
  clientTags: array(KeyValue).nullableIn('0+', null),
  taskOffsets: array(TaskOffset).nullableIn('0+', null),
  taskEndOffsets: array(TaskOffset).nullableIn('0+', null),
  shutdownApplication: bool,
})
export type StreamsGroupHeartbeatRequest = MessageOf<typeof StreamsGroupHeartbeatRequest>
export type StreamsGroupHeartbeatRequestInput = InputOf<typeof StreamsGroupHeartbeatRequest>

const Status = struct({
  statusCode: int8,
  statusDetail: string,
})

const TopicPartition = struct({
  topic: string,
  partitions: array(int32),
})

export const StreamsGroupHeartbeatResponse = message('StreamsGroupHeartbeatResponse', 88, '0', '0+', {
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: string.nullableIn('0+', null),
  memberId: string,
  memberEpoch: int32,
  heartbeatIntervalMs: int32,
  acceptableRecoveryLag: int32,
  taskOffsetIntervalMs: int32,
  status: array(Status).nullableIn('0+'),
  activeTasks: array(TaskIds).nullableIn('0+', null),
  standbyTasks: array(TaskIds).nullableIn('0+', null),
  warmupTasks: array(TaskIds).nullableIn('0+', null),
  endpointInformationEpoch: int32,
  partitionsByUserEndpoint: array({
    userEndpoint: Endpoint,
    activePartitions: array(TopicPartition),
    standbyPartitions: array(TopicPartition),
  }).nullableIn('0+', null),
})
export type StreamsGroupHeartbeatResponse = MessageOf<typeof StreamsGroupHeartbeatResponse>
export type StreamsGroupHeartbeatResponseInput = InputOf<typeof StreamsGroupHeartbeatResponse>
