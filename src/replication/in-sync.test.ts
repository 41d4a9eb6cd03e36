import { beforeEach, describe, expect, it } from 'vitest'
import { errors } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import { LAG_MS, LedPartitionHarness } from './leader.testkit.ts'

let led: LedPartitionHarness

beforeEach(() => {
  led = new LedPartitionHarness()
})

describe('followers', () => {
  it.each([
    ['of an earlier life of the broker (KIP-903)', 2, 101, errors.NOT_LEADER_OR_FOLLOWER],
    ['that do not say', 2, -1, undefined],
    ['of a life that the metadata do not know yet', 2, 103, undefined],
    ['that are none', 4, -1, errors.NOT_LEADER_OR_FOLLOWER],
  ])('%s', (_, brokerId, brokerEpoch, error) => {
    expect(led.partition.fetchedBy({ brokerId, brokerEpoch, offset: 0, logStartOffset: 0 })).toBe(error)
  })

  it('join those in sync when they have all that is committed, with the epochs of brokers', async () => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    await led.write(3)
    led.fetch(2, 3)
    led.fetch(3, 2)
    expect(led.changes.asked).toEqual([])
    led.fetch(3, 3)
    expect(led.changes.asked.map(({ change }) => change)).toEqual([
      {
        topicId: led.partition.topicId,
        partition: 0,
        leaderEpoch: 4,
        partitionEpoch: 10,
        isr: [
          { brokerId: 1, brokerEpoch: 101 },
          { brokerId: 2, brokerEpoch: 102 },
          { brokerId: 3, brokerEpoch: 103 },
        ],
      },
    ])
    led.changes.answer()
    expect(led.partition.state).toMatchObject({ isr: [1, 2, 3], partitionEpoch: 11 })
  })

  it.each<[string, (harness: LedPartitionHarness) => void]>([
    ['is fenced', ({ brokers }) => (brokers.get(3)!.fenced = true)],
    ['shuts down', ({ brokers }) => (brokers.get(3)!.inControlledShutdown = true)],
    ['is not known', ({ brokers }) => brokers.delete(3)],
  ])('do not join while their broker %s', async (_, happens) => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    happens(led)
    led.partition.fetchedBy({ brokerId: 3, brokerEpoch: -1, offset: 0, logStartOffset: 0 })
    expect(led.changes.asked).toEqual([])
  })

  it('do not join in another epoch than their broker is registered in', () => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    led.partition.fetchedBy({ brokerId: 3, brokerEpoch: 104, offset: 0, logStartOffset: 0 })
    expect(led.changes.asked).toEqual([])
  })

  it('join as soon as their broker may, without another fetch', () => {
    led = new LedPartitionHarness({ isr: [1] })
    for (const id of [2, 3]) led.brokers.get(id)!.fenced = true
    for (const id of [2, 3]) led.fetch(id)
    expect(led.changes.isrs).toEqual([])
    for (const id of [2, 3]) led.brokers.get(id)!.fenced = false
    led.partition.brokersChanged(new Set([3]))
    led.partition.brokersChanged(new Set([2]))
    expect(led.changes.isrs).toEqual([[1, 3]])
    led.changes.answer()
    expect(led.changes.isrs).toEqual([[1, 3, 2]])
  })

  it('that were taken out of those in sync have to fetch, though their broker lives: their disk may be lost', () => {
    for (const id of [2, 3]) led.fetch(id)
    led.update({ isr: [1, 2] })
    led.partition.brokersChanged(new Set([2, 3]))
    expect(led.changes.isrs).toEqual([])
    led.fetch(3)
    expect(led.changes.isrs).toEqual([[1, 2, 3]])
  })

  it('that the leader had taken out of those in sync have to fetch, too', async () => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    led.fetch(2)
    await led.write(1)
    await led.environment.time.advance(LAG_MS + 1)
    led.partition.checkInSync()
    led.changes.answer()
    expect(led.partition.state.isr).toEqual([1])
    led.partition.brokersChanged(new Set([2]))
    expect(led.changes.isrs).toEqual([])
    led.fetch(2)
    expect(led.changes.isrs).toEqual([[1, 2]])
  })

  it('that do not tell their epoch have to fetch: their broker may have been registered anew', () => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    led.partition.fetchedBy({ brokerId: 3, brokerEpoch: -1, offset: 0, logStartOffset: 0 })
    led.changes.answer(errors.INELIGIBLE_REPLICA)
    led.partition.brokersChanged(new Set([3]))
    expect(led.changes.isrs).toEqual([])
  })

  it('do not join before they have something of the epoch of the leader', async () => {
    led = new LedPartitionHarness({ leader: 2, isr: [1, 2] })
    await led.log.append([buildBatch([{ timestamp: 1, key: null, value: null }])], {
      leaderEpoch: 4,
      origin: 'replication',
    })
    led.update({ leader: 1, leaderEpoch: 5 })
    led.fetch(3, 0)
    expect(led.changes.asked).toEqual([])
    led.fetch(3, 1)
    expect(led.changes.isrs).toEqual([[1, 2, 3]])
  })

  it('leave those in sync after replica.log.time.max.ms without being caught up', async () => {
    await led.write(1)
    led.fetch(2)
    led.fetch(3)
    await led.environment.time.advance(10_000)
    await led.write(1)
    led.fetch(2, 2)
    await led.environment.time.advance(LAG_MS - 10_000)
    led.partition.checkInSync()
    expect(led.changes.isrs).toEqual([])
    await led.environment.time.advance(1)
    led.partition.checkInSync()
    led.partition.checkInSync()
    expect(led.changes.isrs).toEqual([[1, 2]])
    // It may be that the controller says no.
    expect(led.highWatermark).toBe(1)
    led.changes.answer()
    expect(led.highWatermark).toBe(2)
  })

  it('stay in sync that have nothing to fetch, or are never done because there is always more', async () => {
    await led.write(1)
    led.fetch(2)
    led.fetch(3)
    for (let step = 0; step < 10; step++) {
      await led.environment.time.advance(LAG_MS / 2)
      led.fetch(3, step)
      await led.write(1)
      led.partition.checkInSync()
      led.fetch(2)
      expect(led.changes.isrs).toEqual([])
    }
  })

  it('in sync that never fetch from a new leader leave after replica.lag.time.max.ms', async () => {
    await led.write(1)
    await led.environment.time.advance(LAG_MS)
    led.partition.checkInSync()
    expect(led.changes.isrs).toEqual([])
    await led.environment.time.advance(1)
    led.partition.checkInSync()
    expect(led.changes.isrs).toEqual([[1]])
    expect(led.changes.asked[0]!.change.isr).toEqual([{ brokerId: 1, brokerEpoch: 101 }])
  })

  it('hold back the high watermark from the moment that they are to join', async () => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    led.fetch(3, 0)
    led.brokers.get(3)!.inControlledShutdown = true
    await led.write(2)
    led.fetch(2)
    expect(led.changes.isrs).toEqual([[1, 2, 3]])
    expect(led.highWatermark).toBe(0)
  })
})

