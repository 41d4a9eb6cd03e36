import type { MetadataImage } from '../../metadata/image.ts'
import type { MetadataDelta, PartitionImage, TopicImage } from '../../metadata/types.ts'
import { encodeUuidInto } from '../../protocol/uuid.ts'
import { xxh3 } from './xxh3.ts'

const HASH_MAGIC = 0
const UUID_BYTES = 16

/** The topics of the cluster as groups see them: what there is, and a hash that tells when it has changed (KIP-1101). */
export class GroupMetadataView {
  readonly #image: MetadataImage
  readonly #hashes = new Map<string, bigint>()
  #newTopicsVersion = -1

  constructor(image: MetadataImage) {
    this.#image = image
  }

  /** Grows with every change of the metadata. */
  get version(): number {
    return this.#image.offset
  }

  /** The version that brought the last new topics. */
  get newTopicsVersion(): number {
    return this.#newTopicsVersion
  }

  byName(name: string): TopicImage | undefined {
    return this.#image.topics.byName(name)
  }

  byId(id: string): TopicImage | undefined {
    return this.#image.topics.byId(id)
  }

  names(): Iterable<string> {
    return this.#image.topics.names()
  }

  /** The ids of those of the topics that there are. */
  idsOf(names: Iterable<string>): Set<string> {
    const ids = new Set<string>()
    for (const name of names) {
      const topic = this.byName(name)
      if (topic !== undefined) ids.add(topic.id)
    }
    return ids
  }

  /** undefined where there is no such topic. */
  partitionCount(topicId: string): number | undefined {
    return this.byId(topicId)?.partitions.size
  }

  /** Of the topics that a group is subscribed to; 0 where none of them exists. As Apache Kafka computes it. */
  hashOf(names: Iterable<string>): bigint {
    const existing = [...names].filter((name) => this.byName(name) !== undefined).sort()
    if (existing.length === 0) return 0n
    const hashes = Buffer.alloc(8 * existing.length)
    for (const [i, name] of existing.entries()) hashes.writeBigInt64LE(this.#hashOfTopic(name), 8 * i)
    return xxh3(hashes)
  }

  /** Answers the names of the topics that have changed. */
  onChange(delta: MetadataDelta): Set<string> {
    if (this.#newTopicsVersion === -1 || delta.topicsCreated.size > 0) this.#newTopicsVersion = this.version
    const names = new Set<string>()
    for (const { name } of delta.topicsDeleted.values()) names.add(name)
    for (const { name } of delta.topicsCreated.values()) names.add(name)
    for (const topicId of delta.partitionsChanged.keys()) {
      const topic = this.byId(topicId)
      if (topic !== undefined) names.add(topic.name)
    }
    for (const name of names) this.#hashes.delete(name)
    return names
  }

  #hashOfTopic(name: string): bigint {
    let hash = this.#hashes.get(name)
    if (hash === undefined) {
      hash = xxh3(this.#hashInput(this.byName(name)!))
      this.#hashes.set(name, hash)
    }
    return hash
  }

  #hashInput(topic: TopicImage): Buffer {
    const id = Buffer.alloc(UUID_BYTES)
    encodeUuidInto(topic.id, id, 0)
    const head = Buffer.concat([Buffer.from([HASH_MAGIC]), id.subarray(0, 8).swap64(), id.subarray(8).swap64()])
    const chunks = [head, chars(topic.name), int(topic.partitions.size)]
    for (let number = 0; number < topic.partitions.size; number++) {
      chunks.push(int(number))
      for (const rack of this.#racksOf(topic.partitions.get(number))) chunks.push(int(rack.length), chars(rack))
    }
    return Buffer.concat(chunks)
  }

  #racksOf(partition: PartitionImage | undefined): string[] {
    const racks: string[] = []
    for (const id of partition?.replicas ?? []) {
      const rack = this.#image.brokers.get(id)?.rack
      if (rack) racks.push(rack)
    }
    return racks.sort()
  }
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

/** The text's UTF-16 units, then how many there are. */
function chars(text: string): Buffer {
  return Buffer.concat([Buffer.from(text, 'utf16le'), int(text.length)])
}
