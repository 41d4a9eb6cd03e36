import type { PartitionImage, TopicImage } from './types.ts'

interface MutableTopic {
  readonly name: string
  readonly id: string
  readonly partitions: Map<number, PartitionImage>
}

/** All topics, by name and by id. Topic objects live as long as the topic; their partitions are replaced on change. */
export class TopicsImage {
  readonly #byName = new Map<string, MutableTopic>()
  readonly #byId = new Map<string, MutableTopic>()

  get size(): number {
    return this.#byId.size
  }

  byName(name: string): TopicImage | undefined {
    return this.#byName.get(name)
  }

  byId(id: string): TopicImage | undefined {
    return this.#byId.get(id)
  }

  /** In no particular order. */
  all(): Iterable<TopicImage> {
    return this.#byName.values()
  }

  names(): Iterable<string> {
    return this.#byName.keys()
  }

  partition(name: string, partition: number): PartitionImage | undefined {
    return this.#byName.get(name)?.partitions.get(partition)
  }

  partitionById(topicId: string, partition: number): PartitionImage | undefined {
    return this.#byId.get(topicId)?.partitions.get(partition)
  }

  /** Replaces a topic of the same name, as a record for a topic made again does. */
  add(name: string, id: string): TopicImage {
    const old = this.#byName.get(name)
    if (old) this.#byId.delete(old.id)
    const topic: MutableTopic = { name, id, partitions: new Map() }
    this.#byName.set(name, topic)
    this.#byId.set(id, topic)
    return topic
  }

  /** undefined if there is no such topic. */
  remove(id: string): TopicImage | undefined {
    const topic = this.#byId.get(id)
    if (!topic) return undefined
    this.#byId.delete(id)
    this.#byName.delete(topic.name)
    return topic
  }

  /** Throws if the topic is not there: a record about a topic follows the record that makes it. */
  setPartition(partition: PartitionImage): void {
    const topic = this.#byId.get(partition.topicId)
    if (!topic) throw new Error(`partition ${partition.partition} of unknown topic ${partition.topicId}`)
    topic.partitions.set(partition.partition, partition)
  }

  clear(): void {
    this.#byName.clear()
    this.#byId.clear()
  }
}
