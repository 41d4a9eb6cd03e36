import { beforeEach, describe, expect, it } from 'vitest'
import { LogError } from '../log/append-error.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import { LAG_MS, LedPartitionHarness } from './leader.testkit.ts'

let led: LedPartitionHarness

beforeEach(() => {
  led = new LedPartitionHarness()
})

describe('the high watermark', () => {
  it('is where the slowest in sync is', async () => {
    await led.write(5)
    expect(led.highWatermark).toBe(0)
    led.fetch(2, 5)
    expect(led.highWatermark).toBe(0)
    led.fetch(3, 3)
    expect(led.highWatermark).toBe(3)
    led.fetch(3, 5)
    expect(led.highWatermark).toBe(5)
  })

  it('never goes back', async () => {
    await led.write(5)
    led.fetch(2, 5)
    led.fetch(3, 5)
    led.fetch(3, 2)
    led.update({ leaderEpoch: 5 })
    expect(led.highWatermark).toBe(5)
  })

  it('does not wait for one that is not in sync and far behind', async () => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    await led.write(5)
    led.fetch(2, 5)
    led.fetch(3, 0)
    await led.write(1)
    led.fetch(2, 6)
    expect(led.highWatermark).toBe(6)
  })

  it('waits for one that is about to get in sync, and may', async () => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    led.brokers.get(3)!.inControlledShutdown = true
    led.fetch(3, 0)
    await led.write(5)
    led.fetch(2, 3)
    expect(led.highWatermark).toBe(3)
    led.brokers.get(3)!.inControlledShutdown = false
    led.fetch(2, 5)
    expect(led.highWatermark).toBe(3)
    led.fetch(3, 4)
    expect(led.highWatermark).toBe(4)
  })

  it('does not move while fewer than min.insync.replicas are in sync (KIP-966)', async () => {
    led = new LedPartitionHarness({ isr: [1] })
    await led.write(2)
    expect(led.highWatermark).toBe(0)
    led.update({ isr: [1, 2] })
    led.fetch(2, 2)
    expect(led.highWatermark).toBe(2)
  })

  it('is the end of the log where there are no others', async () => {
    led = new LedPartitionHarness({ replicas: [1], isr: [1] })
    await led.write(2)
    expect(led.highWatermark).toBe(2)
  })

  it('moves when the one that held it back is not in sync any more', async () => {
    led.fetch(3, 0)
    await led.write(2)
    led.fetch(2, 2)
    expect(led.highWatermark).toBe(0)
    // Its broker lives, but may have lost the log (KIP-858), and nothing more need be written that would bring this up.
    led.update({ isr: [1, 2] })
    expect(led.highWatermark).toBe(2)
  })

  it.each<[string, (harness: LedPartitionHarness) => unknown]>([
    [
      'its broker is fenced',
      ({ brokers, partition }) => {
        brokers.get(3)!.fenced = true
        partition.brokersChanged(new Set([3]))
      },
    ],
    [
      'replica.lag.time.max.ms are over',
      async ({ environment, partition }) => {
        await environment.time.advance(LAG_MS + 1)
        partition.checkInSync()
      },
    ],
    [
      'the controller does not let it join',
      ({ brokers, changes }) => {
        brokers.get(3)!.fenced = true
        changes.answer(errors.INELIGIBLE_REPLICA)
      },
    ],
  ])('waits no longer for one that could join when %s', async (what, happens) => {
    led = new LedPartitionHarness({ isr: [1, 2] })
    led.fetch(3, 0)
    if (!what.includes('controller')) led.changes.answer(errors.OPERATION_NOT_ATTEMPTED)
    await led.write(2)
    led.fetch(2, 2)
    expect(led.highWatermark).toBe(0)
    await happens(led)
    expect(led.highWatermark).toBe(2)
  })

  it('is looked for again when a producer repeats itself', async () => {
    const options = { producerId: 1, producerEpoch: 0, baseSequence: 0 }
    const send = () =>
      led.partition.append([buildBatch([{ timestamp: 1, key: null, value: null }], options)], -1, 'client')
    led = new LedPartitionHarness({ isr: [1, 2] })
    led.fetch(3, 0)
    led.changes.answer(errors.OPERATION_NOT_ATTEMPTED)
    const first = send()
    await led.settle()
    led.fetch(2, 1)
    expect(led.highWatermark).toBe(0)
    led.brokers.get(3)!.fenced = true
    expect(await send()).toMatchObject({ duplicate: true })
    expect(await first).toMatchObject({ duplicate: false })
  })
})

