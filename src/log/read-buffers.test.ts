import { describe, expect, test } from 'vitest'
import { ReadBuffers } from './read-buffers.ts'

const LARGE = 200_000

describe('buffers for reads', () => {
  test('what was given back is used again, and nothing else is', () => {
    const buffers = new ReadBuffers()
    const first = buffers.take(LARGE)
    const second = buffers.take(LARGE)
    expect(second.buffer).not.toBe(first.buffer)
    buffers.giveBack([Buffer.from('header'), first.subarray(100, 5000)])
    expect(buffers.take(LARGE).buffer).toBe(first.buffer)
    expect([first.buffer, second.buffer]).not.toContain(buffers.take(LARGE).buffer)
  })

  test('a buffer that is given back twice, or in two slices, is lent only once', () => {
    const buffers = new ReadBuffers()
    const lent = buffers.take(LARGE)
    buffers.giveBack([lent.subarray(0, 10), lent.subarray(10)])
    buffers.giveBack([lent])
    expect(buffers.take(LARGE).buffer).toBe(lent.buffer)
    expect(buffers.take(LARGE).buffer).not.toBe(lent.buffer)
  })

  test('small buffers, those of others and those beyond the bound are left to the garbage collector', () => {
    const buffers = new ReadBuffers()
    const foreign = Buffer.alloc(1 << 20)
    const small = buffers.take(1000)
    const huge = buffers.take(1 << 21)
    expect([small.length, huge.length, buffers.hasLent([foreign, small, huge])]).toEqual([1000, 1 << 21, false])
    buffers.giveBack([foreign, small, huge])
    const lent = Array.from({ length: 40 }, () => buffers.take(LARGE))
    expect(lent.some(({ buffer }) => [foreign.buffer, small.buffer, huge.buffer].includes(buffer))).toBe(false)
    buffers.giveBack(lent)
    const known = new Set(lent.map(({ buffer }) => buffer))
    const again = Array.from({ length: 40 }, () => buffers.take(LARGE)).filter(({ buffer }) => known.has(buffer))
    expect(again.length).toBe(16)
  })

  test('a buffer has the length that was asked for', () => {
    const buffers = new ReadBuffers()
    const full = buffers.take(1 << 20)
    buffers.giveBack([full])
    expect([full.length, buffers.take(LARGE).length, buffers.take(70_000).length]).toEqual([1 << 20, LARGE, 70_000])
  })
})
