import { describe, expect, test } from 'vitest'
import { LogError } from '../../log/append-error.ts'
import { errors } from '../../protocol/errors.ts'
import { commitPartition } from '../harness.testkit.ts'
import { Consumer, ConsumerHarness, settleGroup } from './consumer.testkit.ts'

const FULL = { rebalanceTimeoutMs: 30_000, subscribedTopicNames: ['topic'], topicPartitions: [] }

async function started(partitions = 4) {
  const harness = await ConsumerHarness.started()
  const topicId = await harness.topic('topic', partitions)
  return { harness, topicId }
}

describe('KIP-848: joining', () => {
  test('the first member gets everything, at epoch 2 as in Apache Kafka', async () => {
    const { harness, topicId } = await started()
    const response = await harness.beat(FULL)
    expect(response).toMatchObject({ memberId: 'm1', memberEpoch: 2, heartbeatIntervalMs: 5000 })
    expect(response.assignment).toEqual({ topicPartitions: [{ topicId, partitions: [0, 1, 2, 3] }] })
    expect(await harness.describeConsumers()).toMatchObject({ groupState: 'Stable', groupEpoch: 2, assignmentEpoch: 2 })
  })

  test('version 0: the coordinator makes the id', async () => {
    const { harness } = await started()
    const response = await harness.beat({ ...FULL, memberId: '' }, 0)
    expect(response.memberId).toMatch(/^[\w-]{22}$/)
  })

  test('a second member waits until the first has given up its half', async () => {
    const { harness } = await started()
    const [a, b] = [new Consumer(harness, 'a'), new Consumer(harness, 'b')]
    await a.beat()
    await b.beat()
    expect([a.partitions, b.partitions]).toEqual([4, 0])
    expect(b.epoch).toBe(3)
    // Told what to give up, but not through with it: the epoch stays.
    await a.beat()
    expect([a.epoch, a.partitions]).toEqual([2, 2])
    await b.beat()
    expect(b.partitions).toBe(0)
    await a.beat()
    expect(a.epoch).toBe(3)
    await b.beat()
    expect([a.partitions, b.partitions]).toEqual([2, 2])
    expect((await harness.describeConsumers()).groupState).toBe('Stable')
  })

  test('of two assignors with a vote each, the one of the member that speaks is taken', async () => {
    const { harness, topicId } = await started()
    const old = new Consumer(harness, 'z', { subscribedTopicNames: ['topic'], serverAssignor: 'uniform' })
    const late = new Consumer(harness, 'a', { subscribedTopicNames: ['topic'], serverAssignor: 'range' })
    await old.beat()
    await late.beat()
    await settleGroup([old, late])
    // By the order of ids; the uniform assignor would have left 0 and 1 where they were.
    expect(late.owned.get(topicId)).toEqual([0, 1])
  })

  test('a static member that is replaced has no vote any more', async () => {
    const { harness, topicId } = await started()
    const other = new Consumer(harness, 'a', { subscribedTopicNames: ['topic'], serverAssignor: 'uniform' })
    const gone = new Consumer(harness, 'z', { subscribedTopicNames: ['topic'], serverAssignor: 'uniform' }, 'i')
    const back = new Consumer(harness, 'y', { subscribedTopicNames: ['topic', 'none'], serverAssignor: 'range' }, 'i')
    await other.beat()
    await gone.beat()
    await settleGroup([other, gone])
    await gone.leave(-2)
    await back.beat()
    await settleGroup([other, back])
    // By range static members come first; by the uniform assignor it would have kept what it had: 2 and 3.
    expect(back.owned.get(topicId)).toEqual([0, 1])
  })

  test('a heartbeat that changes nothing writes nothing and tells no assignment', async () => {
    const { harness, topicId } = await started()
    await harness.beat(FULL)
    const before = harness.log.batches.get(0)!.length
    const response = await harness.beat({ memberEpoch: 2 })
    expect(response).toMatchObject({ memberEpoch: 2, assignment: null })
    const owned = [{ topicId, partitions: [0, 1, 2, 3] }]
    const full = await harness.beat({ ...FULL, memberEpoch: 2, topicPartitions: owned })
    expect(full.assignment).toEqual({ topicPartitions: owned })
    expect(harness.log.batches.get(0)!.length).toBe(before)
  })

  test('assignments are made not more often than the interval allows', async () => {
    const harness = await ConsumerHarness.started()
    const { consumer } = harness.config
    const paceOf = () => ({ sessionTimeoutMs: 45_000, heartbeatIntervalMs: 5000, assignmentIntervalMs: 1000 })
    Object.assign(harness.config, { consumer: { ...consumer, paceOf } })
    await harness.restart()
    await harness.topic('topic', 2)
    const [a, b] = [new Consumer(harness, 'a'), new Consumer(harness, 'b')]
    await a.beat()
    await b.beat()
    expect((await harness.describeConsumers()).groupState).toBe('Assigning')
    await harness.pass(1000)
    await settleGroup([a, b])
    expect([a.partitions, b.partitions]).toEqual([1, 1])
  })
})

