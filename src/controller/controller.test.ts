import { describe, expect, it, vi } from 'vitest'
import { METADATA_VERSION } from '../metadata/features.ts'
import { MetadataImage } from '../metadata/image.ts'
import type { PartitionImage } from '../metadata/types.ts'
import { errorOfCode } from '../protocol/errors.ts'
import { ZERO_UUID } from '../protocol/uuid.ts'
import { MetadataLogError } from '../replication/raft/types.ts'
import { ControllerWorld, contentsOf, DIRECTORY_ID, newTopics } from './controller.testkit.ts'
import type { Controller } from './controller.ts'
import { Refusal } from './result.ts'

const nameOf = ({ errorCode }: { errorCode: number }): string => errorOfCode(errorCode).name

function partitionOf(image: { topics: { partition(name: string, partition: number): PartitionImage | undefined } }) {
  return (name: string, partition: number) => image.topics.partition(name, partition)
}

function ownBroker({ image }: Controller) {
  return { brokerId: 1, brokerEpoch: image.brokers.get(1)!.epoch }
}

describe('a new cluster', () => {
  it('has the features of 4.3 and the settings that eligible leader replicas ask for', async () => {
    const { image } = await new ControllerWorld().open()
    expect(Object.fromEntries(image.features)).toEqual({
      'metadata.version': 30,
      'eligible.leader.replicas.version': 1,
      'group.version': 1,
      'share.version': 1,
      'streams.version': 1,
      'transaction.version': 2,
    })
    expect([...image.configs.of(4, '')]).toEqual([['min.insync.replicas', '1']])
  })

  it('has its broker registered and unfenced, with the offset of the registration as epoch', async () => {
    const { image } = await new ControllerWorld().open()
    // LeaderChange 0, bootstrap 1-9, RegisterController 10.
    expect(image.brokers.get(1)).toMatchObject({ epoch: 11, fenced: false, directories: [DIRECTORY_ID] })
    expect(image.controllers.get(1)?.endPoints[0]?.port).toBe(9093)
  })
})

describe('when nothing happens', () => {
  it.each([
    [500, 3],
    [1000, 1],
    [0, 0],
  ])('a no-op record is written every %i ms (KIP-835)', async (periodMs, count) => {
    const world = new ControllerWorld({ 'metadata.max.idle.interval.ms': String(periodMs) })
    const controller = await world.open()
    const before = contentsOf(controller.image)
    const { offset } = controller.image
    for (let step = 0; step < 16; step++) await world.time.advance(100)
    expect(controller.image.offset).toBe(offset + count)
    expect(contentsOf(controller.image)).toEqual(before)
    await controller.close()
    for (let step = 0; step < 16; step++) await world.time.advance(100)
    expect((await world.open(false)).image.offset).toBe(offset + count + 1)
  })
})

it('no-op records that fail, on a full disk, have nothing built anew: they have changed nothing', async () => {
  const world = new ControllerWorld()
  const controller = await world.open()
  await controller.createTopics(newTopics({ name: 'a', numPartitions: 100 }))
  world.disk.fault = (operation) => (operation === 'write' ? 'ENOSPC' : undefined)
  await expect(controller.createTopics(newTopics({ name: 'b' }))).rejects.toBeInstanceOf(MetadataLogError)
  const replayed = vi.spyOn(MetadataImage.prototype, 'replay')
  for (let step = 0; step < 10; step++) await world.time.advance(500)
  expect(replayed.mock.calls.map(([{ name }]) => name)).toEqual(Array(10).fill('NoOp'))
  replayed.mockRestore()
  await expect(controller.createTopics(newTopics({ name: 'b' }))).rejects.toBeInstanceOf(MetadataLogError)
  world.disk.fault = () => undefined
  expect(nameOf((await controller.createTopics(newTopics({ name: 'b' }))).topics[0]!)).toBe('NONE')
})

