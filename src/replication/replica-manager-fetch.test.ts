import { beforeEach, describe, expect, it } from 'vitest'
import { errors } from '../protocol/errors.ts'
import type { FetchParams, FetchSpec } from './fetch-reader.ts'
import type { Partition } from './partition.ts'
import { batch, ReplicaWorld, spec, state } from './replica-manager.testkit.ts'

let world: ReplicaWorld

beforeEach(() => {
  world = new ReplicaWorld()
})

describe('fetches from a ReplicaManager', () => {
  it('waits for data, and wakes on an append to any of the partitions', async () => {
    const waiting = world.fetch({ maxWaitMs: 60_000 }, spec(0), spec(1))
    expect(await world.now(waiting)).toBe('waits')
    await world.append(1, ['x'])
    const results = await world.now(waiting)
    expect(results).toMatchObject([{ sizeBytes: 0 }, { highWatermark: 1 }])
    expect(world.environment.time.pendingTasks).toBe(0)
  })

  it('answers empty when the time is up', async () => {
    const waiting = world.fetch({ maxWaitMs: 500 }, spec(0))
    await world.environment.time.advance(499)
    expect(await world.now(waiting)).toBe('waits')
    await world.environment.time.advance(1)
    expect(await world.now(waiting)).toMatchObject([{ error: errors.NONE, sizeBytes: 0, highWatermark: 0 }])
  })

  it('waits until minBytes have come in all partitions together', async () => {
    const sizeBytes = batch(['0123456789']).length
    await world.append(0, ['0123456789'])
    const waiting = world.fetch({ minBytes: 3 * sizeBytes, maxWaitMs: 60_000 }, spec(0), spec(1))
    await world.append(1, ['0123456789'])
    expect(await world.now(waiting)).toBe('waits')
    await world.append(0, ['0123456789'])
    expect(await world.now(waiting)).toMatchObject([{ sizeBytes: 2 * sizeBytes }, { sizeBytes }])
  })

  it('does not count more of a partition than it may give', async () => {
    const sizeBytes = batch(['0123456789']).length
    const waiting = world.fetch(
      { minBytes: 2 * sizeBytes, maxWaitMs: 60_000 },
      spec(0, { maxBytes: sizeBytes }),
      spec(1),
    )
    await world.append(0, ['0123456789'])
    await world.append(0, ['0123456789'])
    expect(await world.now(waiting)).toBe('waits')
    await world.append(1, ['0123456789'])
    expect(await world.now(waiting)).toMatchObject([{ sizeBytes }, { sizeBytes }])
  })

  it('does not wait with an error, without a wait time, or without anything to read', async () => {
    expect(await world.now(world.fetch({ maxWaitMs: 60_000 }, spec(0), spec(7)))).toMatchObject([
      { error: errors.NONE },
      { error: errors.NOT_LEADER_OR_FOLLOWER },
    ])
    expect(await world.now(world.fetch({ maxWaitMs: 0 }, spec(0)))).toMatchObject([{ sizeBytes: 0 }])
    expect(await world.now(world.fetch({ maxWaitMs: 60_000 }))).toEqual([])
  })

  it('ends the waiting when the client is gone', async () => {
    const waiting = world.fetch({ maxWaitMs: 2 ** 31 - 1 }, spec(0))
    await world.now(waiting)
    world.abandon!()
    expect(await world.now(waiting)).not.toBe('waits')
    expect(world.environment.time.pendingTasks).toBe(0)
  })

  it('ends the waiting when the partition goes', async () => {
    const waiting = world.fetch({ maxWaitMs: 60_000 }, spec(0))
    await world.now(waiting)
    world.replicas.apply([], [state(0)])
    expect(await world.now(waiting)).toMatchObject([{ error: errors.NOT_LEADER_OR_FOLLOWER }])
  })

  it('goes on waiting when nothing came of a change', async () => {
    const waiting = world.fetch({ maxWaitMs: 60_000 }, spec(0))
    await world.now(waiting)
    world.replicas.apply([state(0, { leaderEpoch: 4 })], [])
    expect(await world.now(waiting)).toBe('waits')
    await world.append(0, ['x'])
    expect(await world.now(waiting)).toMatchObject([{ highWatermark: 1 }])
  })

  it('shares maxBytes among the partitions, in order, but always gives one whole batch', async () => {
    const sizeBytes = batch(['0123456789']).length
    for (const partition of [0, 1]) {
      await world.append(partition, ['0123456789'])
      await world.append(partition, ['0123456789'])
    }
    const sizes = async (change: Partial<FetchParams>, ...specs: FetchSpec[]) =>
      (await world.fetch(change, ...specs)).map((result) => result.sizeBytes)
    expect(await sizes({ maxBytes: 3 * sizeBytes }, spec(0), spec(1))).toEqual([2 * sizeBytes, sizeBytes])
    expect(await sizes({ maxBytes: 1 }, spec(0), spec(1))).toEqual([sizeBytes, 0])
    expect(await sizes({ maxBytes: 0 }, spec(0, { fetchOffset: 2 }), spec(1))).toEqual([0, sizeBytes])
    expect(await sizes({}, spec(0, { maxBytes: 0 }), spec(1, { maxBytes: 0 }))).toEqual([sizeBytes, 0])
  })

  it.each([
    ['an older leader epoch', { currentLeaderEpoch: 2 }, errors.FENCED_LEADER_EPOCH],
    ['a newer leader epoch', { currentLeaderEpoch: 4 }, errors.UNKNOWN_LEADER_EPOCH],
    ['the topic id of another topic', { topicId: 'AAAAAAAAAAAAAAAAAAAAAg' }, errors.INCONSISTENT_TOPIC_ID],
    ['an offset past the end', { fetchOffset: 3 }, errors.OFFSET_OUT_OF_RANGE],
    ['a negative offset', { fetchOffset: -1 }, errors.OFFSET_OUT_OF_RANGE],
    ['a negative size', { maxBytes: -1 }, errors.UNKNOWN_SERVER_ERROR],
  ] satisfies [string, Partial<FetchSpec>, unknown][])('refuses %s', async (_, change, error) => {
    await world.append(0, ['a', 'b'])
    const [result] = await world.fetch({}, spec(0, change))
    expect(result).toMatchObject({ error, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, sizeBytes: 0 })
  })

  it('tells a reader of a later epoch where its log parts from this one (KIP-595)', async () => {
    await world.append(0, ['a', 'b'])
    const [result] = await world.fetch({}, spec(0, { fetchOffset: 5, lastFetchedEpoch: 3 }))
    expect(result).toMatchObject({ error: errors.NONE, divergingEpoch: { epoch: 3, endOffset: 2 }, sizeBytes: 0 })
  })

  it('serves only the leader when the reader must have it', async () => {
    world.replicas.apply([state(0, { leader: 2, leaderEpoch: 4, replicas: [1, 2], isr: [1, 2] })], [])
    const [result] = await world.fetch({ mustLead: true }, spec(0))
    expect(result!.error).toBe(errors.NOT_LEADER_OR_FOLLOWER)
    expect((await world.append(0, ['x'])).error).toBe(errors.NOT_LEADER_OR_FOLLOWER)
  })

  describe('fetches of followers', () => {
    const both = { replicas: [1, 2], isr: [1, 2] }
    const fetchBy = (change: Partial<FetchParams>, ...specs: FetchSpec[]) =>
      world.fetch({ replicaId: 2, upTo: 'logEnd', maxWaitMs: 0, ...change }, ...specs)

    beforeEach(() => {
      world.replicas.apply([state(0, both), state(1, both)], [])
    })

    it('move the high watermark, which they hear of at once', async () => {
      void world.append(0, ['a', 'b'])
      await world.environment.time.advance(0)
      expect(await world.now(fetchBy({}, spec(0)))).toMatchObject([{ highWatermark: 0, logEndOffset: 2 }])
      expect(await world.now(fetchBy({}, spec(0, { fetchOffset: 2 })))).toMatchObject([
        { highWatermark: 2, sizeBytes: 0 },
      ])
    })

    it('say nothing of a follower where it has records that the leader has not', async () => {
      void world.append(0, ['a'])
      await world.environment.time.advance(0)
      expect(await world.now(fetchBy({}, spec(0, { fetchOffset: 2 })))).toMatchObject([
        { error: errors.OFFSET_OUT_OF_RANGE },
      ])
      const diverging = spec(0, { fetchOffset: 1, lastFetchedEpoch: 2 })
      expect(await world.now(fetchBy({}, diverging))).toMatchObject([{ divergingEpoch: { endOffset: 0 } }])
      expect(world.replicas.get('topic', 0)!.log.highWatermark).toBe(0)
    })

    it('wait for what is appended, and not for what is committed', async () => {
      const waiting = fetchBy({ maxWaitMs: 60_000 }, spec(0), spec(1))
      expect(await world.now(waiting)).toBe('waits')
      void world.append(1, ['a'])
      expect(await world.now(waiting)).toMatchObject([{ sizeBytes: 0 }, { highWatermark: 0, logEndOffset: 1 }])
    })

    it('get nothing of partitions that are throttled (KIP-73), and are not woken by them', async () => {
      void world.append(0, ['a'])
      await world.environment.time.advance(0)
      const isThrottled = ({ partition }: Partition) => partition === 0
      const waiting = fetchBy({ isThrottled, maxWaitMs: 60_000 }, spec(0), spec(1))
      void world.append(0, ['b'])
      expect(await world.now(waiting)).toBe('waits')
      void world.append(1, ['c'])
      expect(await world.now(waiting)).toMatchObject([{ error: errors.NONE, sizeBytes: 0 }, { logEndOffset: 1 }])
    })

    it('are refused from brokers that have no replica', async () => {
      expect(await world.now(fetchBy({ replicaId: 3 }, spec(0)))).toMatchObject([
        { error: errors.NOT_LEADER_OR_FOLLOWER },
      ])
      const knowsEpoch = spec(0, { currentLeaderEpoch: 3 })
      expect(await world.now(fetchBy({ replicaId: 3 }, knowsEpoch))).toMatchObject([
        { error: errors.UNKNOWN_LEADER_EPOCH },
      ])
    })
  })

  it('sends consumers to the replica that is better for them (KIP-392)', async () => {
    await world.append(0, ['a'])
    const preferredReplica = ({ partition }: Partition, fetchOffset: number) =>
      partition === 0 && fetchOffset === 0 ? 2 : -1
    const waiting = world.fetch({ preferredReplica, mustLead: false, maxWaitMs: 60_000 }, spec(0))
    expect(await world.now(waiting)).toMatchObject([
      { error: errors.NONE, preferredReadReplica: 2, sizeBytes: 0, highWatermark: 1 },
    ])
    const [result] = await world.fetch({ preferredReplica, mustLead: false, maxWaitMs: 0 }, spec(0, { fetchOffset: 1 }))
    expect(result!.preferredReadReplica).toBe(-1)
  })
})
