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