describe('a restart', () => {
  it('gives the same state, but for a new registration and new leader epochs', async () => {
    const world = new ControllerWorld({ 'metadata.log.max.snapshot.interval.ms': '1000' })
    const first = await world.open()
    await first.createTopics(newTopics({ name: 'a', numPartitions: 3 }, { name: 'b' }))
    await first.createPartitions({
      topics: [{ name: 'b', count: 2, assignments: null }],
      timeoutMs: 0,
      validateOnly: false,
    })
    await first.allocateProducerIds(ownBroker(first))
    const before = contentsOf(first.image)
    const epoch = first.image.brokers.get(1)!.epoch
    first.abandon()
    world.disk.crash()
    const replayed = await world.open(false)
    expect(contentsOf(replayed.image)).toEqual(before)
    await world.time.advance(1000)
    await replayed.close()
    expect(replayed.quorum.latestSnapshot!.offset).toBeGreaterThan(first.image.offset)
    const again = await world.open()
    const others = (contents: string[]) => contents.filter((text) => !/^(Register|Partition)/.test(text))
    expect(others(contentsOf(again.image))).toEqual(others(before))
    expect(again.image.brokers.get(1)!.epoch).toBeGreaterThan(epoch)
    expect(partitionOf(again.image)('b', 1)).toMatchObject({ leader: 1, leaderEpoch: 2, isr: [1] })
  })

  it('takes partitions over that were left without a leader', async () => {
    const world = new ControllerWorld()
    const first = await world.open()
    await first.createTopics(newTopics({ name: 'a' }))
    const topicId = first.image.topics.byName('a')!.id
    const nothing = { replicas: null, removingReplicas: null, addingReplicas: null, directories: null }
    const change = { ...nothing, partitionId: 0, topicId, leaderRecoveryState: -1 }
    await first.quorum.append([
      {
        name: 'PartitionChange',
        version: 2,
        value: { ...change, isr: [], leader: -1, eligibleLeaderReplicas: [1], lastKnownElr: [1] },
      },
    ])
    await first.close()
    const again = await world.open()
    // After a crash it is no eligible leader any more, but it has led last (KIP-966).
    const after = { leader: 1, leaderEpoch: 2, isr: [1], elr: [], lastKnownElr: [], leaderRecoveryState: 1 }
    expect(partitionOf(again.image)('a', 0)).toMatchObject(after)
  })

  it('puts an end to a transaction that was left open', async () => {
    const world = new ControllerWorld()
    const first = await world.open()
    await first.quorum.append([
      { name: 'BeginTransaction', version: 0, value: { name: 'x' } },
      { name: 'FeatureLevel', version: 0, value: { name: 'group.version', featureLevel: 0 } },
    ])
    await first.close()
    const again = await world.open()
    expect(again.image.featureLevel('group.version')).toBe(1)
    expect(again.image.offset).toBe(again.quorum.highWatermark - 1)
  })
})

