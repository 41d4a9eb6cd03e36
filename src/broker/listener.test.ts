import { describe, expect, it } from 'vitest'
import { ReadBuffers } from '../log/read-buffers.ts'
import { silentLogger } from '../platform/logger.ts'
import type { Connection, ConnectionHandler, Network } from '../platform/network.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { type ConnectionLimits, type ConnectionPace, Connections } from './listener.ts'
import { RequestMemory } from './request-memory.ts'

const REQUEST = Buffer.from([0, 0, 0, 4, 0, 3, 0, 0])

/** A network of one listener, in which connections are made by the test. */
class FakeNetwork implements Network {
  #accept: (connection: Connection) => void = () => {}

  async listen(address: { host: string; port: number }, accept: (connection: Connection) => void) {
    this.#accept = accept
    return { ...address, close: async () => {} }
  }

  connect(): Connection {
    throw new Error('not here')
  }

  /** Somebody connects from `address`, and sends one request at once. */
  arrive(address: string): FakeConnection {
    const connection = new FakeConnection(address)
    this.#accept(connection)
    connection.deliver()
    return connection
  }
}

class FakeConnection implements Connection {
  readonly remoteAddress: string
  readonly remotePort = 1
  isDestroyed = false
  answers = 0
  #handler: ConnectionHandler | undefined
  #isPaused = false
  #arrived: Buffer[] = [REQUEST]

  constructor(address: string) {
    this.remoteAddress = address
  }

  handle(handler: ConnectionHandler): void {
    this.#handler = handler
  }

  deliver(): void {
    while (!this.#isPaused && !this.isDestroyed && this.#arrived.length > 0) this.#handler?.data(this.#arrived.shift()!)
  }

  write(): boolean {
    this.answers += 1
    return true
  }

  pendingBytes(): number {
    return 0
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.deliver()
  }

  end(): void {
    this.destroy()
  }

  destroy(): void {
    if (this.isDestroyed) return
    this.isDestroyed = true
    this.#handler?.closed()
  }
}

async function setUp(change: Partial<ConnectionLimits> = {}) {
  const time = new VirtualTime()
  const network = new FakeNetwork()
  const limits: { -readonly [K in keyof ConnectionLimits]: ConnectionLimits[K] } = {
    ...{ total: 100, perListener: () => 100, protectedListener: undefined, perAddress: () => 100, idleMs: 60_000 },
    ...change,
  }
  const connections = new Connections({
    limits: () => limits,
    maxRequestBytes: 100,
    memory: new RequestMemory(0),
    readBuffers: new ReadBuffers(),
    time,
    logger: silentLogger,
  })
  await connections.bind(network, 'PLAINTEXT', 'broker', '127.0.0.1', 9092)
  const open = (pace?: ConnectionPace) => {
    for (const kind of ['broker', 'controller'] as const) connections.open(kind, () => [Buffer.from('answer')], pace)
  }
  return { time, network, connections, limits, open }
}

describe('Connections', () => {
  it('answers connections that came before the broker was ready once it is', async () => {
    const { network, open } = await setUp()
    const early = network.arrive('10.0.0.1')
    expect(early.answers).toBe(0)
    open()
    expect(early.answers).toBe(1)
  })

  it('refuses what one address has too many of (max.connections.per.ip)', async () => {
    const { network, open } = await setUp({ perAddress: (address) => (address === '10.0.0.9' ? 1 : 2) })
    open()
    const [first, , third] = [1, 2, 3].map(() => network.arrive('10.0.0.1'))
    expect(third!.isDestroyed).toBe(true)
    expect(network.arrive('10.0.0.2').answers).toBe(1)
    expect(network.arrive('10.0.0.9').answers).toBe(1)
    expect(network.arrive('10.0.0.9').isDestroyed).toBe(true)
    first!.destroy()
    expect(network.arrive('10.0.0.1').answers).toBe(1)
  })

  it('lets a connection beyond max.connections wait until another one goes', async () => {
    const { network, open } = await setUp({ total: 1 })
    open()
    const first = network.arrive('10.0.0.1')
    const gone = network.arrive('10.0.0.2')
    const waiting = network.arrive('10.0.0.3')
    gone.destroy()
    expect(waiting.answers).toBe(0)
    first.destroy()
    expect(waiting.answers).toBe(1)
  })

  it('counts each listener, and leaves the one between brokers to them (listener.name.*.max.connections)', async () => {
    const perListener = (name: string) => (name === 'PLAINTEXT' ? 1 : 100)
    const { connections, network, open } = await setUp({ total: 2, perListener, protectedListener: 'BROKERS' })
    const [other, brokers, controllers] = [new FakeNetwork(), new FakeNetwork(), new FakeNetwork()]
    await connections.bind(other, 'OTHER', 'broker', '127.0.0.1', 9093)
    await connections.bind(brokers, 'BROKERS', 'broker', '127.0.0.1', 9094)
    await connections.bind(controllers, 'CONTROLLER', 'controller', '127.0.0.1', 9095)
    open()
    const first = network.arrive('10.0.0.1')
    const second = network.arrive('10.0.0.1')
    expect([first.answers, second.answers]).toEqual([1, 0])
    expect([other.arrive('10.0.0.1').answers, other.arrive('10.0.0.1').answers]).toEqual([1, 0])
    expect([brokers.arrive('10.0.0.1').answers, controllers.arrive('10.0.0.1').answers]).toEqual([1, 1])
    first.destroy()
    expect(second.answers).toBe(0)
  })

  it('ends those who have been silent longest when there are too many all of a sudden', async () => {
    const { network, open, limits, time } = await setUp()
    open()
    const old = network.arrive('10.0.0.1')
    await time.advance(10)
    const late = network.arrive('10.0.0.1')
    limits.total = 1
    await time.advance(10_000)
    expect([old.isDestroyed, late.isDestroyed]).toEqual([true, false])
  })

  it('lets in, one after the other, who comes too fast (KIP-612)', async () => {
    const { network, open, time } = await setUp()
    const delays = [0, 200, 300]
    open({ delayMs: () => delays.shift()!, pauseMs: () => 0 })
    const [first, second, third] = [1, 2, 3].map(() => network.arrive('10.0.0.1'))
    const answers = () => [first, second, third].map((connection) => connection!.answers)
    expect(answers()).toEqual([1, 0, 0])
    await time.advance(199)
    expect(answers()).toEqual([1, 0, 0])
    await time.advance(1)
    expect(answers()).toEqual([1, 1, 0])
    await time.advance(300)
    expect(answers()).toEqual([1, 1, 1])
  })

  it('ends connections that are idle for too long, and no others', async () => {
    const { network, open, time } = await setUp({ idleMs: 60_000 })
    open()
    const idle = network.arrive('10.0.0.1')
    await time.advance(45_000)
    const fresh = network.arrive('10.0.0.1')
    await time.advance(30_000)
    expect(idle.isDestroyed).toBe(true)
    expect(fresh.isDestroyed).toBe(false)
  })

  it('takes nobody in once it closes, and resolves when the last one is gone', async () => {
    const { network, open, connections, time } = await setUp()
    open()
    const before = network.arrive('10.0.0.1')
    const closing = connections.close(1000)
    const late = network.arrive('10.0.0.1')
    expect(late.isDestroyed).toBe(true)
    expect(before.isDestroyed).toBe(true)
    await closing
    expect(time.pendingTasks).toBe(0)
  })
})
