import type { StreamsTopology, Subtopology, TopicInfo, TopicView } from './types.ts'

/** A topic of the application's own; without a number of partitions unless given. */
export function internal(name: string, partitions = 0, configs: Readonly<Record<string, string>> = {}): TopicInfo {
  const topicConfigs = Object.entries(configs).map(([key, value]) => ({ key, value }))
  return { name, partitions, replicationFactor: 0, topicConfigs }
}

export function subtopology(subtopologyId: string, parts: Partial<Subtopology> = {}): Subtopology {
  return {
    subtopologyId,
    sourceTopics: [],
    sourceTopicRegex: [],
    stateChangelogTopics: [],
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    copartitionGroups: [],
    ...parts,
  }
}

export function topologyOf(...subtopologies: Subtopology[]): StreamsTopology {
  return { epoch: 3, subtopologies }
}

/** Topics with so many partitions each. */
export function topicsOf(counts: Readonly<Record<string, number>>): TopicView {
  const byName = new Map(Object.entries(counts))
  return {
    byName(name) {
      const size = byName.get(name)
      return size === undefined ? undefined : { partitions: { size } }
    },
  }
}
