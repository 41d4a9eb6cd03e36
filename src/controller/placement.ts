import type { MetadataImage } from '../metadata/image.ts'
import type { BrokerImage, PartitionImage } from '../metadata/types.ts'
import { defaultDirectory } from './directories.ts'
import { type DecisionContext, Refusal } from './result.ts'
import { StripedPlacer } from './striped-placer.ts'

/** A broker that can lead. */
export function isActive(broker: BrokerImage | undefined): boolean {
  return broker !== undefined && !broker.fenced && !broker.inControlledShutdown
}

/** The replicas of one new partition, those that are in sync from the start, and their directories. */
export interface NewPartition {
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly directories: readonly string[]
}

/** Places `count` partitions. Throws Refusal INVALID_REPLICATION_FACTOR in Apache Kafka's words. */
export function placePartitions(
  { head, random }: Pick<DecisionContext, 'head' | 'random'>,
  count: number,
  replicationFactor: number,
): NewPartition[] {
  const placer = new StripedPlacer([...head.brokers.values()], random)
  if (placer.unfenced === 0) {
    throw placementRefusal('All brokers are currently fenced, or have all their log directories cordoned.')
  }
  if (replicationFactor > placer.total) {
    throw placementRefusal(
      `The target replication factor of ${replicationFactor} cannot be reached because only ${placer.total} broker(s) ` +
        'are registered or some brokers have all their log directories cordoned.',
    )
  }
  return Array.from({ length: count }, () => newPartition(head, placer.place(replicationFactor)))
}

function placementRefusal(text: string): Refusal {
  return new Refusal('INVALID_REPLICATION_FACTOR', text)
}

export function newPartition(head: MetadataImage, replicas: readonly number[]): NewPartition {
  return {
    replicas,
    isr: replicas.filter((id) => isActive(head.brokers.get(id))),
    directories: replicas.map((id) => defaultDirectory(head.brokers.get(id))),
  }
}

/**
 * Checks replicas that a client chose. `expected` is the replication factor of the partitions before, if any.
 * Throws Refusal INVALID_REPLICA_ASSIGNMENT in Apache Kafka's words.
 */
export function checkManualAssignment(
  head: MetadataImage,
  replicas: readonly number[],
  expected: number | undefined,
): void {
  const refusal = (text: string) =>
    new Refusal('INVALID_REPLICA_ASSIGNMENT', `The manual partition assignment includes ${text}`)
  if (replicas.length === 0) throw refusal('an empty replica list.')
  const sorted = [...replicas].sort((a, b) => a - b)
  for (const [index, id] of sorted.entries()) {
    if (!head.brokers.has(id)) throw refusal(`broker ${id}, but no such broker is registered.`)
    if (index > 0 && sorted[index - 1] === id) throw refusal(`the broker ${id} more than once.`)
  }
  if (expected !== undefined && sorted.length !== expected) {
    throw refusal(
      `a partition with ${sorted.length} replica(s), but this is not consistent with previous partitions, ` +
        `which have ${expected} replica(s).`,
    )
  }
}

/** The first state of a partition. */
export function firstState(topicId: string, partition: number, placed: NewPartition): PartitionImage {
  return {
    topicId,
    partition,
    replicas: placed.replicas,
    directories: placed.directories,
    isr: placed.isr,
    removingReplicas: [],
    addingReplicas: [],
    elr: [],
    lastKnownElr: [],
    leader: placed.isr[0]!,
    leaderRecoveryState: 0,
    leaderEpoch: 0,
    partitionEpoch: 0,
  }
}