describe('a change of those in sync', () => {
  beforeEach(() => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    led.fetch(3, 0)
  })

  it('is asked for once', () => {
    led.fetch(3, 0)
    led.fetch(2, 0)
    expect(led.changes.isrs).toHaveLength(1)
  })

  it.each([errors.OPERATION_NOT_ATTEMPTED, errors.INELIGIBLE_REPLICA])('is off after $name', async (error) => {
    led.changes.answer(error)
    expect(led.partition.state).toMatchObject({ isr: [1, 2], partitionEpoch: 10 })
    led.fetch(3, 0)
    expect(led.changes.isrs).toHaveLength(1)
  })

  it.each([
    errors.UNKNOWN_TOPIC_OR_PARTITION,
    errors.UNKNOWN_TOPIC_ID,
    errors.FENCED_LEADER_EPOCH,
    errors.INVALID_UPDATE_VERSION,
    errors.INVALID_REQUEST,
    errors.NEW_LEADER_ELECTED,
  ])('is left to the metadata after $name', async (error) => {
    led.changes.answer(error)
    await led.environment.time.advance(LAG_MS * 2)
    led.fetch(3, 0)
    led.partition.checkInSync()
    expect(led.changes.asked).toEqual([])
    led.update({})
    led.fetch(3, 0)
    expect(led.changes.isrs).toHaveLength(1)
  })

  it('is asked for again after any other error, as long as it is wanted', async () => {
    led.changes.answer(errors.UNKNOWN_SERVER_ERROR)
    expect(led.changes.asked).toEqual([])
    await led.environment.time.advance(50)
    expect(led.changes.isrs).toHaveLength(1)
    led.changes.answer(errors.UNKNOWN_SERVER_ERROR)
    led.update({ leader: 2, leaderEpoch: 5 })
    await led.environment.time.advance(1000)
    expect(led.changes.asked).toEqual([])
  })

  it('is not taken from an answer when the metadata were faster', () => {
    led.update({ isr: [1], partitionEpoch: 20 })
    led.changes.answer()
    expect(led.partition.state).toMatchObject({ isr: [1], partitionEpoch: 20 })
  })

  it('is not taken back by metadata that are older than the answer', () => {
    led.changes.answer()
    led.update({ isr: [1, 2], partitionEpoch: 10 })
    expect(led.partition.state).toMatchObject({ isr: [1, 2, 3], partitionEpoch: 11 })
  })

  it('may have moved the replicas, of which only the metadata tell', () => {
    led.changes.answer()
    led.update({ replicas: [1, 2, 3, 4], partitionEpoch: 11 })
    expect(led.fetch(4, 0)).toBeUndefined()
    expect(led.partition.state.partitionEpoch).toBe(11)
  })

  it('counts on who is about to join while the metadata say what the answer before has said', async () => {
    led = new LedPartitionHarness({ isr: [1] }, 1)
    led.fetch(2)
    led.changes.answer()
    led.fetch(3)
    led.update({ isr: [1, 2], partitionEpoch: 11 })
    await led.environment.time.advance(LAG_MS * 2)
    await led.write(1)
    led.fetch(2)
    expect(led.highWatermark).toBe(0)
    led.changes.answer()
    expect(led.partition.state).toMatchObject({ isr: [1, 2, 3], partitionEpoch: 12 })
    led.fetch(3)
    expect(led.highWatermark).toBe(1)
  })
})
