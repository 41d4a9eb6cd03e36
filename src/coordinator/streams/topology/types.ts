import type { StreamsGroupTopologyValue } from '../../../protocol/coordinator-records/streams-group-topology.ts'

/** What a Streams application is made of, as the record keeps it; the one of a heartbeat request has the same shape. */
export type StreamsTopology = StreamsGroupTopologyValue

export type Subtopology = StreamsTopology['subtopologies'][number]

export type TopicInfo = Subtopology['repartitionSourceTopics'][number]

/** The topics that there are; `GroupMetadataView` is one. */
export interface TopicView {
  byName(name: string): { readonly partitions: { readonly size: number } } | undefined
}

/** A topic that the application needs for itself: repartitioned records, or the changes of a store. */
export interface InternalTopic {
  readonly name: string
  readonly partitionCount: number
  /** null: what the broker does by default. */
  readonly replicationFactor: number | null
  readonly configs: ReadonlyMap<string, string>
}

export interface ConfiguredSubtopology {
  readonly id: string
  /** At least 1; tasks are numbered from 0. */
  readonly taskCount: number
  /** It has stores, so that standby tasks make sense. */
  readonly isStateful: boolean
  readonly sourceTopics: ReadonlySet<string>
  readonly repartitionSinkTopics: ReadonlySet<string>
  /** By name. */
  readonly repartitionSourceTopics: ReadonlyMap<string, InternalTopic>
  /** By name. */
  readonly stateChangelogTopics: ReadonlyMap<string, InternalTopic>
}

/** What the members are told in `status` of a heartbeat's response. */
export interface TopologyProblem {
  readonly statusCode: number
  readonly statusDetail: string
}

/** A topology with the numbers that follow from the topics that there are. */
export interface ConfiguredTopology {
  readonly epoch: number
  /** By id, sorted; empty where the numbers could not be found. */
  readonly subtopologies: ReadonlyMap<string, ConfiguredSubtopology>
  /** In the order in which Apache Kafka lists them. */
  readonly internalTopicsToCreate: readonly InternalTopic[]
  /** null: tasks can be assigned. */
  readonly problem: TopologyProblem | null
}
