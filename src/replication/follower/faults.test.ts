import { describe, expect, it } from 'vitest'
import type { PartitionLog } from '../../log/partition-log.ts'
import { readValues } from '../../log/testkit.ts'
import { errors } from '../../protocol/errors.ts'
import type { Partition } from '../partition.ts'
import { answerOf, leaderBatch, responseOf, stateOf, World } from './follower.testkit.ts'
import type { FollowerThrottle } from './follower-options.ts'

const FOLLOW = { origin: 'replication', leaderEpoch: 5 } as const

const valuesOf = async (partition: Partition) =>
  (await readValues(partition.log as PartitionLog)).map(([offset, value]) => `${offset} ${value}`)

/** Answers ListOffsets from a log that begins and ends at these. */
function listing(world: World, start: number, end: number, errorCode = 0) {
  world.leader.onListOffsets = ({ topics }) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, timestamp }) => ({
        partitionIndex,
        errorCode,
        timestamp: -1,
        offset: timestamp === -1 ? end : start,
        leaderEpoch: -1,
      })),
    })),
  })
}

/** The leader has records in [start, end), one each. */
function leading(world: World, start: number, end: number): void {
  listing(world, start, end)
  world.leader.onFetch = ({ topics }) => {
    const offset = topics[0]?.partitions[0]?.fetchOffset
    if (offset === undefined || offset === end) return undefined
    if (offset < start || offset > end) return responseOf([answerOf(0, { errorCode: errors.OFFSET_OUT_OF_RANGE.code })])
    const records = [leaderBatch(offset, 5, [`v${offset}`])]
    return responseOf([answerOf(0, { records, highWatermark: end, logStartOffset: start })])
  }
}

describe('a follower whose offset its leader does not have', () => {
  it('starts anew where the leader begins, when that is later (KIP-107)', async () => {
    const world = await new World().listen()
    const partition = world.partition()
    await partition.log.append([leaderBatch(0, 4, ['a', 'b'])], FOLLOW)
    leading(world, 7, 9)
    world.manager.follow(partition)
    await world.settle()
    expect(world.leader.listOffsets.map(({ replicaId }) => replicaId)).toEqual([2, 2])
    expect(world.leader.listOffsets[0]!.topics[0]!.partitions[0]).toMatchObject({
      currentLeaderEpoch: 5,
      timestamp: -1,
    })
    expect(await valuesOf(partition)).toEqual(['7 v7', '8 v8'])
    expect(partition.log).toMatchObject({ logStartOffset: 7, highWatermark: 9 })
  })

  it('goes back to where the leader ends, when that is earlier (an unclean election)', async () => {
    const world = await new World().listen()
    const partition = world.partition()
    await partition.log.append(
      [leaderBatch(0, 5, ['v0']), leaderBatch(1, 5, ['v1', 'x']), leaderBatch(3, 5, ['y'])],
      FOLLOW,
    )
    partition.log.advanceHighWatermark(4)
    leading(world, 0, 2)
    world.manager.follow(partition)
    await world.settle()
    expect(await valuesOf(partition)).toEqual(['0 v0', '1 v1'])
    expect(partition.log.highWatermark).toBe(2)
  })

  it('waits and asks again when the leader cannot say', async () => {
    const world = await new World().listen()
    const partition = world.partition()
    leading(world, 7, 9)
    listing(world, 7, 9, errors.NOT_LEADER_OR_FOLLOWER.code)
    world.manager.follow(partition)
    await world.time.advance(30)
    expect(world.leader.listOffsets).toHaveLength(1)
    listing(world, 7, 9)
    await world.time.advance(100)
    expect(await valuesOf(partition)).toEqual(['7 v7', '8 v8'])
  })

  it('waits where it is when the leader has it after all', async () => {
    const world = await new World().listen()
    listing(world, 0, 5)
    world.leader.onFetch = () => responseOf([answerOf(0, { errorCode: errors.OFFSET_OUT_OF_RANGE.code })])
    const partition = world.partition()
    world.manager.follow(partition)
    await world.time.advance(5000)
    expect(world.leader.fetches.length).toBeLessThan(7)
    expect(partition.log.logEndOffset).toBe(0)
  })

  it('does nothing when it leads by the time of the answer', async () => {
    const world = await new World().listen()
    const partition = world.partition()
    await partition.log.append([leaderBatch(0, 4, ['a', 'b'])], FOLLOW)
    leading(world, 7, 9)
    const inner = world.leader.onListOffsets
    world.leader.onListOffsets = (request) => {
      partition.update(stateOf({ leader: 2, leaderEpoch: 6, partitionEpoch: 2 }))
      world.manager.stop(partition)
      return inner(request)
    }
    world.manager.follow(partition)
    await world.settle()
    expect(await valuesOf(partition)).toEqual(['0 a', '1 b'])
  })
})

