import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BatchView } from '../protocol/records/batch.ts'
import { TailBudget, TailCache } from './tail-cache.ts'
import { batchOf } from './testkit.ts'

/** A batch of one record with a buffer of its own. */
function chunk(offset: number, valueBytes: number): Buffer {
  const batch = batchOf(['v'.repeat(valueBytes)], { baseOffset: offset })
  const own = Buffer.allocUnsafeSlow(batch.length)
  batch.copy(own)
  return own
}

describe('the tail cache', () => {
  it('never holds more than its own bound, nor all together more than theirs, and gives back what went in', () => {
    const additions = fc.array(fc.record({ cache: fc.nat(2), valueBytes: fc.nat(900) }), { maxLength: 60 })
    fc.assert(
      fc.property(additions, (each) => {
        const budget = new TailBudget(4000)
        const caches = [0, 1, 2].map(() => ({ cache: new TailCache(2500, budget), end: 0 }))
        for (const { cache: which, valueBytes } of each) {
          const target = caches[which]!
          target.cache.add(target.end, target.end + 1, chunk(target.end, valueBytes))
          target.end += 1
          expect(budget.heldBytes).toBeLessThanOrEqual(4000)
          for (const { cache, end } of caches) {
            const data = cache.read(cache.fromOffset, end, 2 ** 20, true)
            expect(data.nextOffset).toBe(end)
            const bases: number[] = []
            for (const buffer of data.records) {
              for (let at = 0; at < buffer.length; at = new BatchView(buffer, at).end) {
                bases.push(new BatchView(buffer, at).baseOffset)
              }
            }
            expect(bases).toEqual(Array.from({ length: end - cache.fromOffset }, (_, i) => cache.fromOffset + i))
          }
        }
      }),
    )
  })

  it('does not keep a large buffer for a small slice of it', () => {
    const budget = new TailBudget(2 ** 20)
    const cache = new TailCache(2 ** 20, budget)
    const frame = Buffer.allocUnsafeSlow(100_000)
    const batch = batchOf(['a'])
    batch.copy(frame, 500)
    cache.add(0, 1, frame.subarray(500, 500 + batch.length))
    expect(budget.heldBytes).toBeLessThan(1000)
    expect(cache.read(0, 1, 2 ** 20, true).records[0]).toEqual(batch)
  })

  it('joins many small batches into one piece', () => {
    const cache = new TailCache(2 ** 20, new TailBudget(2 ** 20))
    for (let offset = 0; offset < 100; offset++) cache.add(offset, offset + 1, chunk(offset, 10))
    expect(cache.read(0, 100, 2 ** 20, true).records).toHaveLength(1)
  })

  it('of a follower keeps no large slice of an answer, which would have to be copied, nor a gap', () => {
    const small = 1000
    const large = 70_000
    const cache = new TailCache(1_000_000, new TailBudget(1_000_000))
    const slice = (offset: number, sizeBytes: number) => {
      const batch = chunk(offset, sizeBytes)
      return Buffer.concat([batch, Buffer.alloc(batch.length * 3)]).subarray(0, batch.length)
    }
    cache.add(0, 1, slice(0, small), true)
    expect(cache.fromOffset).toBe(0)
    cache.add(1, 2, slice(1, large), true)
    expect(cache.fromOffset).toBe(2)
    cache.add(2, 3, chunk(2, large), true)
    cache.add(3, 4, slice(3, large))
    expect(cache.read(2, 4, 1_000_000, true).nextOffset).toBe(4)
  })
})
