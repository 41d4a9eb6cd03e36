import { expect, test } from 'vitest'
import { MetadataImage } from '../metadata/image.ts'
import type { MetadataDelta, PartitionImage, TopicImage } from '../metadata/types.ts'
import { GroupPublisher } from './group-publisher.ts'
import { commitPartition, Harness } from './harness.testkit.ts'

const OFFSETS_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const NODE_ID = 1

function delta(change: Partial<MetadataDelta>): MetadataDelta {
  const none = new Map<string, never>()
  return {
    isInitial: false,
    topicsCreated: none,
    topicsDeleted: none,
    partitionsChanged: none,
    ...change,
  } as MetadataDelta
}

/** An offsets topic of one partition, and what happens to it. */
function setup() {
  const harness = new Harness()
  const image = new MetadataImage()
  const publisher = new GroupPublisher(NODE_ID, image, harness.coordinator)
  const lead = (leader: number, leaderEpoch: number, change: Partial<MetadataDelta> = {}) => {
    const partition = { topicId: OFFSETS_ID, partition: 0, leader, leaderEpoch } as PartitionImage
    image.topics.setPartition(partition)
    return publisher.onMetadataChange(delta({ partitionsChanged: new Map([[OFFSETS_ID, new Set([0])]]), ...change }))
  }
  const create = async () => {
    const topic = image.topics.add('__consumer_offsets', OFFSETS_ID)
    await lead(NODE_ID, 0, { topicsCreated: new Map([[OFFSETS_ID, topic]]) })
  }
  return { harness, image, publisher, lead, create }
}

test('an offsets topic that was just made is served when the change is done', async () => {
  const { harness, create } = setup()
  await create()
  expect(harness.coordinator.isActive(0)).toBe(true)
})

test('follows the leader', async () => {
  const { harness, create, lead } = setup()
  await create()
  await lead(2, 1)
  expect(harness.coordinator.isActive(0)).toBe(false)
  await lead(NODE_ID, 2)
  await harness.coordinator.whenLoaded(0)
  expect(harness.coordinator.isActive(0)).toBe(true)
})

test('an offsets topic that is deleted is not coordinated', async () => {
  const { harness, image, publisher, create } = setup()
  await create()
  const topic = image.topics.remove(OFFSETS_ID)!
  await publisher.onMetadataChange(delta({ topicsDeleted: new Map([[OFFSETS_ID, topic]]) }))
  expect(harness.coordinator.isActive(0)).toBe(false)
})

test('offsets of a deleted topic are forgotten', async () => {
  const { harness, publisher, create } = setup()
  await create()
  const id = 'AAAAAAAAAAAAAAAAAAAAAg'
  await harness.commit(0, { topics: [{ name: 'topic', topicId: id, partitions: [commitPartition(0, 5)] }] })
  const topic: TopicImage = { name: 'topic', id, partitions: new Map() }
  await publisher.onMetadataChange(delta({ topicsDeleted: new Map([[id, topic]]) }))
  await harness.settle()
  expect(await harness.fetch()).toBe(-1)
})
