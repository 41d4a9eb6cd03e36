import { describe, expect, it } from 'vitest'
import { VirtualTime } from '../platform/virtual-time.ts'
import { FetchSessionCache, type SessionPartition, sessionKey } from './fetch-sessions.ts'

const MINUTES = 60_000

function partitions(count: number): Map<string, SessionPartition> {
  const map = new Map<string, SessionPartition>()
  for (let partition = 0; partition < count; partition++) {
    map.set(sessionKey('t', undefined, partition), {
      topic: 't',
      topicId: undefined,
      partition,
      fetchOffset: 0,
      maxBytes: 1,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      logStartOffset: -1,
      sentHighWatermark: 0,
      sentLogStartOffset: 0,
    })
  }
  return map
}

function setUp(slots: number) {
  const time = new VirtualTime()
  let next = 0
  const random = { bytes: (length: number) => Buffer.alloc(length), below: () => next++ }
  return { time, cache: new FetchSessionCache(slots, time, random) }
}

const same = {
  errorCode: 0,
  highWatermark: 0,
  logStartOffset: 0,
  sizeBytes: 0,
  isDiverging: false,
  isRedirected: false,
}

describe('FetchSessionCache (KIP-227)', () => {
  it('refuses a session when all slots hold younger or larger ones', async () => {
    const { time, cache } = setUp(1)
    const first = cache.create(partitions(2), false, false)!
    expect(cache.create(partitions(3), false, false)).toBeUndefined()
    // In use all the time, so it is settled but not stale.
    for (let minute = 0; minute < 3; minute++) {
      await time.advance(MINUTES)
      cache.touch(first)
    }
    expect(cache.create(partitions(2), false, false)).toBeUndefined()
    expect(cache.get(first.id)).toBe(first)
    expect(cache.create(partitions(3), false, false)).toBeDefined()
    expect(cache.get(first.id)).toBeUndefined()
  })

  it('gives up the session that was idle for longest, once that is two minutes', async () => {
    const { time, cache } = setUp(2)
    const idle = cache.create(partitions(9), false, false)!
    const used = cache.create(partitions(9), false, false)!
    await time.advance(1 * MINUTES)
    cache.touch(used)
    await time.advance(1.5 * MINUTES)
    expect(cache.create(partitions(1), false, false)).toBeDefined()
    expect(cache.get(idle.id)).toBeUndefined()
    expect(cache.get(used.id)).toBe(used)
  })

  it("lets a follower's session take the place of a consumer's, and not the other way round", async () => {
    const { time, cache } = setUp(1)
    cache.create(partitions(5), false, false)
    const follower = cache.create(partitions(1), false, true)!
    expect(follower).toBeDefined()
    for (let minute = 0; minute < 3; minute++) {
      await time.advance(MINUTES)
      cache.touch(follower)
    }
    expect(cache.create(partitions(50), false, false)).toBeUndefined()
  })

  it('has no sessions at all with no slots', () => {
    expect(setUp(0).cache.create(partitions(1), false, false)).toBeUndefined()
  })
})

describe('FetchSession', () => {
  const key = sessionKey('t', undefined, 0)
  const session = () => setUp(1).cache.create(partitions(3), false, false)!

  it.each([
    ['records', { sizeBytes: 1 }],
    ['a new high watermark', { highWatermark: 1 }],
    ['a new log start', { logStartOffset: 1 }],
    ['an error', { errorCode: 6 }],
    ['a diverging epoch', { isDiverging: true }],
    ['where else to read', { isRedirected: true }],
  ])('mentions a partition with %s, and not one of which all is known', (_, change) => {
    expect(session().mustAnswer(key, same)).toBe(false)
    expect(session().mustAnswer(key, { ...same, ...change })).toBe(true)
  })

  it('mentions a partition again after an error, though nothing has changed since before it', () => {
    const one = session()
    one.mustAnswer(key, { ...same, errorCode: 6, highWatermark: -1, logStartOffset: -1 })
    expect(one.mustAnswer(key, same)).toBe(true)
    expect(one.mustAnswer(key, same)).toBe(false)
  })

  it('puts a partition that gave records at the end, so that others get their turn', () => {
    const one = session()
    one.mustAnswer(key, { ...same, sizeBytes: 1 })
    expect([...one.partitions.keys()]).toEqual(['t:1', 't:2', 't:0'])
  })

  it('wraps its epoch to 1, as 0 asks for a new session', () => {
    const one = session()
    one.epoch = 0x7fff_ffff
    one.nextEpoch()
    expect(one.epoch).toBe(1)
  })
})
