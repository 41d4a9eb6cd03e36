import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataDelta, MetadataPublisher } from '../metadata/types.ts'
import { GROUP_TOPIC, type GroupCoordinator } from './group-coordinator.ts'

/**
 * Keeps the coordinator in step with the metadata: loads partitions of the offsets topic that this node leads, lets go of
 * others, and tells groups of topics that have changed. Must hear of a change after the replica manager, which makes the logs.
 */
export class GroupPublisher implements MetadataPublisher {
  readonly #nodeId: number
  readonly #image: MetadataImage
  readonly #groups: GroupCoordinator

  constructor(nodeId: number, image: MetadataImage, groups: GroupCoordinator) {
    this.#nodeId = nodeId
    this.#image = image
    this.#groups = groups
  }

  /**
   * Resolves when partitions of an offsets topic that was just made are loaded, so that a client that had it made is served
   * at once. Nobody waits for others, which may have much to load: they answer COORDINATOR_LOAD_IN_PROGRESS meanwhile.
   */
  async onMetadataChange(delta: MetadataDelta): Promise<void> {
    for (const topic of delta.topicsDeleted.values()) {
      if (topic.name !== GROUP_TOPIC) continue
      for (const partition of topic.partitions.keys()) this.#groups.onResignation(partition, undefined)
    }
    const topic = this.#image.topics.byName(GROUP_TOPIC)
    const loads: Promise<void>[] = []
    for (const number of (topic && delta.partitionsChanged.get(topic.id)) ?? []) {
      const partition = topic?.partitions.get(number)
      if (partition === undefined) continue
      if (partition.leader === this.#nodeId) loads.push(this.#groups.onElection(number, partition.leaderEpoch))
      else this.#groups.onResignation(number, partition.leaderEpoch)
    }
    void this.#groups.onMetadataChange(delta)
    if (topic !== undefined && !delta.isInitial && delta.topicsCreated.has(topic.id)) await Promise.all(loads)
  }
}
