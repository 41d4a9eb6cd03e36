import type { MetadataImage } from './image.ts'
import type { ConfigResource, MetadataDelta, TopicImage } from './types.ts'

/** Collects what a run of records changes. */
export class DeltaBuilder implements MetadataDelta {
  readonly isInitial: boolean
  readonly topicsCreated = new Map<string, TopicImage>()
  readonly topicsDeleted = new Map<string, TopicImage>()
  readonly partitionsChanged = new Map<string, Set<number>>()
  readonly brokersChanged = new Set<number>()
  featuresChanged = false
  clientQuotasChanged = false
  producerIdsChanged = false
  readonly #configs = new Map<string, ConfigResource>()

  constructor(isInitial: boolean) {
    this.isInitial = isInitial
  }

  get configsChanged(): readonly ConfigResource[] {
    return [...this.#configs.values()]
  }

  get isEmpty(): boolean {
    return (
      this.topicsCreated.size + this.topicsDeleted.size + this.partitionsChanged.size + this.brokersChanged.size ===
        0 &&
      this.#configs.size === 0 &&
      !(this.featuresChanged || this.clientQuotasChanged || this.producerIdsChanged)
    )
  }

  topicCreated(topic: TopicImage): void {
    this.topicsCreated.set(topic.id, topic)
  }

  topicDeleted(topic: TopicImage): void {
    this.partitionsChanged.delete(topic.id)
    if (!this.topicsCreated.delete(topic.id)) this.topicsDeleted.set(topic.id, topic)
  }

  partitionChanged(topicId: string, partition: number): void {
    const changed = this.partitionsChanged.get(topicId)
    if (changed) changed.add(partition)
    else this.partitionsChanged.set(topicId, new Set([partition]))
  }

  configChanged(type: number, name: string): void {
    this.#configs.set(`${type}:${name}`, { type, name })
  }
}

/** What a snapshot replaces, with what nobody has been told of yet. */
export interface Known {
  readonly topics: readonly TopicImage[]
  readonly configs: readonly ConfigResource[]
  readonly brokers: readonly number[]
  readonly untold: DeltaBuilder
}

/** To be called before the image is cleared. */
export function known(image: MetadataImage): Known {
  return {
    topics: [...image.topics.all()],
    configs: [...image.configs.all()].map(([resource]) => resource),
    brokers: [...image.brokers.keys()],
    untold: image.changes,
  }
}

/** What may be different in the image now: more than what is, never less. */
export function changesSince({ topics, configs, brokers, untold }: Known, image: MetadataImage): DeltaBuilder {
  const changes = new DeltaBuilder(false)
  for (const topic of [...untold.topicsDeleted.values(), ...topics]) {
    if (image.topics.byId(topic.id) === undefined) changes.topicsDeleted.set(topic.id, topic)
  }
  const ids = new Set(topics.map(({ id }) => id))
  for (const topic of image.topics.all()) {
    if (!ids.has(topic.id)) changes.topicsCreated.set(topic.id, topic)
    for (const partition of topic.partitions.keys()) changes.partitionChanged(topic.id, partition)
  }
  const resources = [...untold.configsChanged, ...configs, ...[...image.configs.all()].map(([resource]) => resource)]
  for (const { type, name } of resources) changes.configChanged(type, name)
  for (const id of [...untold.brokersChanged, ...brokers, ...image.brokers.keys()]) changes.brokersChanged.add(id)
  changes.featuresChanged = true
  changes.clientQuotasChanged = true
  changes.producerIdsChanged = true
  return changes
}
