import { expect, test } from 'vitest'
import { MemoryNetwork } from './memory-network.ts'
import type { Connection } from './network.ts'
import { VirtualTime } from './virtual-time.ts'

class Side {
  readonly seen: string[] = []
  connection: Connection | undefined
  data(chunk: Buffer): void {
    this.seen.push(chunk.toString())
  }
  drained(): void {
    this.seen.push('drained')
  }
  connected(): void {
    this.seen.push('connected')
  }
  closed(error?: Error): void {
    this.seen.push(error === undefined ? 'closed' : `closed: ${error.message}`)
  }
}

async function pair() {
  const time = new VirtualTime()
  const network = new MemoryNetwork(time)
  network.delayMs = () => 10
  const server = new Side()
  const client = new Side()
  await network.of('b').listen({ host: 'b', port: 9092 }, (connection) => {
    server.connection = connection
    connection.handle(server)
  })
  client.connection = network.of('a').connect({ host: 'b', port: 9092 }, client)
  await time.advance(10)
  return { time, network, server, client }
}

test('bytes arrive in order, after their delay', async () => {
  const { time, network, server, client } = await pair()
  client.connection!.write([Buffer.from('on'), Buffer.from('e')])
  network.delayMs = () => 1
  client.connection!.write([Buffer.from('two')])
  await time.advance(9)
  expect(server.seen).toEqual([])
  await time.advance(1)
  expect(server.seen).toEqual(['one', 'two'])
  client.connection!.end()
  await time.advance(1)
  expect(server.seen.at(-1)).toBe('closed')
  expect(client.seen).toEqual(['connected', 'closed'])
})

test('what is sent over a cut link arrives when it is whole again; nobody connects over it', async () => {
  const { time, network, server, client } = await pair()
  network.cut('a', 'b')
  client.connection!.write([Buffer.from('late')])
  server.connection!.write([Buffer.from('back')])
  const third = new Side()
  network.of('b').connect({ host: 'a', port: 1 }, third)
  await time.advance(100)
  expect(server.seen).toEqual([])
  expect(client.seen).toEqual(['connected', 'back'])
  expect(third.seen).toEqual(['closed: ETIMEDOUT: a'])
  network.heal()
  expect(server.seen).toEqual(['late'])
})

test('a host that vanishes takes its listeners with it, and the others hear of it', async () => {
  const { time, network, server, client } = await pair()
  network.crash('b')
  const late = new Side()
  network.of('a').connect({ host: 'b', port: 9092 }, late)
  await time.advance(10)
  expect(client.seen).toEqual(['connected', 'closed: ECONNRESET: b'])
  expect(server.seen).toEqual([])
  expect(late.seen).toEqual(['closed: ECONNREFUSED: b:9092'])
})

test('a receiver that pauses makes the sender wait', async () => {
  const { time, server, client } = await pair()
  server.connection!.pause()
  expect(client.connection!.write([Buffer.alloc(300_000)])).toBe(false)
  await time.advance(10)
  expect(client.connection!.pendingBytes()).toBe(300_000)
  server.connection!.resume()
  expect(client.seen).toEqual(['connected', 'drained'])
  expect(server.seen).toHaveLength(1)
})

test('a process that stands still gets what was sent to it once it goes on', async () => {
  const { time, network, server, client } = await pair()
  network.hold('b')
  client.connection!.write([Buffer.from('late')])
  const other = new Side()
  network.of('a').connect({ host: 'b', port: 9092 }, other)
  await time.advance(10)
  expect([server.seen, other.seen]).toEqual([[], ['closed: ETIMEDOUT: b']])
  network.release('b')
  await time.advance(0)
  expect(server.seen).toEqual(['late'])
})

test('whoever gives up a connection before it hears of it is not told that it is there', async () => {
  const { time, network } = await pair()
  const client = new Side()
  const late: (() => void)[] = []
  network.deliver = (host, run) => (host === 'a' ? late.push(run) : run())
  const connection = network.of('a').connect({ host: 'b', port: 9092 }, client)
  await time.advance(10)
  connection.destroy()
  for (const run of late) run()
  expect(client.seen).toEqual([])
})

test('a connection that is reset takes with it what is on its way', async () => {
  const { time, network, server, client } = await pair()
  client.connection!.write([Buffer.from('lost')])
  network.reset(() => 0)
  await time.advance(10)
  const reset = 'closed: ECONNRESET: the connection was reset'
  expect([server.seen, client.seen]).toEqual([[reset], ['connected', reset]])
})

test('that a host lost its power is noticed by who writes to it once it is there again', async () => {
  const { time, network, client } = await pair()
  network.crash('b', true)
  client.connection!.write([Buffer.from('nobody')])
  await time.advance(100)
  expect(client.seen).toEqual(['connected'])
  await network.of('b').listen({ host: 'b', port: 9092 }, () => {})
  client.connection!.write([Buffer.from('somebody')])
  await time.advance(20)
  expect(client.seen).toEqual(['connected', 'closed: ECONNRESET: b'])
})