describe('a follower', () => {
  it('takes a batch that begins before the log does, where records of it were deleted (KIP-107)', async () => {
    const world = await new World().listen()
    const partition = world.partition()
    await partition.log.truncateFullyAndStartAt(2)
    world.leader.onFetch = ({ topics }) => {
      if (topics[0]?.partitions[0]?.fetchOffset !== 2) return undefined
      const records = [leaderBatch(1, 5, ['b', 'c', 'd'])]
      return responseOf([answerOf(0, { records, highWatermark: 4, logStartOffset: 2 })])
    }
    world.manager.follow(partition)
    await world.settle()
    expect(partition.log).toMatchObject({ logStartOffset: 2, logEndOffset: 4, highWatermark: 4 })
  })

  it.each([
    [200, 5],
    [60, 9],
  ])('puts into segments of %i bytes what it got at once', async (segmentBytes, segmentCount) => {
    const world = await new World().listen()
    const partition = world.partition({}, { segmentBytes })
    const values = Array.from({ length: 9 }, (_, index) => `value ${index}`)
    const records = Buffer.concat(values.map((value, offset) => leaderBatch(offset, 5, [value])))
    world.leader.onFetch = ({ topics }) =>
      topics[0]?.partitions[0]?.fetchOffset === 0 ? responseOf([answerOf(0, { records: [records] })]) : undefined
    world.manager.follow(partition)
    await world.settle()
    expect(await valuesOf(partition)).toEqual(values.map((value, offset) => `${offset} ${value}`))
    expect((partition.log as PartitionLog).segmentCount).toBe(segmentCount)
  })

  it('follows nobody any more once it is closed, whatever the metadata say', async () => {
    const world = await new World().listen()
    await world.manager.close()
    world.manager.follow(world.partition())
    await world.time.advance(1000)
    expect([world.manager.partitionCount, world.leader.fetches.length]).toEqual([0, 0])
  })

  it('keeps nothing of what is corrupt, and gets it again', async () => {
    const world = await new World().listen()
    const partition = world.partition()
    const other = world.partition({ partition: 1 })
    let isSpoilt = true
    world.leader.onFetch = ({ topics, maxWaitMs }, respond) => {
      const asked = topics.flatMap(({ partitions }) => partitions)
      if (asked.every(({ fetchOffset }) => fetchOffset > 0)) {
        world.time.after(maxWaitMs, () => respond(responseOf(asked.map(({ partition: index }) => answerOf(index)))))
        return undefined
      }
      const answers = asked.map(({ partition: index, fetchOffset }) => {
        const good = leaderBatch(fetchOffset, 5, ['a'])
        const records = Buffer.concat([good, leaderBatch(fetchOffset + 1, 5, ['b'])])
        if (isSpoilt && index === 0) records[records.length - 1]! ^= 1
        return answerOf(index, { records: [records] })
      })
      return responseOf(answers)
    }
    world.manager.follow(partition)
    world.manager.follow(other)
    await world.settle()
    expect(partition.log.logEndOffset).toBe(0)
    expect(await valuesOf(other)).toEqual(['0 a', '1 b'])
    expect(world.warnings).toEqual([expect.stringContaining('Following topic-0 failed: Record is corrupt')])
    isSpoilt = false
    await world.time.advance(1100)
    expect(await valuesOf(partition)).toEqual(['0 a', '1 b'])
  })

  it('takes a partition offline whose disk is full, so that its leader does not wait, and follows others', async () => {
    const world = await new World().listen()
    const { disk } = world.environment
    const partition = world.partition()
    const other = world.partition({ partition: 1 })
    disk.fault = (operation, path) => (operation === 'write' && path.includes('topic-0') ? 'ENOSPC' : undefined)
    world.leader.onFetch = ({ topics, maxWaitMs }, respond) => {
      const asked = topics.flatMap(({ partitions }) => partitions)
      if (asked.every(({ fetchOffset }) => fetchOffset > 0)) {
        world.time.after(maxWaitMs, () => respond(responseOf(asked.map(({ partition: index }) => answerOf(index)))))
        return undefined
      }
      const records = [leaderBatch(0, 5, ['a'])]
      return responseOf(
        asked.map(({ partition: index, fetchOffset }) => answerOf(index, fetchOffset === 0 ? { records } : {})),
      )
    }
    world.manager.follow(partition)
    world.manager.follow(other)
    await world.settle()
    expect([partition.log.logEndOffset, other.log.logEndOffset]).toEqual([0, 1])
    expect(partition.log.offline).toContain('ENOSPC')
    expect(other.log.offline).toBeUndefined()
    expect(world.manager.failedCount).toBe(1)
  })

  it('gives up a partition whose log is offline, and follows others', async () => {
    const world = await new World().listen()
    const partition = world.partition()
    const other = world.partition({ partition: 1 })
    world.leader.onFetch = ({ topics }) => {
      const asked = topics.flatMap(({ partitions }) => partitions)
      if (asked.length === 0) return undefined
      return responseOf(
        asked.map(({ partition: index, fetchOffset }) =>
          answerOf(index, fetchOffset === 0 ? { records: [leaderBatch(0, 5, ['a'])] } : {}),
        ),
      )
    }
    ;(partition.log as PartitionLog).fail('the disk is gone')
    world.manager.follow(partition)
    world.manager.follow(other)
    await world.time.advance(100)
    expect(other.log.logEndOffset).toBe(1)
    expect(world.manager.failedCount).toBe(1)
    const asked = world.leader.fetches.flatMap(({ topics }) => topics.flatMap(({ partitions }) => partitions))
    expect(asked.every(({ partition: index }) => index === 1)).toBe(true)
  })

  it.each([
    'UNKNOWN_TOPIC_ID',
    'INCONSISTENT_TOPIC_ID',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'NOT_LEADER_OR_FOLLOWER',
  ] as const)('asks again after %s, less and less often', async (name) => {
    const world = await new World().listen()
    world.leader.onFetch = () => responseOf([answerOf(0, { errorCode: errors[name].code })])
    world.manager.follow(world.partition())
    await world.time.advance(1600)
    expect(world.leader.fetches).toHaveLength(6)
    await world.time.advance(10_000)
    expect(world.leader.fetches.length).toBeLessThanOrEqual(16)
  })

  it('does not ask over and over where the leader sends it back to where it is', async () => {
    const world = await new World().listen()
    world.leader.onFetch = () => responseOf([answerOf(0, { divergingEpoch: { epoch: 4, endOffset: 0 } })])
    world.manager.follow(world.partition())
    await world.time.advance(5000)
    expect(world.leader.fetches.length).toBeLessThan(7)
  })
})