describe('KIP-848: refusals', () => {
  const cases: [string, Record<string, unknown>, number, keyof typeof errors, string | null][] = [
    ['no member id', { ...FULL, memberId: '' }, 1, 'INVALID_REQUEST', "MemberId can't be empty."],
    ['no group id', { ...FULL, groupId: ' ' }, 1, 'INVALID_REQUEST', "GroupId can't be empty."],
    ['blank instance', { ...FULL, instanceId: '' }, 1, 'INVALID_REQUEST', "InstanceId can't be empty."],
    ['blank rack', { ...FULL, rackId: '' }, 1, 'INVALID_REQUEST', "RackId can't be empty."],
    [
      'no rebalance timeout',
      { ...FULL, rebalanceTimeoutMs: -1 },
      1,
      'INVALID_REQUEST',
      'RebalanceTimeoutMs must be provided in first request.',
    ],
    [
      'owned partitions',
      { ...FULL, topicPartitions: null },
      1,
      'INVALID_REQUEST',
      'TopicPartitions must be empty when (re-)joining.',
    ],
    [
      'no subscription',
      { ...FULL, subscribedTopicNames: null },
      1,
      'INVALID_REQUEST',
      'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.',
    ],
    ['epoch -3', { memberEpoch: -3 }, 1, 'INVALID_REQUEST', 'MemberEpoch is invalid.'],
    ['epoch -2 of a dynamic member', { memberEpoch: -2 }, 1, 'INVALID_REQUEST', "InstanceId can't be null."],
    [
      'unknown assignor',
      { ...FULL, serverAssignor: 'sticky' },
      1,
      'UNSUPPORTED_ASSIGNOR',
      'ServerAssignor sticky is not supported. Supported assignors: uniform, range.',
    ],
    ['unknown group', { groupId: 'none', memberEpoch: 1 }, 1, 'GROUP_ID_NOT_FOUND', 'Consumer group none not found.'],
    [
      'unknown member',
      { memberId: 'm9', memberEpoch: 2 },
      1,
      'UNKNOWN_MEMBER_ID',
      'Member m9 is not a member of group group.',
    ],
    ['unknown instance', { memberEpoch: 2, instanceId: 'i' }, 1, 'UNKNOWN_MEMBER_ID', 'Instance id i is unknown.'],
    [
      'epoch ahead',
      { memberEpoch: 3 },
      1,
      'FENCED_MEMBER_EPOCH',
      'The consumer group member has a greater member epoch (3) than the one known by the group coordinator (2). ' +
        'The member must abandon all its partitions and rejoin.',
    ],
    [
      'epoch behind',
      { memberEpoch: 1 },
      1,
      'FENCED_MEMBER_EPOCH',
      'The consumer group member has a smaller member epoch (1) than the one known by the group coordinator (2). ' +
        'The member must abandon all its partitions and rejoin.',
    ],
  ]

  test.each(cases)('%s', async (_, request, version, name, message) => {
    const { harness } = await started()
    await harness.beat(FULL)
    const before = await harness.describeConsumers()
    const response = await harness.beat(request, version)
    expect(response).toMatchObject({ errorCode: errors[name].code, errorMessage: message })
    expect(await harness.describeConsumers()).toEqual(before)
  })

  test('a full group', async () => {
    const { harness } = await started()
    Object.assign(harness.config.consumer, { maxGroupSize: 1 })
    await harness.beat(FULL)
    const response = await harness.beat({ ...FULL, memberId: 'm2' })
    Object.assign(harness.config.consumer, { maxGroupSize: 100 })
    expect(response.errorCode).toBe(errors.GROUP_MAX_SIZE_REACHED.code)
    expect(response.errorMessage).toBe('The consumer group has reached its maximum capacity of 1 members.')
  })

  test('a member whose answer was lost may come with the epoch before', async () => {
    const { harness } = await started()
    const [a, b] = [new Consumer(harness, 'a'), new Consumer(harness, 'b')]
    await settleGroup([a])
    await b.beat()
    await settleGroup([b])
    await a.beat()
    await a.beat()
    expect(a.epoch).toBe(3)
    const owned = Array.from(a.owned, ([topicId, partitions]) => ({ topicId, partitions }))
    const again = await harness.beat({ memberId: 'a', memberEpoch: 2, topicPartitions: owned })
    expect(again.errorCode ?? 0).toBe(0)
    expect(again.memberEpoch).toBe(3)
  })
})

