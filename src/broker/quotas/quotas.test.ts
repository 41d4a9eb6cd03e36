import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MetadataImage } from '../../metadata/image.ts'
import { metadataRecord } from '../../metadata/records.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import type { RequestContext } from '../types.ts'
import { QuotaLimits } from './quota-limits.ts'
import { Quotas } from './quotas.ts'
import { TokenBucket } from './token-bucket.ts'
import { WindowedRate } from './windowed-rate.ts'

const WINDOWS = { count: 11, windowMs: 1000 }

describe('WindowedRate', () => {
  test('a young rate counts as if it were as old as all windows but one', () => {
    const rate = new WindowedRate(WINDOWS)
    rate.record(20_000, 5000)
    expect(rate.spanMs(5000)).toBe(10_000)
    expect(rate.measure(5000)).toBe(2000)
    // (2000 - 1000) / 1000 of the 10 seconds that are looked at.
    expect(rate.throttleMs(1000, 5000)).toBe(10_000)
    expect(rate.throttleMs(2000, 5000)).toBe(0)
  })

  test('what is older than all windows is forgotten', () => {
    const rate = new WindowedRate(WINDOWS)
    rate.record(20_000, 0)
    expect(rate.measure(10_999)).toBeGreaterThan(0)
    expect(rate.measure(11_000)).toBe(0)
  })

  test('after the pause that it asks for, it is at the bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1001, max: 9000 }), fc.integer({ min: 0, max: 900 }), (bytes, atMs) => {
        const rate = new WindowedRate({ count: 2, windowMs: 1_000_000 })
        rate.record(bytes * 1000, atMs)
        const pauseMs = rate.throttleMs(1000, atMs)
        fc.pre(pauseMs < 1_000_000)
        expect(rate.measure(atMs + pauseMs)).toBeLessThanOrEqual((1000 * bytes) / 1000)
      }),
    )
  })

  test('what is taken back never counted', () => {
    const rate = new WindowedRate(WINDOWS)
    rate.record(500, 0)
    rate.record(9000, 10)
    rate.record(-9000, 10)
    expect(rate.measure(10)).toBeCloseTo(50, 0)
  })
})

describe('TokenBucket (KIP-599)', () => {
  test('starts full, may be overdrawn once, and fills at its rate', () => {
    const bucket = new TokenBucket(WINDOWS)
    expect(bucket.available(2, 0)).toBe(22)
    bucket.take(30, 2, 0)
    expect(bucket.throttleMs(2, 0)).toBe(4000)
    expect(bucket.throttleMs(2, 4000)).toBe(0)
    expect(bucket.available(2, 1_000_000)).toBe(22)
  })
})

describe('QuotaLimits', () => {
  const user = (entityName: string | null) => ({ entityType: 'user', entityName })
  const client = (entityName: string | null) => ({ entityType: 'client-id', entityName })
  /** From the one that counts most to the one that counts least (KIP-55). */
  const ranked = [
    [user('u'), client('c')],
    [user('u'), client(null)],
    [user('u')],
    [user(null), client('c')],
    [user(null), client(null)],
    [user(null)],
    [client('c')],
    [client(null)],
  ]

  test.each(ranked.map((_, from) => from))('of those from rank %i on, the first counts', (from) => {
    const entities = ranked.map((entity, rank) => ({ entity, values: new Map([['q', rank]]) }))
    const limits = new QuotaLimits(entities.slice(from).reverse(), 'q')
    expect(limits.of('u', 'c')?.bound).toBe(from)
  })

  test('a quota of a user is shared by all its clients, a default one by nobody', () => {
    const limits = (entity: (typeof ranked)[number]) => new QuotaLimits([{ entity, values: new Map([['q', 1]]) }], 'q')
    const ofUser = limits([user('u')])
    expect(ofUser.of('u', 'a')?.key).toBe(ofUser.of('u', 'b')?.key)
    const ofDefault = limits([client(null)])
    expect(ofDefault.of('u', 'a')?.key).not.toBe(ofDefault.of('u', 'b')?.key)
    expect(ofDefault.of('u', 'a')?.key).toBe(ofDefault.of('v', 'a')?.key)
    expect(ofUser.of('v', 'a')).toBeUndefined()
  })
})

function setUp() {
  const image = new MetadataImage()
  const time = new VirtualTime()
  const quotas = new Quotas({ image, time, windows: WINDOWS, controllerWindows: WINDOWS })
  const set = (entityType: string, key: string, value: number) => {
    image.replay(
      metadataRecord('ClientQuota', { entity: [{ entityType, entityName: null }], key, value, remove: false }),
    )
    quotas.onMetadataChange(image.takeDelta())
  }
  const context = (apiVersion = 9) =>
    ({ apiVersion, clientId: 'c', connection: { principal: 'User:u' }, throttleMs: 0 }) as RequestContext
  return { quotas, time, set, context }
}

describe('Quotas', () => {
  test('a producer pauses for what it sent too much (KIP-13)', () => {
    const { quotas, set, context } = setUp()
    set('client-id', 'producer_byte_rate', 1000)
    const first = context()
    quotas.produced(first, 10_000)
    expect(first.throttleMs).toBe(0)
    const second = context()
    quotas.produced(second, 5000)
    expect(second.throttleMs).toBe(5000)
  })

  test('a consumer gets nothing while it has to pause, and what it did not get does not count', () => {
    const { quotas, set, context } = setUp()
    set('user', 'consumer_byte_rate', 1000)
    expect(quotas.mostBytesOfFetch(context())).toBe(10_000)
    expect(quotas.mustPauseFetch(context(), 9000)).toBe(false)
    const refused = context()
    expect(quotas.mustPauseFetch(refused, 5000)).toBe(true)
    expect(refused.throttleMs).toBe(4000)
    expect(quotas.mustPauseFetch(context(), 500)).toBe(false)
  })

  test('nobody pauses for longer than a window because of the work it made (KIP-124)', () => {
    const { quotas, set, context } = setUp()
    expect(quotas.limitsRequests).toBe(false)
    set('client-id', 'request_percentage', 1)
    expect(quotas.limitsRequests).toBe(true)
    const busy = context()
    quotas.worked(busy, 60_000)
    expect(busy.throttleMs).toBe(1000)
  })

  test('partitions beyond the quota are refused, or paid for afterwards by older clients (KIP-599)', () => {
    const { quotas, set, context } = setUp()
    expect(quotas.mutations(context(), 6)).toBeUndefined()
    set('user', 'controller_mutation_rate', 1)
    const strict = context(6)
    const mutations = quotas.mutations(strict, 6)!
    expect([mutations.take(15), mutations.take(1)]).toEqual([true, false])
    expect(strict.throttleMs).toBe(4000)
    const permissive = context(5)
    expect(quotas.mutations(permissive, 6)!.take(6)).toBe(true)
    expect(permissive.throttleMs).toBe(10_000)
  })

  test('addresses that connect too often wait, for at most a window (KIP-612)', async () => {
    const { quotas, time, set } = setUp()
    expect(quotas.connectionPauseMs('10.0.0.1')).toBe(0)
    set('ip', 'connection_creation_rate', 1)
    const pauses = Array.from({ length: 11 }, () => quotas.connectionPauseMs('10.0.0.1'))
    expect(pauses.slice(0, 10)).toEqual(Array(10).fill(0))
    expect(pauses[10]).toBe(1000)
    expect(quotas.connectionPauseMs('10.0.0.2')).toBe(0)
    await time.advance(20_000)
    expect(quotas.connectionPauseMs('10.0.0.1')).toBe(0)
  })
})
