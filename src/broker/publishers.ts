import type { BrokerConfig } from '../config/broker-config.ts'
import { ConfigError } from '../config/config-error.ts'
import { resolveTopicConfig, type TopicConfig } from '../config/topic-config.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { ConfigResourceType, type MetadataDelta, type MetadataPublisher, type TopicImage } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { PartitionState } from '../replication/partition.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'

/** Whether the change concerns the dynamic settings of this broker, its own or those of all brokers. */
function changesBroker(delta: MetadataDelta, nodeId: number): boolean {
  return delta.configsChanged.some(
    ({ type, name }) => type === ConfigResourceType.broker && (name === '' || name === String(nodeId)),
  )
}

/** Gives the broker's dynamic settings to its configuration. Must hear of a change before those who read settings. */
export class ConfigPublisher implements MetadataPublisher {
  readonly #config: BrokerConfig
  readonly #image: MetadataImage
  readonly #logger: Logger

  constructor(config: BrokerConfig, image: MetadataImage, logger: Logger) {
    this.#config = config
    this.#image = image
    this.#logger = logger
  }

  onMetadataChange(delta: MetadataDelta): void {
    const { nodeId } = this.#config
    if (!delta.isInitial && !changesBroker(delta, nodeId)) return
    const { configs } = this.#image
    const { ignored } = this.#config.applyDynamic(
      configs.of(ConfigResourceType.broker, ''),
      configs.of(ConfigResourceType.broker, String(nodeId)),
    )
    for (const { name, reason } of ignored) this.#logger.warn(`Dynamic setting ${name} is not applied: ${reason}`)
  }
}

/** The settings in force of a topic; the broker's own where those of the topic cannot be read. */
export function topicConfigOf(topic: string, config: BrokerConfig, image: MetadataImage, logger: Logger): TopicConfig {
  try {
    return resolveTopicConfig(image.configs.of(ConfigResourceType.topic, topic), config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    logger.error(`The settings of topic ${topic} cannot be applied: ${error.message}`)
    return resolveTopicConfig(new Map(), config)
  }
}

/** Keeps the replicas of this broker as the metadata says. */
export class ReplicaPublisher implements MetadataPublisher {
  /** Coordinators and others look for the replicas. */
  readonly isAwaited = true
  readonly #replicas: ReplicaManager
  readonly #image: MetadataImage

  constructor(replicas: ReplicaManager, image: MetadataImage) {
    this.#replicas = replicas
    this.#image = image
  }

  onMetadataChange(delta: MetadataDelta): void | Promise<void> {
    const removed: PartitionState[] = []
    for (const topic of delta.topicsDeleted.values()) addStates(topic, topic.partitions.keys(), removed)
    const changed: PartitionState[] = []
    for (const [topicId, partitions] of delta.partitionsChanged) {
      const topic = this.#image.topics.byId(topicId)
      if (topic !== undefined) addStates(topic, partitions, changed, delta.isInitial)
    }
    if (!delta.isInitial) this.#applyConfigs(delta)
    const applied = this.#replicas.apply(changed, removed)
    if (delta.isInitial) return this.#begin(applied)
    if (delta.brokersChanged.size > 0) this.#replicas.brokersChanged(delta.brokersChanged)
    return applied
  }

  async #begin(applied: void | Promise<void>): Promise<void> {
    await applied
    this.#replicas.setStraysAside()
  }

  #applyConfigs(delta: MetadataDelta): void {
    if (changesBroker(delta, this.#replicas.nodeId)) {
      this.#replicas.configChanged(undefined)
      return
    }
    for (const { type, name } of delta.configsChanged) {
      if (type === ConfigResourceType.topic) this.#replicas.configChanged(name)
    }
  }
}

function addStates(topic: TopicImage, partitions: Iterable<number>, into: PartitionState[], hadLog = false): void {
  for (const number of partitions) {
    const image = topic.partitions.get(number)
    if (image === undefined) continue
    into.push({
      topic: topic.name,
      topicId: topic.id,
      partition: number,
      leader: image.leader,
      leaderEpoch: image.leaderEpoch,
      partitionEpoch: image.partitionEpoch,
      replicas: image.replicas,
      isr: image.isr,
      leaderRecoveryState: image.leaderRecoveryState,
      addingReplicas: image.addingReplicas,
      removingReplicas: image.removingReplicas,
      hadLog,
    })
  }
}
