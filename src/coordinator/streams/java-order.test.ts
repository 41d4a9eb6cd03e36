import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap, hashOrder, powerOfTwoFrom } from './java-order.ts'

test('keys are in the order of a java.util.HashMap', () => {
  // Of 'Aa', 'BB' and '0', which share a bucket, the one that was put first comes first.
  expect(hashOrder(['b', 'a', 'Aa', 'BB', '10', '9', '0'])).toEqual(['Aa', 'BB', '0', 'a', 'b', '9', '10'])
  expect(hashOrder(['0', 'BB', 'Aa'])).toEqual(['0', 'BB', 'Aa'])
})

test('a map grows with its entries and may have been made small', () => {
  expect(hashOrder(['0', '@'])).toEqual(['0', '@'])
  expect(hashOrder(['0', '@'], { entryCount: 12 })).toEqual(['0', '@'])
  expect(hashOrder(['0', '@'], { entryCount: 13 })).toEqual(['@', '0'])
  expect(hashOrder(['9', 'b'])).toEqual(['b', '9'])
  expect(hashOrder(['9', 'b'], { capacity: 1 })).toEqual(['9', 'b'])
})

test('powers of two', () => {
  expect([0, 1, 2, 3, 4, 5, 1000].map(powerOfTwoFrom)).toEqual([1, 1, 2, 4, 4, 8, 1024])
})

test('a heap gives what has least, whatever came when', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat({ max: 20 }))), (steps) => {
      const heap = new Heap((value: number) => value)
      const model: number[] = []
      for (const step of steps) {
        if (step === null) expect(heap.pop()).toBe(model.sort((a, b) => a - b).shift())
        else {
          heap.push(step)
          model.push(step)
        }
      }
    }),
    { seed: 1 },
  )
})