describe('acks=all', () => {
  it('is answered once all in sync have it', async () => {
    const first = led.append()
    const second = led.append()
    await led.settle()
    led.fetch(2, 2)
    led.fetch(3, 1)
    await led.settle()
    expect(first.outcome).toMatchObject({ firstOffset: 0, lastOffset: 0 })
    expect(second.outcome).toBe('waits')
    led.fetch(3, 2)
    await led.settle()
    expect(second.outcome).toMatchObject({ lastOffset: 1 })
  })

  it('gives up after the time that the producer has', async () => {
    const short = led.append(-1, 100)
    const long = led.append(-1, 500)
    await led.environment.time.advance(99)
    expect(short.outcome).toBe('waits')
    await led.environment.time.advance(1)
    expect([short.outcome, long.outcome]).toEqual([errors.REQUEST_TIMED_OUT, 'waits'])
    await led.environment.time.advance(400)
    expect(long.outcome).toBe(errors.REQUEST_TIMED_OUT)
    expect(led.environment.time.pendingTasks).toBe(0)
  })

  it('is refused while too few are in sync, and nothing is written', async () => {
    led = new LedPartitionHarness({ isr: [1] })
    const refused = led.append()
    const taken = led.append(1)
    await led.settle()
    expect(refused.outcome).toBe(errors.NOT_ENOUGH_REPLICAS)
    expect(taken.outcome).toMatchObject({ firstOffset: 0 })
  })

  it.each<[string, (harness: LedPartitionHarness) => void, KafkaError]>([
    ['another leads', (each) => each.update({ leader: 2, leaderEpoch: 5 }), errors.NOT_LEADER_OR_FOLLOWER],
    ['nobody leads', (each) => each.update({ leader: -1, leaderEpoch: 5 }), errors.NOT_LEADER_OR_FOLLOWER],
    [
      'the topic goes',
      (each) => each.partition.end(errors.UNKNOWN_TOPIC_OR_PARTITION),
      errors.UNKNOWN_TOPIC_OR_PARTITION,
    ],
    ['the broker stops', (each) => each.partition.stopWaiting(), errors.NOT_LEADER_OR_FOLLOWER],
  ])('fails when %s', async (_, happens, error) => {
    const written = led.append()
    await led.settle()
    const underWay = led.append()
    happens(led)
    await led.settle()
    expect(written.outcome).toBe(error)
    expect(underWay.outcome).toMatchObject({ code: expect.any(Number) })
  })

  it('fails when leadership was lost and won again before the write was done', async () => {
    const appended = led.append()
    led.update({ leader: 2, leaderEpoch: 5 })
    led.update({ leader: 1, leaderEpoch: 6 })
    await led.settle()
    expect(appended.outcome).toBe(errors.NOT_LEADER_OR_FOLLOWER)
  })

  it('goes on waiting when the same leader is elected again', async () => {
    const appended = led.append()
    await led.settle()
    led.update({ leaderEpoch: 5 })
    await led.settle()
    expect(appended.outcome).toBe('waits')
    led.fetch(2)
    led.fetch(3)
    await led.settle()
    expect(appended.outcome).toMatchObject({ lastOffset: 0 })
  })

  it('of a batch that came before waits as long as that', async () => {
    const bytes = () =>
      buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: null }], {
        producerId: 1,
        producerEpoch: 0,
        baseSequence: 0,
      })
    const outcomes: unknown[] = []
    for (let count = 0; count < 2; count++) {
      void led.partition.append([bytes()], -1, 'client').then(({ duplicate }) => outcomes.push(duplicate))
    }
    await led.settle()
    expect(outcomes).toEqual([])
    led.fetch(2)
    led.fetch(3)
    await led.settle()
    expect(outcomes).toEqual([false, true])
  })
})

describe('a new leader', () => {
  beforeEach(async () => {
    led = new LedPartitionHarness({ leader: 2 })
    const bytes = buildBatch([{ timestamp: 1, key: null, value: null }])
    await led.log.append([bytes], { leaderEpoch: 4, origin: 'replication' })
  })

  it('cannot say where what is committed ends before its followers have it (KIP-207)', () => {
    led.update({ leader: 1, leaderEpoch: 5 })
    expect(led.partition.isEndUnknown).toBe(true)
    led.fetch(2)
    expect(led.partition.isEndUnknown).toBe(true)
    led.fetch(3)
    expect(led.partition.isEndUnknown).toBe(false)
  })

  it('begins its epoch after what is on its way to the disk', async () => {
    const bytes = buildBatch([{ timestamp: 1, key: null, value: null }], { baseOffset: 1 })
    const written = led.log.append([bytes], { leaderEpoch: 4, origin: 'replication' })
    led.update({ leader: 1, leaderEpoch: 5 })
    expect(led.log.endOffsetForEpoch(4)).toEqual({ leaderEpoch: 4, offset: 2 })
    await written
    led.fetch(2, 1)
    led.fetch(3, 1)
    expect([led.highWatermark, led.partition.isEndUnknown]).toEqual([1, true])
  })

  it('knows nothing of its followers from when it led before', async () => {
    led.update({ leader: 1, leaderEpoch: 5 })
    led.fetch(2)
    led.update({ leader: 2, leaderEpoch: 6 })
    led.update({ leader: 1, leaderEpoch: 7 })
    led.fetch(3)
    expect(led.highWatermark).toBe(0)
  })

  it('forgets who may open a transaction when it leads no more', () => {
    const batch = { producerId: 1, producerEpoch: 0, baseSequence: 0 }
    led.update({ leader: 1, leaderEpoch: 5 })
    const guard = led.partition.beginVerification(batch, true)
    led.update({ leader: 2, leaderEpoch: 6 })
    expect(() => led.partition.beginVerification(batch, true)).toThrow(LogError)
    led.update({ leader: 1, leaderEpoch: 7 })
    expect(led.partition.beginVerification(batch, true)).not.toBe(guard)
  })
})

describe('replicas that come and go', () => {
  it('are followed from the start, and forgotten', async () => {
    await led.write(1)
    led.update({ replicas: [1, 2, 3, 4], addingReplicas: [4] })
    led.brokers.set(4, { epoch: 104, fenced: false, inControlledShutdown: false })
    led.fetch(2)
    led.fetch(3)
    led.fetch(4, 0)
    expect(led.changes.asked).toEqual([])
    led.fetch(4)
    expect(led.changes.isrs).toEqual([[1, 2, 3, 4]])
    led.update({ replicas: [1, 2, 3], isr: [1, 2, 3], addingReplicas: [] })
    expect(led.fetch(4)).toBe(errors.NOT_LEADER_OR_FOLLOWER)
  })

  it('leave what they have not got committed by the others', async () => {
    await led.write(1)
    led.fetch(2)
    led.update({ replicas: [1, 2], isr: [1, 2] })
    expect(led.highWatermark).toBe(1)
  })
})
