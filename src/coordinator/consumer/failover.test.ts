import { beforeEach, describe, expect, test } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import { Consumer, ConsumerHarness } from './consumer.testkit.ts'

const REBALANCE_TIMEOUT_MS = 30_000
const SESSION_TIMEOUT_MS = 45_000
const FULL = { rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS, subscribedTopicNames: ['topic'] }

/** What another coordinator makes of a group that it has read from the log, and of members that know nothing of that. */
describe('KIP-848: a coordinator takes over while a member has partitions to give up', () => {
  let harness: ConsumerHarness
  /** It was told to give two of four partitions up, and its epoch is 2 until it has. */
  let a: Consumer
  let b: Consumer
  let all: { topicId: string; partitions: number[] }[]
  let half: { topicId: string; partitions: number[] }[]

  const owned = (consumer: Consumer) =>
    Array.from(consumer.owned, ([topicId, partitions]) => ({ topicId, partitions: [...partitions] }))
  const ids = async () => (await harness.describeConsumers()).members.map(({ memberId }) => memberId)
  /** The answer to a heartbeat of `a`, in short. */
  const told = async (request: Parameters<ConsumerHarness['beat']>[0]) => {
    const { errorCode = 0, memberEpoch, assignment } = await harness.beat({ memberId: 'a', memberEpoch: 2, ...request })
    return { errorCode, memberEpoch, assignment: assignment?.topicPartitions ?? null }
  }

  beforeEach(async () => {
    harness = await ConsumerHarness.started()
    await harness.topic('topic', 4)
    a = new Consumer(harness, 'a')
    b = new Consumer(harness, 'b')
    await a.beat()
    all = owned(a)
    await b.beat()
    await a.beat()
    half = owned(a)
    expect([a.epoch, a.partitions]).toEqual([2, 2])
    await harness.restart()
  })

  test.each([
    ['nothing', false],
    ['what it had before', true],
  ])('a heartbeat that says %s is told no assignment: it has not changed', async (_, saysAll) => {
    const before = harness.log.batches.get(0)!.length
    const response = await told({ topicPartitions: saysAll ? all : null })
    expect(response).toEqual({ errorCode: 0, memberEpoch: 2, assignment: null })
    expect(harness.log.batches.get(0)!.length).toBe(before)
  })

  test('a heartbeat in full is told what is left', async () => {
    const response = await told({ ...FULL, topicPartitions: all })
    expect(response).toEqual({ errorCode: 0, memberEpoch: 2, assignment: half })
  })

  test('a heartbeat that says what is left ends the revocation, and is told no assignment', async () => {
    expect(await told({ topicPartitions: half })).toEqual({ errorCode: 0, memberEpoch: 3, assignment: null })
    await b.beat()
    expect(b.partitions).toBe(2)
  })

  test('of members whose answer was lost, one may come with the epoch before that has no more than what is left', async () => {
    await told({ topicPartitions: half })
    await harness.restart()
    expect(await told({ topicPartitions: half })).toEqual({ errorCode: 0, memberEpoch: 3, assignment: null })
    expect(await told({ ...FULL, topicPartitions: half })).toEqual({ errorCode: 0, memberEpoch: 3, assignment: half })
    for (const topicPartitions of [null, all]) {
      expect((await told({ topicPartitions })).errorCode).toBe(errors.FENCED_MEMBER_EPOCH.code)
    }
  })

  test.each([
    ['nothing more', {}, false],
    ['that it still has all of them', {}, true],
    ['so in full', FULL, true],
  ])('one that says %s is out a rebalance timeout after that', async (_, more, saysAll) => {
    const request = { ...more, topicPartitions: saysAll ? all : null }
    for (let i = 0; i < 5; i++) {
      await harness.pass(REBALANCE_TIMEOUT_MS / 5 - 1)
      await told(request)
      await b.beat()
    }
    expect(await ids()).toEqual(['a', 'b'])
    expect(b.partitions).toBe(0)
    await harness.pass(5)
    expect(await ids()).toEqual(['b'])
    expect((await told(request)).errorCode).toBe(errors.UNKNOWN_MEMBER_ID.code)
    await b.beat()
    await b.beat()
    expect(b.partitions).toBe(4)
  })

  test('members that do not come back are out a session after that', async () => {
    await told({ topicPartitions: half })
    await harness.restart()
    await harness.pass(SESSION_TIMEOUT_MS - 1)
    expect(await ids()).toEqual(['a', 'b'])
    await harness.pass(1)
    expect(await ids()).toEqual([])
  })
})
