import { beforeEach, describe, expect, test } from 'vitest'
import type { ChildEvents, Children } from '../../platform/children.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { planCluster } from './plan.ts'
import { ClusterRunner } from './runner.ts'

class FakeChild {
  readonly args: readonly string[]
  readonly events: ChildEvents
  readonly told: string[] = []

  constructor(args: readonly string[], events: ChildEvents) {
    this.args = args
    this.events = events
  }
}

let children: FakeChild[]
let out: string[]
let err: string[]
let time: VirtualTime
let readyCount: number
let runner: ClusterRunner

beforeEach(() => {
  children = []
  out = []
  err = []
  time = new VirtualTime()
  readyCount = 0
  const start: Children['start'] = (args, _environment, events) => {
    const child = new FakeChild(args, events)
    children.push(child)
    return {
      pid: children.length,
      prepare: () => void child.told.push('prepare'),
      stop: () => void child.told.push('stop'),
      kill: () => void child.told.push('kill'),
    }
  }
  const plan = planCluster({ brokers: 3, port: undefined, directory: '/c', settings: new Map() }, [])
  runner = new ClusterRunner({
    plan,
    children: { start },
    time,
    console: { environment: new Map(), out: (line) => void out.push(line), err: (line) => void err.push(line) },
    environment: new Map(),
    ready: () => {
      readyCount++
    },
  })
})

const ended = (child: FakeChild | undefined, code: number | null, signal: string | null = null) =>
  child!.events.ended({ code, signal })

describe('the nodes of a cluster', () => {
  test('are started with their files, are ready together, and show whose line is whose', () => {
    void runner.run()
    expect(children.map(({ args }) => args)).toEqual([1, 2, 3].map((id) => ['start', `/c/node-${id}.properties`]))
    children[0]!.events.line('hello')
    children[1]!.events.ready()
    children[0]!.events.ready()
    expect(readyCount).toBe(0)
    children[2]!.events.ready()
    expect([out, readyCount]).toEqual([['1 | hello'], 1])
  })

  test('stop when all are prepared', async () => {
    const code = runner.run()
    for (const { events } of children) events.ready()
    runner.stop()
    expect(children.map(({ told }) => told)).toEqual([['prepare'], ['prepare'], ['prepare']])
    children[0]!.events.prepared()
    children[1]!.events.prepared()
    expect(children[0]!.told).toEqual(['prepare'])
    // Who has died meanwhile is not waited for.
    ended(children[2], null, 'SIGKILL')
    expect(children[0]!.told).toEqual(['prepare', 'stop'])
    ended(children[0], 0)
    ended(children[1], 0)
    expect(await code).toBe(1)
    expect(err[0]).toBe('ottla: node 3 ended by SIGKILL. Its last lines:')
  })

  test('that stop in order end with exit code 0', async () => {
    const code = runner.run()
    for (const { events } of children) events.ready()
    runner.stop()
    for (const { events } of children) events.prepared()
    for (const child of children) ended(child, 0)
    expect([await code, err]).toEqual([0, []])
  })

  test('a signal twice at once is one; later a second one kills', async () => {
    const code = runner.run()
    runner.stop()
    runner.stop()
    expect(children[0]!.told).toEqual(['prepare'])
    await time.advance(1000)
    runner.stop()
    expect(children[0]!.told).toEqual(['prepare', 'kill'])
    for (const child of children) ended(child, null, 'SIGKILL')
    expect(await code).toBe(1)
  })

  test('that do not stop in time are killed', async () => {
    const code = runner.run()
    for (const { events } of children) events.ready()
    runner.stop()
    await time.advance(60_000)
    expect(children.map(({ told }) => told.at(-1))).toEqual(['kill', 'kill', 'kill'])
    for (const child of children) ended(child, null, 'SIGKILL')
    expect(await code).toBe(1)
  })

  test('one that dies is reported, and the others go on', async () => {
    const code = runner.run()
    for (const { events } of children) events.ready()
    for (let line = 0; line < 12; line++) children[1]!.events.line(`line ${line}`)
    ended(children[1], 134)
    expect(err).toEqual([
      'ottla: node 2 ended with exit code 134. Its last lines:',
      ...Array.from({ length: 10 }, (_, index) => `ottla:   line ${index + 2}`),
      'ottla: to start it again: ottla start /c/node-2.properties',
    ])
    expect(children[0]!.told).toEqual([])
    runner.stop()
    for (const child of [children[0], children[2]]) child!.events.prepared()
    for (const child of [children[0], children[2]]) ended(child, 0)
    expect(await code).toBe(0)
  })

  test('all dead: there is nothing to go on with', async () => {
    const code = runner.run()
    for (const { events } of children) events.ready()
    for (const child of children) ended(child, null, 'SIGKILL')
    expect(await code).toBe(1)
  })

  test('one that never comes up ends the start of all', async () => {
    const code = runner.run()
    children[0]!.events.ready()
    children[1]!.events.line('ottla: the port is in use')
    ended(children[1], 1)
    expect(err).toEqual(['ottla: node 2 ended with exit code 1. Its last lines:', 'ottla:   ottla: the port is in use'])
    expect([children[0]!.told, children[2]!.told]).toEqual([['prepare'], ['prepare']])
    children[0]!.events.prepared()
    // It was not up yet, and did not wait for the others.
    ended(children[2], 1)
    ended(children[0], 0)
    expect([await code, err.length]).toEqual([1, 2])
  })
})
