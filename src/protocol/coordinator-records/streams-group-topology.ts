import { array, type InputOf, int16, int32, type MessageOf, message, string, struct } from '../schema.ts'

export const StreamsGroupTopologyKey = message('StreamsGroupTopologyKey', 23, '0', 'none', {
  groupId: string,
})
export type StreamsGroupTopologyKey = MessageOf<typeof StreamsGroupTopologyKey>
export type StreamsGroupTopologyKeyInput = InputOf<typeof StreamsGroupTopologyKey>

const TopicConfig = struct({
  key: string,
  value: string,
})

const TopicInfo = struct({
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(TopicConfig),
})

export const StreamsGroupTopologyValue = message('StreamsGroupTopologyValue', 23, '0', '0+', {
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
})
export type StreamsGroupTopologyValue = MessageOf<typeof StreamsGroupTopologyValue>
export type StreamsGroupTopologyValueInput = InputOf<typeof StreamsGroupTopologyValue>
