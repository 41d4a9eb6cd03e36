import type { MetadataImage } from '../../metadata/image.ts'
import type { MetadataDelta, MetadataPublisher } from '../../metadata/types.ts'
import { TRANSACTION_TOPIC, type TransactionCoordinator } from './transaction-coordinator.ts'

/**
 * Keeps the coordinator in step with the metadata: loads partitions of the transactions topic that this node leads, and
 * lets go of others. Must hear of a change after the replica manager, which makes the logs.
 */
export class TransactionPublisher implements MetadataPublisher {
  readonly #nodeId: number
  readonly #image: MetadataImage
  readonly #transactions: TransactionCoordinator

  constructor(nodeId: number, image: MetadataImage, transactions: TransactionCoordinator) {
    this.#nodeId = nodeId
    this.#image = image
    this.#transactions = transactions
  }

  /** Resolves when partitions of a topic that was just made are loaded; nobody waits for others. */
  async onMetadataChange(delta: MetadataDelta): Promise<void> {
    for (const topic of delta.topicsDeleted.values()) {
      if (topic.name !== TRANSACTION_TOPIC) continue
      for (const partition of topic.partitions.keys()) this.#transactions.onResignation(partition, undefined)
    }
    const topic = this.#image.topics.byName(TRANSACTION_TOPIC)
    const loads: Promise<void>[] = []
    for (const number of (topic && delta.partitionsChanged.get(topic.id)) ?? []) {
      const partition = topic?.partitions.get(number)
      if (partition === undefined) continue
      if (partition.leader === this.#nodeId) loads.push(this.#transactions.onElection(number, partition.leaderEpoch))
      else this.#transactions.onResignation(number, partition.leaderEpoch)
    }
    if (topic !== undefined && !delta.isInitial && delta.topicsCreated.has(topic.id)) await Promise.all(loads)
  }
}
