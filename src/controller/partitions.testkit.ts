import { ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION } from '../metadata/features.ts'
import { MetadataImage } from '../metadata/image.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { partitionRecord } from '../metadata/snapshot-records.ts'
import { type BrokerImage, ConfigResourceType, type PartitionImage } from '../metadata/types.ts'
import { silentLogger } from '../platform/logger.ts'
import { ControllerWorld } from './controller.testkit.ts'
import { firstState } from './placement.ts'
import type { DecisionContext } from './result.ts'

export const TOPIC_ID = 'T8ieC9GbRMy7po1nB9IrzQ'

/** The id of the only log directory of a broker. */
export function directoryOf(brokerId: number): string {
  return `D${brokerId}ieC9GbRMy7po1nB9IrzQ`.slice(0, 22)
}

export interface TestCluster {
  /** Those there are [1, 2 and 3, living]. */
  readonly brokers?: readonly (Partial<BrokerImage> & { readonly id: number })[]
  /** The partitions of topic `t`, from 0 on [one, of brokers 1, 2 and 3, all in sync, led by 1]. */
  readonly partitions?: readonly Partial<PartitionImage>[]
  /** min.insync.replicas of the cluster [1]. */
  readonly minIsr?: number
  readonly topicConfigs?: Readonly<Record<string, string>>
  /** metadata.version [30] */
  readonly level?: number
  /** eligible.leader.replicas.version [1] */
  readonly elr?: number
}

/** What decisions are made from, with broker epochs of 100 times the id. */
export function clusterOf(cluster: TestCluster = {}): DecisionContext {
  const head = new MetadataImage()
  const { brokers = [{ id: 1 }, { id: 2 }, { id: 3 }], partitions = [{}], minIsr = 1, topicConfigs = {} } = cluster
  const { level = 30, elr = 1 } = cluster
  const features = [
    [METADATA_VERSION, level],
    [ELIGIBLE_LEADER_REPLICAS, elr],
  ] as const
  for (const [name, featureLevel] of features) {
    head.replay(metadataRecord('FeatureLevel', { name, featureLevel }))
  }
  head.configs.set(ConfigResourceType.broker, '', 'min.insync.replicas', String(minIsr))
  for (const broker of brokers) head.replay(registration(broker))
  head.replay(metadataRecord('Topic', { name: 't', topicId: TOPIC_ID }))
  for (const [name, value] of Object.entries(topicConfigs)) head.configs.set(ConfigResourceType.topic, 't', name, value)
  for (const [index, given] of partitions.entries()) {
    const replicas = given.replicas ?? [1, 2, 3]
    const placed = { replicas, isr: given.isr?.length ? given.isr : replicas, directories: replicas.map(directoryOf) }
    head.replay(partitionRecord({ ...firstState(TOPIC_ID, index, placed), ...given }, 2))
  }
  const { config, platform } = new ControllerWorld()
  return { head, config, nodeId: 1, random: platform.random, logger: silentLogger }
}

function registration(broker: Partial<BrokerImage> & { readonly id: number }): MetadataRecord {
  return metadataRecord('RegisterBroker', {
    brokerId: broker.id,
    isMigratingZkBroker: false,
    incarnationId: TOPIC_ID,
    brokerEpoch: broker.epoch ?? broker.id * 100,
    endPoints: [],
    features: [],
    rack: broker.rack ?? null,
    fenced: broker.fenced ?? false,
    inControlledShutdown: broker.inControlledShutdown ?? false,
    logDirs: [...(broker.directories ?? [directoryOf(broker.id)])],
    cordonedLogDirs: broker.cordonedDirectories === undefined ? null : [...(broker.cordonedDirectories ?? [])],
  })
}

/** Makes the records come true, and answers the partition `t`-`index`. */
export function apply(
  { head }: DecisionContext,
  records: readonly (MetadataRecord | undefined)[],
  index = 0,
): PartitionImage {
  for (const record of records) if (record !== undefined) head.replay(record)
  return head.topics.partition('t', index)!
}
