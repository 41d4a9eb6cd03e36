import { beforeEach, describe, expect, it } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { LedPartitionHarness } from '../../replication/leader.testkit.ts'
import type { RequestContext, Services } from '../types.ts'
import { handler as deleteRecords } from './delete-records.ts'
import { handler as listOffsets } from './list-offsets.ts'
import { handler as offsetForLeaderEpoch } from './offset-for-leader-epoch.ts'

let led: LedPartitionHarness
let services: Services

beforeEach(async () => {
  led = new LedPartitionHarness({ leader: 2 })
  const bytes = buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: null }])
  await led.log.append([bytes], { leaderEpoch: 4, origin: 'replication' })
  services = {
    replicas: { get: () => led.partition },
    image: { topics: { partition: () => led.partition.state } },
  } as unknown as Services
})

/** Broker 1 leads in epoch 5 from offset 1 on. */
const lead = () => led.update({ leader: 1, leaderEpoch: 5 })

describe('ListOffsets', () => {
  const LATEST = -1
  const EARLIEST = -2
  const AFTER_ALL = 1_800_000_000_000
  const AT_FIRST = 1_700_000_000_000

  async function ask(timestamp: number, version = 10, replicaId = -1) {
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp, maxNumOffsets: 1 }]
    const request = { replicaId, isolationLevel: 0, topics: [{ name: 'topic', partitions }], timeoutMs: 0 }
    const context = { apiVersion: version } as RequestContext
    const response = await listOffsets.handle(request, context, services)
    const { errorCode, offset } = (response as { topics: { partitions: never[] }[] }).topics[0]!.partitions[0]! as {
      errorCode: number
      offset: number
    }
    return errorCode === 0 ? offset : errorCode
  }

  it('does not know the end before the followers of a new leader have said where they are (KIP-207)', async () => {
    lead()
    const { OFFSET_NOT_AVAILABLE, LEADER_NOT_AVAILABLE } = errors
    expect(await ask(LATEST)).toBe(OFFSET_NOT_AVAILABLE.code)
    expect(await ask(LATEST, 5)).toBe(OFFSET_NOT_AVAILABLE.code)
    expect(await ask(LATEST, 4)).toBe(LEADER_NOT_AVAILABLE.code)
    expect(await ask(AT_FIRST)).toBe(OFFSET_NOT_AVAILABLE.code)
    expect(await ask(AFTER_ALL)).toBe(OFFSET_NOT_AVAILABLE.code)
    expect(await ask(EARLIEST)).toBe(0)
    // A broker, or a tool that looks into the log.
    expect(await ask(LATEST, 10, 2)).toBe(1)
    led.fetch(2)
    led.fetch(3)
    expect([await ask(LATEST), await ask(AT_FIRST), await ask(AFTER_ALL)]).toEqual([1, 0, -1])
  })

  it('answers nothing where another broker leads, but to who debugs', async () => {
    expect(await ask(EARLIEST)).toBe(errors.NOT_LEADER_OR_FOLLOWER.code)
    expect(await ask(EARLIEST, 10, -2)).toBe(0)
  })
})

describe('DeleteRecords', () => {
  async function ask(offset: number, timeoutMs: number) {
    const topics = [{ name: 'topic', partitions: [{ partitionIndex: 0, offset }] }]
    const answered: { partition: unknown } = { partition: 'waits' }
    const context = { apiVersion: 2 } as RequestContext
    void Promise.resolve(deleteRecords.handle({ topics, timeoutMs }, context, services)).then((response) => {
      answered.partition = (response as { topics: { partitions: unknown[] }[] }).topics[0]!.partitions[0]
    })
    await led.settle()
    return answered
  }

  beforeEach(() => {
    lead()
    led.fetch(2)
    led.fetch(3)
  })

  it('is answered when all live replicas have deleted', async () => {
    const answered = await ask(1, 1000)
    led.fetch(2, 1, 1)
    await led.settle()
    expect(answered.partition).toBe('waits')
    led.fetch(3, 1, 1)
    await led.settle()
    expect(answered.partition).toEqual({ partitionIndex: 0, lowWatermark: 1, errorCode: 0 })
  })

  it('says that time is up, and how far it is', async () => {
    const answered = await ask(1, 1000)
    await led.environment.time.advance(1000)
    const { code } = errors.REQUEST_TIMED_OUT
    expect(answered.partition).toEqual({ partitionIndex: 0, lowWatermark: 0, errorCode: code })
  })

  it('says that another broker leads now', async () => {
    const answered = await ask(1, 1000)
    led.update({ leader: 2, leaderEpoch: 6 })
    await led.settle()
    const { code } = errors.NOT_LEADER_OR_FOLLOWER
    expect(answered.partition).toEqual({ partitionIndex: 0, lowWatermark: -1, errorCode: code })
  })
})

describe('OffsetForLeaderEpoch', () => {
  it('is answered by leaders only, and by none that believe in another epoch', async () => {
    const ask = async (currentLeaderEpoch: number, leaderEpoch: number) => {
      const topics = [{ topic: 'topic', partitions: [{ partition: 0, currentLeaderEpoch, leaderEpoch }] }]
      const context = { apiVersion: 4 } as RequestContext
      const response = await offsetForLeaderEpoch.handle({ replicaId: 2, topics }, context, services)
      return (response as { topics: { partitions: unknown[] }[] }).topics[0]!.partitions[0]
    }
    const refused = ({ code }: { code: number }) => ({ errorCode: code, leaderEpoch: -1, endOffset: -1 })
    expect(await ask(4, 4)).toMatchObject(refused(errors.NOT_LEADER_OR_FOLLOWER))
    lead()
    expect(await ask(4, 4)).toMatchObject(refused(errors.FENCED_LEADER_EPOCH))
    expect(await ask(6, 4)).toMatchObject(refused(errors.UNKNOWN_LEADER_EPOCH))
    expect(await ask(5, 4)).toMatchObject({ errorCode: 0, leaderEpoch: 4, endOffset: 1 })
    expect(await ask(5, 5)).toMatchObject({ errorCode: 0, leaderEpoch: 5, endOffset: 1 })
  })
})