describe('KIP-848: leaving', () => {
  test('a member that leaves gives its partitions to the others', async () => {
    const { harness } = await started()
    const [a, b] = [new Consumer(harness, 'a'), new Consumer(harness, 'b')]
    await settleGroup([a, b])
    expect(await b.leave()).toMatchObject({ memberId: 'b', memberEpoch: -1 })
    await settleGroup([a])
    expect(a.partitions).toBe(4)
  })

  test('a silent member is out after its session, an empty group stays', async () => {
    const { harness } = await started()
    const a = new Consumer(harness, 'a')
    await a.beat()
    await harness.pass(45_000)
    expect(await harness.describeConsumers()).toMatchObject({ groupState: 'Empty', members: [] })
    expect(await a.beat()).toBe(errors.UNKNOWN_MEMBER_ID.code)
    expect(await harness.done(harness.coordinator.deleteGroups(['group']))).toEqual([
      { groupId: 'group', errorCode: 0 },
    ])
    expect((await harness.describeConsumers()).errorCode).toBe(errors.GROUP_ID_NOT_FOUND.code)
  })

  test('a member whose leaving could not be written down is out after its session', async () => {
    const { harness } = await started()
    const consumer = new Consumer(harness, 'a')
    await consumer.beat()
    harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    expect((await consumer.leave()).errorCode).toBe(errors.NOT_COORDINATOR.code)
    expect((await harness.describeConsumers()).members).toHaveLength(1)
    await harness.pass(45_000)
    expect((await harness.describeConsumers()).members).toEqual([])
  })

  test('a member that does not revoke is out after its rebalance timeout', async () => {
    const { harness } = await started()
    const [a, b] = [new Consumer(harness, 'a'), new Consumer(harness, 'b')]
    await a.beat()
    await b.beat()
    await a.beat()
    for (let i = 0; i < 3; i++) {
      await harness.pass(9000)
      await harness.beat({ memberId: 'a', memberEpoch: a.epoch })
      await b.beat()
    }
    expect(b.partitions).toBe(0)
    await harness.pass(3000)
    expect((await harness.describeConsumers()).members.map(({ memberId }) => memberId)).toEqual(['b'])
    await settleGroup([b])
    expect(b.partitions).toBe(4)
  })
})

describe('KIP-848: static members', () => {
  test('one that goes for a while keeps its partitions for who comes back', async () => {
    const { harness } = await started()
    const a = new Consumer(harness, 'a', undefined, 'i1')
    const b = new Consumer(harness, 'b', undefined, 'i2')
    await settleGroup([a, b])
    const had = [...b.owned]
    const rejoining = new Consumer(harness, 'b2', undefined, 'i2')
    expect(await rejoining.beat()).toBe(errors.UNRELEASED_INSTANCE_ID.code)
    await b.leave(-2)
    const { groupEpoch } = await harness.describeConsumers()
    expect(await rejoining.beat()).toBe(0)
    expect([...rejoining.owned]).toEqual(had)
    expect((await harness.describeConsumers()).groupEpoch).toBe(groupEpoch)
    expect(await b.beat()).toBe(errors.FENCED_INSTANCE_ID.code)
  })

  test('one that does not come back is out after its session', async () => {
    const { harness } = await started()
    const b = new Consumer(harness, 'b', undefined, 'i2')
    await settleGroup([b])
    await b.leave(-2)
    await harness.pass(45_000)
    expect((await harness.describeConsumers()).groupState).toBe('Empty')
  })
})

