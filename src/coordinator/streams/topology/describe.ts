import type { StreamsGroupDescribeResponse } from '../../../protocol/messages/streams-group-describe.ts'
import type { ConfiguredTopology, InternalTopic, StreamsTopology, TopicInfo } from './types.ts'

type DescribedTopology = NonNullable<StreamsGroupDescribeResponse['groups'][number]['topology']>

/** As StreamsGroupDescribe tells it: with the numbers that have been found, once the topology is ready. */
export function describeTopology(topology: StreamsTopology, configured: ConfiguredTopology | null): DescribedTopology {
  const ready = configured?.problem === null ? configured.subtopologies : undefined
  const byId = [...topology.subtopologies].sort((a, b) => compare(a.subtopologyId, b.subtopologyId))
  return {
    epoch: topology.epoch,
    subtopologies: byId.map((subtopology) => {
      const { subtopologyId, sourceTopics, repartitionSinkTopics } = subtopology
      const found = ready?.get(subtopologyId)
      return {
        subtopologyId,
        sourceTopics: [...(found?.sourceTopics ?? sourceTopics)].sort(),
        repartitionSinkTopics: [...(found?.repartitionSinkTopics ?? repartitionSinkTopics)].sort(),
        stateChangelogTopics: describeTopics(subtopology.stateChangelogTopics, found?.stateChangelogTopics),
        repartitionSourceTopics: describeTopics(subtopology.repartitionSourceTopics, found?.repartitionSourceTopics),
      }
    }),
  }
}

function describeTopics(
  infos: readonly TopicInfo[],
  found: ReadonlyMap<string, InternalTopic> | undefined,
): TopicInfo[] {
  const topics = found === undefined ? [...infos] : Array.from(found.values(), infoOf)
  return topics.sort((a, b) => compare(a.name, b.name))
}

function infoOf({ name, partitionCount, replicationFactor, configs }: InternalTopic): TopicInfo {
  const topicConfigs = Array.from(configs, ([key, value]) => ({ key, value }))
  return { name, partitions: partitionCount, replicationFactor: replicationFactor ?? 0, topicConfigs }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
