import { expect, test } from 'vitest'
import { VirtualTime } from '../platform/virtual-time.ts'
import { ReadPace } from './read-pace.ts'

const MB = 1 << 20

test('large reads are made at once as long as they are quick', async () => {
  const time = new VirtualTime()
  const pace = new ReadPace(time)
  expect([pace.mayReadNow(1000), pace.mayReadNow(MB)]).toEqual([true, false])
  pace.readInBackground()
  expect([pace.mayReadNow(MB), pace.mayReadNow(MB + 1)]).toEqual([true, false])
  const startedMs = pace.nowMs()
  await time.advance(1)
  pace.readNow(startedMs)
  expect(pace.mayReadNow(MB)).toBe(true)
})

test('after a slow one, many are made in the background before the next is tried', async () => {
  const time = new VirtualTime()
  const pace = new ReadPace(time)
  pace.readInBackground()
  const startedMs = pace.nowMs()
  await time.advance(10)
  pace.readNow(startedMs)
  let background = 0
  for (; !pace.mayReadNow(MB); background++) pace.readInBackground()
  expect(background).toBe(16)
  expect(pace.mayReadNow(1000)).toBe(true)
})