describe('createTopics', () => {
  it('refuses configs that are larger than the metadata log takes at once, before it looks at them', async () => {
    const controller = await new ControllerWorld({}).open()
    const configs = [{ name: 'leader.replication.throttled.replicas', value: '0:1,'.repeat(8_000) }]
    const topics = Array.from({ length: 300 }, (_, index) => ({ name: `t${index}`, configs }))
    await expect(controller.createTopics(newTopics(...topics))).rejects.toMatchObject({ error: 'POLICY_VIOLATION' })
  })

  it('answers when the publishers have applied the topic', async () => {
    const world = new ControllerWorld()
    const controller = await world.open()
    const response = await controller.createTopics(
      newTopics({ name: 't', numPartitions: 2, configs: [{ name: 'retention.ms', value: '1000' }] }),
    )
    const topic = controller.image.topics.byName('t')!
    const [result] = response.topics
    expect(result).toMatchObject({ name: 't', topicId: topic.id, errorCode: 0, numPartitions: 2, replicationFactor: 1 })
    expect(result!.configs!.find(({ name }) => name === 'retention.ms')).toMatchObject({
      value: '1000',
      configSource: 1,
    })
    expect(result!.configs!.map(({ name }) => name)).toEqual(result!.configs!.map(({ name }) => name).sort())
    expect(topic.partitions.get(1)).toMatchObject({
      replicas: [1],
      isr: [1],
      leader: 1,
      leaderEpoch: 0,
      directories: [DIRECTORY_ID],
    })
  })

  it('only checks when asked to', async () => {
    const controller = await new ControllerWorld().open()
    const response = await controller.createTopics({ ...newTopics({ name: 't' }), validateOnly: true })
    expect(response.topics[0]).toMatchObject({ errorCode: 0, numPartitions: 1 })
    expect(controller.image.topics.size).toBe(0)
  })

  it.each([
    [{ name: '' }, 'INVALID_TOPIC_EXCEPTION', 'Topic name is invalid: the empty string is not allowed'],
    [{ name: '..' }, 'INVALID_TOPIC_EXCEPTION', "Topic name is invalid: '..' is not allowed"],
    [
      { name: 'a b' },
      'INVALID_TOPIC_EXCEPTION',
      "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    ],
    [
      { name: 'x'.repeat(250) },
      'INVALID_TOPIC_EXCEPTION',
      `Topic name is invalid: the length of '${'x'.repeat(250)}' is longer than the max allowed length 249`,
    ],
    [{ name: 'there.is' }, 'TOPIC_ALREADY_EXISTS', "Topic 'there.is' already exists."],
    [{ name: 'there_is' }, 'INVALID_TOPIC_EXCEPTION', "Topic 'there_is' collides with existing topic: there.is"],
    [{ name: '__cluster_metadata' }, 'INVALID_REQUEST', 'Creation of internal topic __cluster_metadata is prohibited.'],
    [
      { name: 't', replicationFactor: 2 },
      'INVALID_REPLICATION_FACTOR',
      'Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only ' +
        '1 broker(s) are registered or some brokers have all their log directories cordoned.',
    ],
    [
      { name: 't', replicationFactor: 0 },
      'INVALID_REPLICATION_FACTOR',
      'Replication factor must be larger than 0, or -1 to use the default value.',
    ],
    [
      { name: 't', numPartitions: 0 },
      'INVALID_PARTITIONS',
      'Number of partitions was set to an invalid non-positive value.',
    ],
    [
      { name: 't', numPartitions: 1, assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
      'INVALID_REQUEST',
      'A manual partition assignment was specified, but numPartitions was not set to -1.',
    ],
    [
      { name: 't', replicationFactor: 1, assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
      'INVALID_REQUEST',
      'A manual partition assignment was specified, but replication factor was not set to -1.',
    ],
    [
      { name: 't', assignments: [{ partitionIndex: 1, brokerIds: [1] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      'partitions should be a consecutive 0-based integer sequence',
    ],
    [
      { name: 't', assignments: [{ partitionIndex: 0, brokerIds: [] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      'The manual partition assignment includes an empty replica list.',
    ],
    [
      { name: 't', assignments: [{ partitionIndex: 0, brokerIds: [7] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      'The manual partition assignment includes broker 7, but no such broker is registered.',
    ],
    [
      { name: 't', assignments: [{ partitionIndex: 0, brokerIds: [1, 1] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      'The manual partition assignment includes the broker 1 more than once.',
    ],
    [
      { name: 't', assignments: [0, 0].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] })) },
      'INVALID_REPLICA_ASSIGNMENT',
      'Found multiple manual partition assignments for partition 0',
    ],
    [{ name: 't', configs: [{ name: 'no.such', value: '1' }] }, 'INVALID_CONFIG', 'Unknown topic config name: no.such'],
    [
      { name: 't', configs: [{ name: 'retention.ms', value: null }] },
      'INVALID_CONFIG',
      'Null value not supported for topic configs: retention.ms',
    ],
    [
      { name: 't', configs: [{ name: 'retention.ms', value: 'x' }] },
      'INVALID_CONFIG',
      'Invalid value x for configuration retention.ms: Not a number of type LONG',
    ],
  ])('refuses %j', async (topic, error, message) => {
    const controller = await new ControllerWorld().open()
    await controller.createTopics(newTopics({ name: 'there.is' }))
    const { topics } = await controller.createTopics(newTopics(topic))
    expect(topics.map((result) => [nameOf(result), result.errorMessage])).toEqual([[error, message]])
    expect(controller.image.topics.size).toBe(1)
  })

  it('refuses a name that comes twice, and goes on with the others', async () => {
    const controller = await new ControllerWorld().open()
    const { topics } = await controller.createTopics(newTopics({ name: 'a' }, { name: 'b' }, { name: 'a' }))
    expect(topics.map((result) => [result.name, nameOf(result), result.errorMessage])).toEqual([
      ['b', 'NONE', null],
      ['a', 'INVALID_REQUEST', 'Duplicate topic name.'],
    ])
  })

  it('refuses requests for more than ten thousand partitions as a whole', async () => {
    const controller = await new ControllerWorld().open()
    const request = newTopics({ name: 'a', numPartitions: 6000 }, { name: 'b', numPartitions: 4001 })
    await expect(controller.createTopics(request)).rejects.toThrow('Excessively large number of partitions')
    await expect(controller.createTopics(request)).rejects.toBeInstanceOf(Refusal)
  })

  it('sees what was decided a moment ago', async () => {
    const controller = await new ControllerWorld().open()
    const [first, second] = await Promise.all([
      controller.createTopics(newTopics({ name: 'a' })),
      controller.createTopics(newTopics({ name: 'a' })),
    ])
    expect([nameOf(first.topics[0]!), nameOf(second.topics[0]!)]).toEqual(['NONE', 'TOPIC_ALREADY_EXISTS'])
  })

  it('leaves nothing behind when the log cannot be written', async () => {
    const world = new ControllerWorld()
    const controller = await world.open()
    world.disk.fault = (operation) => (operation === 'write' ? 'ENOSPC' : undefined)
    await expect(controller.createTopics(newTopics({ name: 'a' }))).rejects.toBeInstanceOf(MetadataLogError)
    world.disk.fault = () => undefined
    expect(nameOf((await controller.createTopics(newTopics({ name: 'a' }))).topics[0]!)).toBe('NONE')
  })
})

describe('deleteTopics', () => {
  const byName = (...names: string[]) => ({ topicNames: names, topics: [], timeoutMs: 0 })
  const byState = (...topics: { name: string | null; topicId: string }[]) => ({ topicNames: [], topics, timeoutMs: 0 })

  it('by name and by id', async () => {
    const controller = await new ControllerWorld().open()
    await controller.createTopics(newTopics({ name: 'a' }, { name: 'b' }))
    const { topicId } = { topicId: controller.image.topics.byName('b')!.id }
    const { responses } = await controller.deleteTopics(
      byState({ name: 'a', topicId: ZERO_UUID }, { name: null, topicId }),
      6,
    )
    expect(responses.map((result) => [result.name, nameOf(result)]).sort()).toEqual([
      ['a', 'NONE'],
      ['b', 'NONE'],
    ])
    expect(controller.image.topics.size).toBe(0)
  })

  it.each([
    [byName('no-such'), [['no-such', 'UNKNOWN_TOPIC_OR_PARTITION']]],
    [byName('a', 'a'), [['a', 'INVALID_REQUEST']]],
    [byState({ name: null, topicId: ZERO_UUID }), [[null, 'INVALID_REQUEST']]],
    [byState({ name: null, topicId: DIRECTORY_ID }), [[null, 'UNKNOWN_TOPIC_ID']]],
    [byState({ name: 'a', topicId: DIRECTORY_ID }), [['a', 'INVALID_REQUEST']]],
  ])('refuses %j', async (request, expected) => {
    const controller = await new ControllerWorld().open()
    await controller.createTopics(newTopics({ name: 'a' }))
    const { responses } = await controller.deleteTopics(request, 6)
    expect(responses.map((result) => [result.name, nameOf(result)])).toEqual(expected)
    expect(controller.image.topics.size).toBe(1)
  })

  it('refuses a topic that is given by name and by id', async () => {
    const controller = await new ControllerWorld().open()
    await controller.createTopics(newTopics({ name: 'a' }))
    const topicId = controller.image.topics.byName('a')!.id
    const { responses } = await controller.deleteTopics(
      byState({ name: 'a', topicId: ZERO_UUID }, { name: null, topicId }),
      6,
    )
    expect(responses).toMatchObject([
      { name: 'a', topicId, errorMessage: 'The provided topic name maps to an ID that was already supplied.' },
    ])
    expect(controller.image.topics.size).toBe(1)
  })

  it('may be forbidden', async () => {
    const controller = await new ControllerWorld({ 'delete.topic.enable': 'false' }).open()
    await expect(controller.deleteTopics(byName('a'), 3)).rejects.toMatchObject({ error: 'TOPIC_DELETION_DISABLED' })
    await expect(controller.deleteTopics(byName('a'), 2)).rejects.toMatchObject({ error: 'INVALID_REQUEST' })
  })
})

describe('createPartitions', () => {
  it.each([
    [{ name: 'a', count: 2, assignments: null }, 'INVALID_PARTITIONS', 'Topic already has 2 partition(s).'],
    [
      { name: 'a', count: 1, assignments: null },
      'INVALID_PARTITIONS',
      'The topic a currently has 2 partition(s); 1 would not be an increase.',
    ],
    [{ name: 'b', count: 3, assignments: null }, 'UNKNOWN_TOPIC_OR_PARTITION', null],
    [
      { name: 'a', count: 3, assignments: [] },
      'INVALID_REPLICA_ASSIGNMENT',
      'Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.',
    ],
    [
      { name: 'a', count: 3, assignments: [{ brokerIds: [9] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      'The manual partition assignment includes broker 9, but no such broker is registered.',
    ],
    [{ name: 'a', count: 3, assignments: [{ brokerIds: [1] }] }, 'NONE', null],
  ])('answers %j', async (topic, error, message) => {
    const controller = await new ControllerWorld().open()
    await controller.createTopics(newTopics({ name: 'a', numPartitions: 2 }))
    const { results } = await controller.createPartitions({ topics: [topic], timeoutMs: 0, validateOnly: false })
    expect(results.map((result) => [nameOf(result), result.errorMessage])).toEqual([[error, message]])
    expect(controller.image.topics.byName('a')!.partitions.size).toBe(error === 'NONE' ? 3 : 2)
  })
})

it('allocateProducerIds hands out each id once, also across restarts', async () => {
  const world = new ControllerWorld()
  const first = await world.open()
  const blocks = await Promise.all([
    first.allocateProducerIds(ownBroker(first)),
    first.allocateProducerIds(ownBroker(first)),
  ])
  world.disk.crash()
  const again = await world.open()
  blocks.push(await again.allocateProducerIds(ownBroker(again)))
  expect(blocks.map(({ firstProducerId }) => firstProducerId)).toEqual([0, 1000, 2000])
})

describe('updateFeatures', () => {
  const update = (feature: string, maxVersionLevel: number, upgradeType = 1) => ({
    timeoutMs: 0,
    featureUpdates: [{ feature, maxVersionLevel, allowDowngrade: false, upgradeType }],
    validateOnly: false,
  })

  it.each([
    [update('no.such', 1), 'Local controller 1 does not support this feature.'],
    [update('no.such', 0), 'Feature no.such not found.'],
    [update(METADATA_VERSION, 31), 'Local controller 1 only supports versions 7-30'],
    [update('group.version', -1), 'A feature version cannot be less than 0.'],
    [
      update('group.version', 0),
      "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
    ],
    [update('group.version', 1, 9), 'The controller does not support the given upgrade type.'],
  ])('refuses %j', async (request, reason) => {
    const controller = await new ControllerWorld().open()
    const { feature, maxVersionLevel } = request.featureUpdates[0]!
    expect(await controller.updateFeatures(request, 1)).toMatchObject({
      errorCode: 95,
      errorMessage:
        'The update failed for all features since the following feature had an error: ' +
        `Invalid update version ${maxVersionLevel} for feature ${feature}. ${reason}`,
      results: [],
    })
  })

  it('refuses to go back where records changed', async () => {
    const controller = await new ControllerWorld().open()
    expect((await controller.updateFeatures(update(METADATA_VERSION, 29, 2), 1)).errorMessage).toContain(
      'Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade',
    )
  })

  it('changes a level', async () => {
    const controller = await new ControllerWorld().open()
    const response = await controller.updateFeatures(update('group.version', 0, 2), 1)
    expect(response.results).toEqual([{ feature: 'group.version', errorCode: 0, errorMessage: 'NONE' }])
    expect(controller.image.features.has('group.version')).toBe(false)
  })
})
