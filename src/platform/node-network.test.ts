import { describe, expect, it } from 'vitest'
import type { Connection, ConnectionHandler } from './network.ts'
import { NodeNetwork } from './node-network.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }

/** Collects what comes; with `roomBytes` in buffers of its own of that size. */
class Collector implements ConnectionHandler {
  readonly chunks: Buffer[] = []
  readonly offered: Buffer[] = []
  closedWith: Error | undefined
  isClosed = false
  #wake: (() => void)[] = []
  readonly room?: () => Buffer

  constructor(roomBytes?: number) {
    if (roomBytes === undefined) return
    this.room = () => {
      const room = Buffer.alloc(roomBytes)
      this.offered.push(room)
      return room
    }
  }

  data(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.#changed()
  }

  drained(): void {}

  closed(error?: Error): void {
    this.closedWith = error
    this.isClosed = true
    this.#changed()
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks)
  }

  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  #changed(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }
}

async function pair(
  server: Collector,
  beforeHandle: (connection: Connection) => void = () => {},
  client = new Collector(),
) {
  const network = new NodeNetwork()
  let accepted: Connection | undefined
  const listening = await network.listen(LOOPBACK, (connection) => {
    accepted = connection
    beforeHandle(connection)
    connection.handle(server)
    client.data(Buffer.alloc(0))
  })
  const connection = network.connect({ host: '127.0.0.1', port: listening.port }, client)
  await client.until(() => accepted !== undefined)
  return { listening, connection, client, accepted: accepted! }
}

describe.each([
  ['buffers of its own', () => new Collector()],
  ["the handler's buffers", () => new Collector(1000)],
])('NodeNetwork, reading into %s', (_, collector) => {
  it('brings every byte in order, both ways, and says when the other side has closed', async () => {
    const server = collector()
    const { listening, connection, client, accepted } = await pair(server)
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (__, index) => index % 251))
    connection.write([bytes.subarray(0, 7), bytes.subarray(7)])
    await server.until(() => server.received.length === bytes.length)
    expect(server.received.equals(bytes)).toBe(true)
    accepted.write([Buffer.from('ans'), Buffer.from('wer')])
    await client.until(() => client.received.toString() === 'answer')
    connection.end()
    await server.until(() => server.isClosed)
    expect(server.closedWith).toBeUndefined()
    await listening.close()
  })

  it('reads nothing while it is paused', async () => {
    const server = collector()
    const { listening, connection, accepted } = await pair(server, (each) => each.pause())
    await new Promise<void>((resolve) => {
      connection.write([Buffer.from('early')])
      setTimeout(resolve, 30)
    })
    expect(server.received.toString()).toBe('')
    accepted.resume()
    await server.until(() => server.received.toString() === 'early')
    accepted.pause()
    accepted.resume()
    connection.write([Buffer.from('late')])
    await server.until(() => server.received.toString() === 'earlylate')
    connection.destroy()
    await listening.close()
  })

  it('tells the other side at once when it is destroyed', async () => {
    const server = collector()
    const { listening, client, accepted } = await pair(server)
    accepted.destroy()
    await client.until(() => client.isClosed)
    await server.until(() => server.isClosed)
    await listening.close()
  })
})

it('reads straight into the buffers that a handler offers', async () => {
  const server = new Collector(64)
  const { listening, connection } = await pair(server)
  connection.write([Buffer.alloc(500, 1)])
  await server.until(() => server.received.length === 500)
  const offered = new Set(server.offered.map(({ buffer }) => buffer))
  expect(server.chunks.every(({ buffer }) => offered.has(buffer))).toBe(true)
  connection.destroy()
  await listening.close()
})

it('reads answers straight into the buffers that a client offers', async () => {
  const server = new Collector()
  const client = new Collector(64)
  const { listening, connection, accepted } = await pair(server, undefined, client)
  accepted.write([Buffer.alloc(500, 1)])
  await client.until(() => client.received.length === 500)
  const offered = new Set(client.offered.map(({ buffer }) => buffer))
  const chunks = client.chunks.filter(({ length }) => length > 0)
  expect(chunks.every(({ buffer }) => offered.has(buffer))).toBe(true)
  connection.pause()
  connection.resume()
  accepted.write([Buffer.from('more')])
  await client.until(() => client.received.length === 504)
  accepted.end()
  await client.until(() => client.isClosed)
  expect(client.closedWith).toBeUndefined()
  await listening.close()
})

it('says when chunks may be written to again, and what was sent stays what it was', async () => {
  const server = new Collector()
  const { listening, connection, accepted } = await pair(server, (each) => each.pause())
  const chunks = [1, 2, 3].map((value) => Buffer.alloc(4 << 20, value))
  const expected = Buffer.concat(chunks)
  let isTaken = false
  const taken = new Promise<void>((resolve) => {
    connection.write(chunks, () => {
      isTaken = true
      for (const chunk of chunks) chunk.fill(9)
      resolve()
    })
  })
  // More than the system buffers for a socket that nobody reads.
  expect([isTaken, connection.pendingBytes() > 0]).toEqual([false, true])
  accepted.resume()
  await taken
  await server.until(() => server.received.length >= expected.length)
  expect(server.received.equals(expected)).toBe(true)
  connection.destroy()
  await listening.close()
})

it('never says so of chunks that a broken connection held', async () => {
  const server = new Collector()
  const { listening, connection, client, accepted } = await pair(server, (each) => each.pause())
  let isTaken = false
  connection.write([Buffer.alloc(16 << 20)], () => {
    isTaken = true
  })
  connection.write([Buffer.alloc(16), Buffer.alloc(16)], () => {
    isTaken = true
  })
  connection.destroy()
  await client.until(() => client.isClosed)
  expect(isTaken).toBe(false)
  accepted.destroy()
  await listening.close()
})
