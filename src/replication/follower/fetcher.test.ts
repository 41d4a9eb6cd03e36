import { describe, expect, it } from 'vitest'
import type { PartitionLog } from '../../log/partition-log.ts'
import { readValues } from '../../log/testkit.ts'
import { errors } from '../../protocol/errors.ts'
import type { Partition } from '../partition.ts'
import { answerOf, leaderBatch, responseOf, SETTINGS, stateOf, TOPIC_ID, World } from './follower.testkit.ts'

const valuesOf = async (partition: Partition) =>
  (await readValues(partition.log as PartitionLog)).map(([offset, value]) => `${offset} ${value}`)

describe('a follower', () => {
  it('says who it is and what it has, and appends what it gets as it is', async () => {
    const world = await new World().listen()
    const { leader } = world
    leader.onFetch = ({ topics }) => {
      const offset = topics[0]!.partitions[0]!.fetchOffset
      if (offset === 3) return undefined
      const records = offset === 0 ? [leaderBatch(0, 4, ['a', 'b'])] : [leaderBatch(2, 5, ['c'])]
      return responseOf([answerOf(0, { records, highWatermark: offset, logStartOffset: 0 })])
    }
    const partition = world.partition()
    world.manager.follow(partition)
    await world.settle()
    expect(leader.fetchVersions[0]).toBe(18)
    expect(leader.fetches[0]).toMatchObject({
      replicaState: { replicaId: 2, replicaEpoch: 77 },
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: SETTINGS.responseMaxBytes,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: 0,
    })
    const asked = leader.fetches.map(({ topics }) => topics[0]!.partitions[0]!)
    expect(asked).toMatchObject([
      { partition: 0, currentLeaderEpoch: 5, fetchOffset: 0, lastFetchedEpoch: -1, logStartOffset: 0 },
      { partition: 0, currentLeaderEpoch: 5, fetchOffset: 2, lastFetchedEpoch: 4, logStartOffset: 0 },
      { partition: 0, currentLeaderEpoch: 5, fetchOffset: 3, lastFetchedEpoch: 5, logStartOffset: 0 },
    ])
    expect(leader.fetches[0]!.topics[0]!.topicId).toBe(TOPIC_ID)
    expect(await valuesOf(partition)).toEqual(['0 a', '1 b', '2 c'])
    expect(partition.log.highWatermark).toBe(2)
    expect(partition.log.latestEpoch).toBe(5)
  })

  it('of a leader that knows no newer version says who it is as one did then (KIP-903)', async () => {
    const world = await new World().listen()
    world.leader.maxFetchVersion = 14
    world.manager.follow(world.partition())
    await world.settle()
    expect(world.leader.fetchVersions).toEqual([14])
    expect(world.leader.fetches[0]).toMatchObject({ replicaId: 2 })
  })

  it('drops what the leader does not have, by the epoch that the leader names (KIP-595)', async () => {
    const world = await new World().listen()
    const partition = world.partition()
    const ours = { origin: 'replication', leaderEpoch: 4 } as const
    await partition.log.append(
      [leaderBatch(0, 2, ['a']), leaderBatch(1, 3, ['b']), leaderBatch(2, 4, ['x', 'y'])],
      ours,
    )
    partition.log.advanceHighWatermark(1)
    const asked: [number, number][] = []
    world.leader.onFetch = ({ topics }) => {
      const { fetchOffset, lastFetchedEpoch } = topics[0]!.partitions[0]!
      asked.push([fetchOffset, lastFetchedEpoch])
      if (lastFetchedEpoch === 4) return responseOf([answerOf(0, { divergingEpoch: { epoch: 3, endOffset: 3 } })])
      if (lastFetchedEpoch === 5) return undefined
      return responseOf([answerOf(0, { records: [leaderBatch(2, 5, ['c', 'd'])], highWatermark: 4 })])
    }
    world.manager.follow(partition)
    await world.settle()
    expect(asked).toEqual([
      [4, 4],
      [2, 3],
      [4, 5],
    ])
    expect(await valuesOf(partition)).toEqual(['0 a', '1 b', '2 c', '3 d'])
    expect((partition.log as PartitionLog).epochs).toEqual([
      { epoch: 2, startOffset: 0 },
      { epoch: 3, startOffset: 1 },
      { epoch: 5, startOffset: 2 },
    ])
  })

  it('of an epoch in which it led and wrote nothing says nothing', async () => {
    const world = await new World().listen()
    const partition = world.partition({ leader: 2, leaderEpoch: 3 })
    expect(partition.log.latestEpoch).toBe(3)
    partition.update(stateOf({ leaderEpoch: 4 }))
    world.manager.follow(partition)
    await world.settle()
    expect(world.leader.fetches[0]!.topics[0]!.partitions[0]).toMatchObject({
      lastFetchedEpoch: -1,
      currentLeaderEpoch: 4,
    })
  })

  it('pauses after an error, a short time where it is likely to pass, and goes on', async () => {
    const world = await new World().listen()
    const codes = [errors.UNKNOWN_LEADER_EPOCH.code, errors.KAFKA_STORAGE_ERROR.code]
    world.leader.onFetch = ({ topics }) => {
      if (topics[0]?.partitions[0]?.fetchOffset !== 0) return undefined
      const errorCode = codes.shift()
      if (errorCode !== undefined) return responseOf([answerOf(0, { errorCode })])
      return responseOf([answerOf(0, { records: [leaderBatch(0, 5, ['a'])] })])
    }
    const partition = world.partition()
    world.manager.follow(partition)
    await world.settle()
    expect(world.leader.fetches).toHaveLength(1)
    await world.time.advance(60)
    expect(world.leader.fetches).toHaveLength(2)
    await world.time.advance(900)
    expect(world.leader.fetches).toHaveLength(2)
    await world.time.advance(120)
    expect(await valuesOf(partition)).toEqual(['0 a'])
  })

  it('waits for the next epoch where its own is over (KIP-101)', async () => {
    const world = await new World().listen()
    world.leader.onFetch = ({ topics }) => {
      if (topics[0]?.partitions[0]?.currentLeaderEpoch !== 5) return undefined
      return responseOf([answerOf(0, { errorCode: errors.FENCED_LEADER_EPOCH.code })])
    }
    const partition = world.partition()
    world.manager.follow(partition)
    await world.time.advance(10_000)
    expect(world.leader.fetches).toHaveLength(1)
    expect(world.manager.failedCount).toBe(1)
    partition.update(stateOf({ leaderEpoch: 6 }))
    world.manager.follow(partition)
    await world.settle()
    expect(world.manager.failedCount).toBe(0)
    expect(world.leader.fetches[1]!.topics[0]!.partitions[0]).toMatchObject({ currentLeaderEpoch: 6 })
  })

  it('ignores what was asked in an epoch that is over when the answer comes', async () => {
    const world = await new World().listen()
    let respond: (() => void) | undefined
    world.leader.onFetch = (request, answer) => {
      if (request.topics[0]?.partitions[0]?.currentLeaderEpoch === 5) {
        respond = () => answer(responseOf([answerOf(0, { records: [leaderBatch(0, 5, ['a'])] })]))
      }
      return undefined
    }
    const partition = world.partition()
    world.manager.follow(partition)
    await world.settle()
    partition.update(stateOf({ leaderEpoch: 6 }))
    world.manager.follow(partition)
    respond!()
    await world.settle()
    expect(partition.log.logEndOffset).toBe(0)
    expect(world.leader.fetches.at(-1)!.topics[0]!.partitions[0]).toMatchObject({ currentLeaderEpoch: 6 })
  })

  it('appends nothing after it has become the leader', async () => {
    const world = await new World().listen()
    let respond = () => {}
    world.leader.onFetch = (_, answer) => {
      respond = () => answer(responseOf([answerOf(0, { records: [leaderBatch(0, 5, ['a'])] })]))
      return undefined
    }
    const partition = world.partition()
    world.manager.follow(partition)
    await world.settle()
    partition.update(stateOf({ leaderEpoch: 6, leader: 2 }))
    world.manager.stop(partition)
    respond()
    await world.settle()
    expect(partition.log.logEndOffset).toBe(0)
    expect(world.manager.partitionCount).toBe(0)
  })

  it('tries again when its leader is not there, and finds it where it has moved', async () => {
    const world = new World()
    const partition = world.partition()
    world.manager.follow(partition)
    await world.time.advance(5000)
    expect(world.warnings).toHaveLength(1)
    world.leaderPort = undefined
    await world.time.advance(5000)
    world.leaderPort = 9093
    await world.listen(9093)
    await world.time.advance(1100)
    expect(world.leader.fetches).toHaveLength(1)
  })

  it('does not wait for a leader that is not where it was', async () => {
    const world = await new World().listen()
    world.manager.follow(world.partition())
    await world.settle()
    world.manager.brokersChanged()
    await world.settle()
    expect(world.leader.fetches).toHaveLength(1)
    await world.listen(9093)
    world.leaderPort = 9093
    world.manager.brokersChanged()
    await world.settle()
    expect(world.leader.fetches).toHaveLength(2)
    expect(world.warnings).toEqual([])
  })

  it('does not let partitions that have just come wait for as long as a fetch does, but not too often', async () => {
    const world = await new World().listen()
    world.leader.onFetch = ({ topics, maxWaitMs }, respond) => {
      const asked = topics.flatMap(({ partitions }) => partitions)
      const answers = asked.map(({ partition }) => answerOf(partition))
      world.time.after(maxWaitMs, () => respond(responseOf(answers)))
      return undefined
    }
    const askedAfter = async (durationMs: number) => {
      await world.time.advance(durationMs)
      const last = world.leader.fetches.at(-1)!
      return last.topics.flatMap(({ partitions }) => partitions.map(({ partition }) => partition))
    }
    world.manager.follow(world.partition())
    expect(await askedAfter(50)).toEqual([0])
    world.manager.follow(world.partition({ partition: 1 }))
    expect(await askedAfter(40)).toEqual([0, 1])
    world.manager.follow(world.partition({ partition: 2 }))
    expect(await askedAfter(300)).toEqual([0, 1])
    expect(await askedAfter(300)).toEqual([0, 1, 2])
    expect(world.leader.connectionCount).toBe(2)
    expect(world.warnings).toEqual([])
    await world.manager.close()
  })

  it('closes its connection when there is nothing left to follow', async () => {
    const world = await new World().listen()
    world.leader.onFetch = () => responseOf([answerOf(0)])
    const partition = world.partition()
    world.manager.follow(partition)
    world.leader.onFetch = () => undefined
    await world.settle()
    world.manager.stop(partition)
    await world.manager.close()
    await world.settle()
    expect(world.time.pendingTasks).toBe(0)
  })
})
