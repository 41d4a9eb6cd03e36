import { expect, it } from 'vitest'
import { ProducerIds } from './producer-ids.ts'

it('gives each id once, however many ask at the same time', async () => {
  let blocks = 0
  const ids = new ProducerIds({
    allocateProducerIds: async () => ({ firstProducerId: 100 * blocks++, size: 3 }),
  })
  const taken = await Promise.all(Array.from({ length: 20 }, () => ids.take()))
  expect(new Set(taken).size).toBe(20)
  expect(blocks).toBe(7)
})

it('asks again after a failure', async () => {
  let calls = 0
  const ids = new ProducerIds({
    allocateProducerIds: async () => {
      if (calls++ === 0) throw new Error('no disk')
      return { firstProducerId: 5, size: 1 }
    },
  })
  await expect(Promise.all([ids.take(), ids.take()])).rejects.toThrow('no disk')
  expect(await ids.take()).toBe(5)
})
