import { SHARE_STATE_TOPIC } from '../../controller/topic-names.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { MetadataDelta, MetadataPublisher } from '../../metadata/types.ts'
import type { ShareCoordinator } from './share-coordinator.ts'

/**
 * Keeps the share coordinator in step with the metadata. Must hear of a change after the replica manager, which makes the
 * logs.
 */
export class SharePublisher implements MetadataPublisher {
  readonly #nodeId: number
  readonly #image: MetadataImage
  readonly #shares: ShareCoordinator

  constructor(nodeId: number, image: MetadataImage, shares: ShareCoordinator) {
    this.#nodeId = nodeId
    this.#image = image
    this.#shares = shares
  }

  /** Resolves when partitions of a state topic that was just made are loaded; nobody waits for others. */
  async onMetadataChange(delta: MetadataDelta): Promise<void> {
    for (const topic of delta.topicsDeleted.values()) {
      if (topic.name !== SHARE_STATE_TOPIC) continue
      for (const partition of topic.partitions.keys()) this.#shares.onResignation(partition, undefined)
    }
    const topic = this.#image.topics.byName(SHARE_STATE_TOPIC)
    const loads: Promise<void>[] = []
    for (const number of (topic && delta.partitionsChanged.get(topic.id)) ?? []) {
      const partition = topic?.partitions.get(number)
      if (partition === undefined) continue
      if (partition.leader === this.#nodeId) loads.push(this.#shares.onElection(number, partition.leaderEpoch))
      else this.#shares.onResignation(number, partition.leaderEpoch)
    }
    if (!delta.isInitial) void this.#shares.onTopicsDeleted(new Set(delta.topicsDeleted.keys()))
    if (topic !== undefined && !delta.isInitial && delta.topicsCreated.has(topic.id)) await Promise.all(loads)
  }
}
