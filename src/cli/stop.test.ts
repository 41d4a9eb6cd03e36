import { beforeEach, describe, expect, test } from 'vitest'
import type { RunningServer } from '../broker/server.ts'
import { silentLogger } from '../platform/logger.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { Stop } from './stop.ts'

let time: VirtualTime
let events: string[]
let stop: Stop
let server: RunningServer

beforeEach(() => {
  time = new VirtualTime()
  events = []
  stop = new Stop(time, silentLogger, () => void events.push('exit'))
  server = {
    clusterId: 'c',
    listeners: [],
    stop: async () => void events.push('stop'),
    handOver: async (timeoutMs) => void events.push(`hand over in ${timeoutMs}`),
    stopped: new Promise(() => {}),
    failure: undefined,
    abandon: () => void events.push('abandon'),
  }
})

describe('the end of a node', () => {
  test('one signal stops it, two end the process', () => {
    expect(stop.started(server)).toBe(false)
    stop.signalled('SIGTERM')
    expect(events).toEqual(['stop'])
    stop.signalled('SIGTERM')
    expect(events).toContain('exit')
  })

  test('with its cluster: it hands over, and serves until it is told to stop', async () => {
    stop.started(server)
    await stop.prepare('test')
    expect(events).toEqual(['hand over in 3000'])
    stop.now()
    expect(events).toEqual(['hand over in 3000', 'stop'])
  })

  test('without its parent: it hands over, gives the others time to, stops, and does not hang', async () => {
    stop.started(server)
    await stop.alone()
    await time.advance(1999)
    expect(events).toEqual(['hand over in 3000'])
    await time.advance(1)
    expect(events).toEqual(['hand over in 3000', 'stop'])
    await time.advance(60_000)
    expect(events.at(-1)).toBe('exit')
  })

  test('before it serves: it stops as soon as it does, or the process ends', async () => {
    stop.signalled('SIGTERM')
    expect(stop.started(server)).toBe(true)
    expect(events).toEqual(['stop'])
    await time.advance(60_000)
    expect(events).toEqual(['stop'])
    const waiting = new Stop(time, silentLogger, () => void events.push('exit'))
    waiting.signalled('SIGINT')
    await time.advance(5_000)
    expect(events).toEqual(['stop', 'exit'])
  })
})