describe('a throttled follower (KIP-73)', () => {
  it('is left out while too much is fetched, unless it is in sync', async () => {
    const quota = { isExceeded: false, bytes: 0 }
    const throttle: FollowerThrottle = {
      isThrottled: (_, partition) => partition > 0,
      isExceeded: () => quota.isExceeded,
      record: (sizeBytes) => {
        quota.bytes += sizeBytes
      },
    }
    const world = await new World({ throttle }).listen()
    // Partition 1 is in sync after its first record, partition 2 is not.
    const end = [1, 1, 9]
    world.leader.onFetch = ({ topics }) => {
      const asked = topics.flatMap(({ partitions }) => partitions)
      const answers = asked.map(({ partition, fetchOffset }) => {
        const highWatermark = end[partition]!
        if (fetchOffset >= highWatermark) return answerOf(partition, { highWatermark })
        return answerOf(partition, { highWatermark, records: [leaderBatch(fetchOffset, 5, ['a'])] })
      })
      if (asked.some(({ fetchOffset }) => fetchOffset === 0)) quota.isExceeded = true
      return responseOf(answers)
    }
    const size = leaderBatch(0, 5, ['a']).length
    const partitions = [0, 1, 2].map((partition) => world.partition({ partition }))
    for (const partition of partitions) world.manager.follow(partition)
    await world.time.advance(200)
    expect(quota.bytes).toBe(2 * size)
    expect(partitions.map(({ log }) => log.logEndOffset)).toEqual([1, 1, 1])
    const last = world.leader.fetches.at(-1)!.topics.flatMap(({ partitions: asked }) => asked)
    expect(last.map(({ partition }) => partition).sort()).toEqual([0, 1])
    quota.isExceeded = false
    await world.time.advance(200)
    expect(partitions[2]!.log.logEndOffset).toBe(9)
    await world.manager.close()
  })

  it('of which all is left out asks for nothing until there is room', async () => {
    let isExceeded = true
    const throttle: FollowerThrottle = { isThrottled: () => true, isExceeded: () => isExceeded, record: () => {} }
    const world = await new World({ throttle }).listen()
    world.manager.follow(world.partition())
    await world.time.advance(3000)
    expect(world.leader.fetches).toHaveLength(0)
    isExceeded = false
    await world.time.advance(150)
    expect(world.leader.fetches).toHaveLength(1)
  })
})
