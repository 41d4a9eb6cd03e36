import { beforeEach, describe, expect, it } from 'vitest'
import { marker } from '../log/testkit.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import { LedPartitionHarness } from './leader.testkit.ts'
import { FetchWait } from './purgatory.ts'

let led: LedPartitionHarness

beforeEach(() => {
  led = new LedPartitionHarness()
})

describe('readers that wait', () => {
  const watch = (seesLogEnd: boolean, minBytes = 1) => {
    const waiting = { isDone: false }
    const watched = [{ partition: led.partition, availableBytes: 0, maxBytes: 1_000_000 }]
    const onDone = () => {
      waiting.isDone = true
    }
    new FetchWait(led.environment.time, watched, minBytes, 60_000, onDone, seesLogEnd)
    return waiting
  }

  it('as followers go on with what is written, as consumers with what is committed', async () => {
    const follower = watch(true)
    const consumer = watch(false)
    await led.write(1)
    expect([follower.isDone, consumer.isDone]).toEqual([true, false])
    led.fetch(2)
    led.fetch(3)
    expect(consumer.isDone).toBe(true)
  })

  it('wait for as many bytes as they want', async () => {
    await led.write(1)
    const oneBytes = led.log.sizeBytes
    led.fetch(2)
    led.fetch(3)
    const consumer = watch(false, 3 * oneBytes)
    await led.write(3)
    led.fetch(2, 4)
    led.fetch(3, 3)
    expect(consumer.isDone).toBe(false)
    led.fetch(3, 4)
    expect(consumer.isDone).toBe(true)
  })

  it('go on at the end of a transaction that held them up', async () => {
    const transaction = { producerId: 7, producerEpoch: 0, baseSequence: 0 }
    const guard = led.partition.beginVerification(transaction, false)
    const bytes = buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: Buffer.alloc(5000) }], {
      ...transaction,
      isTransactional: true,
    })
    void led.partition.append([bytes], 1, 'client', { ...transaction, guard })
    await led.settle()
    led.fetch(2)
    led.fetch(3)
    expect(led.log).toMatchObject({ highWatermark: 1, lastStableOffset: 0 })
    const consumer = watch(false, 5000)
    const ended = { ...transaction, baseSequence: -1, markerVersion: 1 }
    void led.partition.append([marker('commit', 7, 0)], -1, 'coordinator', ended)
    await led.settle()
    led.fetch(2)
    led.fetch(3)
    expect(led.log.lastStableOffset).toBe(2)
    expect(consumer.isDone).toBe(true)
  })
})

describe('DeleteRecords (KIP-107)', () => {
  const wait = (offset: number, timeoutMs = 1000) => {
    const waiting: { outcome: KafkaError | 'waits' } = { outcome: 'waits' }
    void led.partition.whenDeletedBefore(offset, timeoutMs).then((outcome) => {
      waiting.outcome = outcome
    })
    return waiting
  }

  beforeEach(async () => {
    await led.write(4)
    led.fetch(2)
    led.fetch(3)
  })

  it('is done when every live follower has deleted, too', async () => {
    expect(led.partition.deleteRecordsBefore(3)).toBe(0)
    const waiting = wait(3)
    led.fetch(2, 4, 3)
    led.fetch(3, 4, 2)
    await led.settle()
    expect(waiting.outcome).toBe('waits')
    led.fetch(3, 4, 3)
    await led.settle()
    expect(waiting.outcome).toBe(errors.NONE)
    expect(led.partition.lowWatermark).toBe(3)
  })

  it('does not wait for one whose broker is gone', async () => {
    led.partition.deleteRecordsBefore(3)
    led.fetch(2, 4, 3)
    led.brokers.get(3)!.fenced = true
    const waiting = wait(3)
    await led.settle()
    expect(waiting.outcome).toBe(errors.NONE)
  })

  it('waits no longer for one whose broker is gone meanwhile', async () => {
    led.partition.deleteRecordsBefore(3)
    led.fetch(2, 4, 3)
    const waiting = wait(3)
    led.brokers.get(3)!.fenced = true
    led.partition.brokersChanged(new Set([3]))
    await led.settle()
    expect(waiting.outcome).toBe(errors.NONE)
  })

  it('takes no longer than the client waits, and no longer than this broker leads', async () => {
    led.partition.deleteRecordsBefore(3)
    const short = wait(3)
    const long = wait(3, 5000)
    await led.environment.time.advance(1000)
    expect([short.outcome, long.outcome]).toEqual([errors.REQUEST_TIMED_OUT, 'waits'])
    led.update({ leader: 2, leaderEpoch: 5 })
    await led.settle()
    expect(long.outcome).toBe(errors.NOT_LEADER_OR_FOLLOWER)
  })
})

describe('followers to read from (KIP-392)', () => {
  it('are in sync and have what is asked for', async () => {
    await led.write(4)
    led.fetch(2, 4)
    led.fetch(3, 2, 1)
    const at = (offset: number) => led.partition.followersAt(offset).map(({ brokerId }) => brokerId)
    expect([at(0), at(1), at(2), at(3)]).toEqual([[2], [2, 3], [2, 3], [2]])
    led.update({ isr: [1, 3] })
    expect(at(2)).toEqual([3])
  })
})
