import type { MetadataImage } from '../../metadata/image.ts'
import type { BrokerImage, TopicImage } from '../../metadata/types.ts'

/** Makes a topic, or adds partitions to it; all of them on broker 1. */
export function addTopic(image: MetadataImage, name: string, partitionCount: number, id = idOf(name)): TopicImage {
  const topic = image.topics.byName(name) ?? image.topics.add(name, id)
  for (let partition = topic.partitions.size; partition < partitionCount; partition++) {
    image.topics.setPartition({
      topicId: topic.id,
      partition,
      replicas: [1],
      directories: [],
      isr: [1],
      removingReplicas: [],
      addingReplicas: [],
      elr: [],
      lastKnownElr: [],
      leader: 1,
      leaderRecoveryState: 0,
      leaderEpoch: 0,
      partitionEpoch: 0,
    })
  }
  image.offset++
  return topic
}

export function addBroker(image: MetadataImage, rack: string | null): void {
  image.brokers.set(1, { id: 1, rack } as BrokerImage)
}

/** A topic id that one can read. */
export function idOf(name: string): string {
  return Buffer.from(name.padEnd(16, '-')).subarray(0, 16).toString('base64url')
}
