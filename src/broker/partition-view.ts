import { isOnline } from '../controller/directories.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { PartitionImage, TopicImage } from '../metadata/types.ts'
import { endPointOf } from './endpoints.ts'

/** What clients of one listener see of partitions. */
export class PartitionView {
  readonly #image: MetadataImage
  readonly #listenerName: string
  /** Brokers are the same for all partitions of an answer. */
  readonly #reachable = new Map<number, boolean>()

  constructor(image: MetadataImage, listenerName: string) {
    this.#image = image
    this.#listenerName = listenerName
  }

  /** The partitions of a topic in order of their numbers. */
  partitions(topic: TopicImage): PartitionImage[] {
    return [...topic.partitions.values()].sort((a, b) => a.partition - b.partition)
  }

  isRegistered(brokerId: number): boolean {
    return this.#image.brokers.has(brokerId)
  }

  /** Whether the broker is registered and has this listener. */
  isReachable(brokerId: number): boolean {
    let reachable = this.#reachable.get(brokerId)
    if (reachable === undefined) {
      reachable = endPointOf(this.#image.brokers.get(brokerId), this.#listenerName) !== undefined
      this.#reachable.set(brokerId, reachable)
    }
    return reachable
  }

  /** The leader, or -1 where clients of this listener cannot reach it. */
  leaderId(partition: PartitionImage): number {
    return this.isReachable(partition.leader) ? partition.leader : -1
  }

  offlineReplicas({ replicas, directories }: PartitionImage): number[] {
    return replicas.filter((id, index) => {
      const broker = this.#image.brokers.get(id)
      if (broker === undefined || broker.fenced || !this.isReachable(id)) return true
      return !isOnline(broker, directories[index]!)
    })
  }

  /** Those of `ids` that live and can be reached. */
  alive(ids: readonly number[]): number[] {
    return ids.filter((id) => this.isReachable(id) && this.#image.brokers.get(id)?.fenced === false)
  }
}
