import { describe, expect, it } from 'vitest'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { ConnectionRates } from './connection-rates.ts'

const FREE = 2 ** 31 - 1

function setUp(bound: number, boundOf: Record<string, number> = {}, protectedListener?: string) {
  const time = new VirtualTime()
  const rates = new ConnectionRates({
    ...{ time, windows: { count: 11, windowMs: 1000 }, bound: () => bound, protectedListener },
    boundOf: (listener) => boundOf[listener] ?? FREE,
  })
  return { rates, time }
}

describe('the rate of new connections (KIP-612)', () => {
  it('is that of the whole broker, over ten seconds, and nobody waits for longer than a window', () => {
    const { rates } = setUp(2)
    for (let i = 0; i < 20; i++) expect(rates.record(i % 2 === 0 ? 'A' : 'B')).toBe(0)
    expect(rates.record('A')).toBe(500)
    expect(rates.record('B')).toBe(1000)
  })

  it('is that of each listener besides', () => {
    const { rates } = setUp(FREE, { A: 1 })
    for (let i = 0; i < 10; i++) expect([rates.record('A'), rates.record('B')]).toEqual([0, 0])
    expect([rates.record('A'), rates.record('B')]).toEqual([1000, 0])
  })

  it('does not hold back brokers on a listener of their own, whom others do not notice either', () => {
    const { rates } = setUp(1, {}, 'BROKERS')
    for (let i = 0; i < 30; i++) expect(rates.record('BROKERS')).toBe(0)
    expect(rates.record('A')).toBe(0)
  })

  it('of nothing lets one in each window; what is taken back does not count', () => {
    const { rates } = setUp(0)
    expect(rates.record('A')).toBe(1000)
    const free = setUp(1)
    for (let i = 0; i < 100; i++) {
      expect(free.rates.record('A')).toBe(0)
      free.rates.takeBack('A')
    }
  })
})
