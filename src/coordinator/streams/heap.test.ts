import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap } from './heap.ts'

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
