import fc from 'fast-check'
import { expect, test } from 'vitest'
import { combineBatches, type StateBatch } from './state-batch.ts'

function batch(firstOffset: number, lastOffset: number, deliveryState: number, deliveryCount: number): StateBatch {
  return { firstOffset, lastOffset, deliveryState, deliveryCount }
}

const batches = fc.array(
  fc
    .tuple(fc.nat(30), fc.nat(8), fc.constantFrom(0, 2, 4), fc.integer({ min: 1, max: 3 }))
    .map(([first, length, state, count]) => batch(first, first + length, state, count)),
  { maxLength: 8 },
)

/** KIP-932: for each offset the highest delivery count counts, then the highest state. */
function strongest(all: readonly StateBatch[], offset: number): string | undefined {
  const there = all.filter(({ firstOffset, lastOffset }) => firstOffset <= offset && offset <= lastOffset)
  there.sort((a, b) => b.deliveryCount - a.deliveryCount || b.deliveryState - a.deliveryState)
  return there[0] && `${there[0].deliveryCount}/${there[0].deliveryState}`
}

test('what is combined says of every offset what the strongest batch said, once and in order', () => {
  fc.assert(
    fc.property(batches, batches, fc.integer({ min: -1, max: 20 }), (current, changes, startOffset) => {
      const combined = combineBatches(current, changes, startOffset)
      const all = [...current, ...changes]
      for (let offset = 0; offset < 45; offset++) {
        const expected = offset < startOffset ? undefined : strongest(all, offset)
        expect(strongest(combined, offset)).toBe(expected)
      }
      if (all.length < 2) return
      for (let i = 1; i < combined.length; i++) {
        expect(combined[i]!.firstOffset).toBeGreaterThan(combined[i - 1]!.lastOffset)
      }
    }),
  )
})

test('batches that end before they begin, and offsets beyond 2^53, come to an end', () => {
  const offset = fc.oneof(
    fc.nat(30),
    fc.nat(60).map((power) => 2 ** power),
    fc.constant(2 ** 63),
    fc.constant(-1),
  )
  const odd = fc
    .tuple(offset, offset, fc.constantFrom(0, 2, 4), fc.integer({ min: 1, max: 3 }))
    .map(([first, last, state, count]) => batch(first, last, state, count))
  fc.assert(
    fc.property(fc.array(odd, { maxLength: 8 }), fc.integer({ min: -1, max: 20 }), (changes, startOffset) => {
      expect(combineBatches([], changes, startOffset).length).toBeLessThanOrEqual(3 * changes.length)
    }),
  )
  const inverted = batch(78, 76, 1, 4)
  expect(combineBatches([], [inverted, batch(68, 80, 0, 1)], 0)).toEqual([batch(68, 80, 0, 1), inverted])
  expect(combineBatches([], [batch(100, 101, 1, 4), inverted], 0)).toEqual([inverted, batch(100, 101, 1, 4)])
})

test('neighbours of one state become one', () => {
  expect(combineBatches([batch(0, 4, 2, 1)], [batch(5, 9, 2, 1)], 0)).toEqual([batch(0, 9, 2, 1)])
})

test('what lies before the start offset goes', () => {
  expect(combineBatches([batch(0, 4, 2, 1), batch(5, 9, 0, 1)], [], 7)).toEqual([batch(7, 9, 0, 1)])
})