describe('KIP-848: subscriptions', () => {
  test('new partitions and topics bring new assignments', async () => {
    const { harness } = await started(1)
    const a = new Consumer(harness, 'a', { subscribedTopicNames: ['topic', 'later'] })
    await settleGroup([a])
    expect(a.partitions).toBe(1)
    await harness.topic('topic', 3)
    await settleGroup([a])
    expect(a.partitions).toBe(3)
    await harness.topic('later', 2)
    await settleGroup([a])
    expect(a.partitions).toBe(5)
    await harness.deleteTopic('later')
    await settleGroup([a])
    expect(a.partitions).toBe(3)
  })

  test('a regular expression means topics that are there and topics that come', async () => {
    const harness = await ConsumerHarness.started()
    await harness.topic('orders-1', 1)
    await harness.topic('other', 1)
    const a = new Consumer(harness, 'a', { subscribedTopicRegex: 'orders-\\d+' })
    await a.beat()
    await settleGroup([a])
    expect(a.partitions).toBe(1)
    await harness.topic('orders-22', 2)
    await harness.pass(10_001)
    await a.beat()
    await settleGroup([a])
    expect(a.partitions).toBe(3)
    a.subscription = { subscribedTopicNames: ['other'], subscribedTopicRegex: '' }
    await a.beat(true)
    await settleGroup([a])
    expect(a.partitions).toBe(1)
  })

  test.each([
    ['(', 'missing closing )'],
    ['a(?=b)', 'invalid or unsupported Perl syntax'],
    ['(a)\\1', 'invalid escape sequence'],
  ])('the regular expression %s is none', async (subscribedTopicRegex, why) => {
    const { harness } = await started()
    const response = await harness.beat({ ...FULL, subscribedTopicNames: null, subscribedTopicRegex })
    expect(response.errorCode).toBe(errors.INVALID_REGULAR_EXPRESSION.code)
    expect(response.errorMessage).toBe(
      `SubscribedTopicRegex \`${subscribedTopicRegex}\` is not a valid regular expression: ${why}.`,
    )
  })

  test('a regular expression that backtracks elsewhere is matched in linear time', async () => {
    const harness = await ConsumerHarness.started()
    await harness.topic(`${'a'.repeat(240)}b`, 1)
    const a = new Consumer(harness, 'a', { subscribedTopicRegex: '(a*)*(a|a)*(a?){30}c' })
    await settleGroup([a])
    expect(a.partitions).toBe(0)
  })
})

describe('KIP-848: offsets', () => {
  test('members commit with their epoch, or an earlier one for what they had then', async () => {
    const { harness, topicId } = await started()
    const [a, b] = [new Consumer(harness, 'a'), new Consumer(harness, 'b')]
    await settleGroup([a, b])
    const commit = (memberId: string, epoch: number, partition: number, version = 9) => {
      const topics = [{ name: 'topic', topicId, partitions: [commitPartition(partition, 1)] }]
      return harness.commit(0, { memberId, generationIdOrMemberEpoch: epoch, topics }, version)
    }
    const own = [...a.owned.values()][0]![0]!
    const foreign = [...b.owned.values()][0]![0]!
    expect(await commit('a', a.epoch, own)).toBe(0)
    expect(await commit('a', a.epoch, own, 8)).toBe(errors.UNSUPPORTED_VERSION.code)
    expect(await commit('a', a.epoch + 1, own)).toBe(errors.STALE_MEMBER_EPOCH.code)
    expect(await commit('a', 2, own)).toBe(0)
    expect(await commit('b', 2, foreign)).toBe(errors.STALE_MEMBER_EPOCH.code)
    expect(await commit('c', a.epoch, own)).toBe(errors.UNKNOWN_MEMBER_ID.code)
    const fetch = async (memberId: string | null, memberEpoch: number) => {
      const topics = [{ name: 'topic', topicId, partitionIndexes: [own] }]
      const request = { groupId: 'group', memberId, memberEpoch, topics }
      return (await harness.done(harness.coordinator.fetchOffsets(request, false))).errorCode
    }
    expect(await fetch('a', a.epoch)).toBe(0)
    expect(await fetch(null, -1)).toBe(0)
    expect(await fetch('a', 1)).toBe(errors.STALE_MEMBER_EPOCH.code)
    expect(await fetch('c', 1)).toBe(errors.UNKNOWN_MEMBER_ID.code)
  })
})
