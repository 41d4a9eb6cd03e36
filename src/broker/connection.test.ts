import { describe, expect, it } from 'vitest'
import { ReadBuffers } from '../log/read-buffers.ts'
import { silentLogger } from '../platform/logger.ts'
import type { Connection } from '../platform/network.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { type Answer, BrokerConnection } from './connection.ts'
import { RequestMemory } from './request-memory.ts'
import { CLOSE_CONNECTION, type ConnectionInfo, NO_RESPONSE } from './types.ts'

const PRODUCE = 0
const METADATA = 3

/** A frame with its size field: an API key, then a tag by which the test knows it again. */
function request(apiKey: number, tag: number, paddingBytes = 0): Buffer {
  const frame = Buffer.alloc(4 + 4 + paddingBytes)
  frame.writeInt32BE(4 + paddingBytes, 0)
  frame.writeInt16BE(apiKey, 4)
  frame.writeInt16BE(tag, 6)
  return frame
}

class FakeSocket implements Connection {
  readonly remoteAddress = '10.0.0.1'
  readonly remotePort = 1
  readonly sent: string[] = []
  unsentBytes = 0
  isPaused = false
  isEnded = false
  isDestroyed = false

  handle(): void {}
  /** What says that the latest chunks have been taken by the system. */
  taken: (() => void) | undefined

  write(chunks: readonly Buffer[], taken?: () => void): boolean {
    this.taken = taken
    this.sent.push(Buffer.concat(chunks).toString())
    return true
  }
  pendingBytes(): number {
    return this.unsentBytes
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  end(): void {
    this.isEnded = true
  }
  destroy(): void {
    this.isDestroyed = true
  }
}

interface Started {
  readonly tag: number
  readonly answer: (answer: Answer) => void
}

function setUp(options: { memoryBytes?: number; maxRequestBytes?: number; sync?: (tag: number) => Answer } = {}) {
  const socket = new FakeSocket()
  const started: Started[] = []
  const time = new VirtualTime()
  const log: string[] = []
  const memory = new RequestMemory(options.memoryBytes ?? 0)
  const readBuffers = new ReadBuffers()
  const info: ConnectionInfo = {
    id: 1,
    listenerName: 'PLAINTEXT',
    listenerKind: 'broker',
    remoteAddress: socket.remoteAddress,
    remotePort: socket.remotePort,
    principal: 'User:ANONYMOUS',
    clientSoftwareName: undefined,
    clientSoftwareVersion: undefined,
    closed: false,
    mutedUntilMs: 0,
    abandon: undefined,
  }
  const connection = new BrokerConnection(socket, info, {
    maxRequestBytes: options.maxRequestBytes ?? 100 * 1024 * 1024,
    memory,
    readBuffers,
    time,
    logger: { ...silentLogger, info: (message) => log.push(message), warn: (message) => log.push(message) },
    onClosed: () => {},
    serve: (frame) => {
      const tag = frame.readInt16BE(2)
      if (options.sync) return options.sync(tag)
      return new Promise((resolve) => started.push({ tag, answer: resolve }))
    },
  })
  const settle = () => time.advance(0)
  const answer = async (tag: number, text: Answer | string) => {
    const index = started.findIndex((other) => other.tag === tag)
    const [found] = started.splice(index, 1)
    found!.answer(typeof text === 'string' ? [Buffer.from(text)] : text)
    await settle()
  }
  const tags = () => started.map(({ tag }) => tag)
  return { socket, started, tags, answer, time, memory, readBuffers, connection, info, log, settle }
}

describe('BrokerConnection', () => {
  it('runs one request at a time', async () => {
    const { connection, tags, answer, socket } = setUp()
    connection.data(Buffer.concat([request(METADATA, 1), request(METADATA, 2)]))
    expect(tags()).toEqual([1])
    await answer(1, 'one')
    expect(tags()).toEqual([2])
    await answer(2, 'two')
    expect(socket.sent).toEqual(['one', 'two'])
  })

  it('sends the answer of a client that has to pause, and starts nothing until it has (KIP-219)', async () => {
    const { connection, tags, answer, socket, info, time } = setUp()
    connection.data(Buffer.concat([request(METADATA, 1), request(METADATA, 2)]))
    info.mutedUntilMs = time.monotonicMs() + 500
    await answer(1, 'one')
    expect([socket.sent, tags()]).toEqual([['one'], []])
    await time.advance(499)
    expect(tags()).toEqual([])
    await time.advance(1)
    expect(tags()).toEqual([2])
  })

  it('gives read buffers back when their bytes have been sent, not before', async () => {
    const { connection, answer, socket, readBuffers } = setUp()
    connection.data(request(METADATA, 1))
    const lent = readBuffers.take(100_000)
    await answer(1, [Buffer.from('header'), lent])
    expect(socket.sent.length).toBe(1)
    expect(readBuffers.hasLent([lent])).toBe(true)
    socket.taken!()
    expect(readBuffers.hasLent([lent])).toBe(false)
    expect(readBuffers.take(100_000).buffer).toBe(lent.buffer)
  })

  it('lets Produce requests in a row overlap, and answers them in order', async () => {
    const { connection, tags, answer, socket } = setUp()
    connection.data(Buffer.concat([1, 2, 3].map((tag) => request(PRODUCE, tag))))
    connection.data(request(METADATA, 4))
    expect(tags()).toEqual([1, 2, 3])
    await answer(3, 'three')
    await answer(2, 'two')
    expect(socket.sent).toEqual([])
    await answer(1, 'one')
    expect(socket.sent).toEqual(['onetwothree'])
    expect(tags()).toEqual([4])
  })

  it('does not start a Produce request beside another kind of request', async () => {
    const { connection, tags, answer } = setUp()
    connection.data(Buffer.concat([request(METADATA, 1), request(PRODUCE, 2)]))
    expect(tags()).toEqual([1])
    await answer(1, 'one')
    expect(tags()).toEqual([2])
  })

  it('sends nothing for a request without response, and goes on', async () => {
    const { connection, tags, answer, socket } = setUp()
    connection.data(Buffer.concat([request(PRODUCE, 1), request(METADATA, 2)]))
    await answer(1, NO_RESPONSE)
    expect(tags()).toEqual([2])
    await answer(2, 'two')
    expect(socket.sent).toEqual(['two'])
  })

  it('sends what came before, then closes, and destroys a socket that the client keeps open', async () => {
    const { connection, answer, socket, time } = setUp()
    connection.data(Buffer.concat([1, 2, 3].map((tag) => request(PRODUCE, tag))))
    await answer(2, CLOSE_CONNECTION)
    await answer(3, 'three')
    expect(socket.isEnded).toBe(false)
    await answer(1, 'one')
    expect(socket.sent).toEqual(['one'])
    expect(socket.isEnded).toBe(true)
    await time.advance(10_000)
    expect(socket.isDestroyed).toBe(true)
  })

  it('answers what came before a frame that is too large, then closes with one line in the log', async () => {
    const { connection, answer, socket, log } = setUp({ maxRequestBytes: 50 })
    connection.data(Buffer.concat([request(METADATA, 1), request(METADATA, 2, 100)]))
    connection.data(request(METADATA, 3))
    await answer(1, 'one')
    expect(socket.sent).toEqual(['one'])
    expect(socket.isEnded).toBe(true)
    expect(log).toHaveLength(1)
    expect(log[0]).toContain('a frame of 104 bytes, the limit is 50')
  })

  it('stops reading while too many bytes of requests wait, and goes on when there is room', async () => {
    const { connection, answer, socket, settle } = setUp()
    connection.data(request(METADATA, 1))
    connection.data(request(METADATA, 2, 5 * 1024 * 1024))
    await settle()
    expect(socket.isPaused).toBe(true)
    await answer(1, 'one')
    expect(socket.isPaused).toBe(true)
    await answer(2, 'two')
    expect(socket.isPaused).toBe(false)
  })

  it('reads on while an incomplete frame is all there is, however large', () => {
    const { connection, socket } = setUp()
    const frame = request(METADATA, 1, 50 * 1024 * 1024)
    connection.data(frame.subarray(0, 40 * 1024 * 1024))
    expect(socket.isPaused).toBe(false)
  })

  it('starts no request while the client does not take its answers', async () => {
    const { connection, tags, answer, socket } = setUp()
    connection.data(Buffer.concat([request(METADATA, 1), request(METADATA, 2)]))
    socket.unsentBytes = 2 * 1024 * 1024
    await answer(1, 'one')
    expect(tags()).toEqual([])
    socket.unsentBytes = 0
    connection.drained()
    expect(tags()).toEqual([2])
  })

  it('pauses when all connections together hold too much, and resumes when another one gives up its share', async () => {
    const { connection, answer, socket, memory, settle } = setUp({ memoryBytes: 1000 })
    memory.hold(900)
    connection.data(request(METADATA, 1, 200))
    await answer(1, 'one')
    expect(socket.isPaused).toBe(false)
    memory.hold(100)
    connection.data(request(METADATA, 2))
    await answer(2, 'two')
    expect(socket.isPaused).toBe(true)
    memory.release(1000)
    await settle()
    expect(socket.isPaused).toBe(false)
    expect(memory.usedBytes).toBe(0)
  })

  it('releases all memory when the connection breaks, and tells the request that waits', async () => {
    const { connection, info, memory, answer, socket } = setUp()
    connection.data(
      Buffer.concat([request(METADATA, 1, 10), request(METADATA, 2, 20), request(METADATA, 3).subarray(0, 6)]),
    )
    let isAbandoned = false
    info.abandon = () => {
      isAbandoned = true
    }
    connection.closed(new Error('ECONNRESET'))
    expect(isAbandoned).toBe(true)
    await answer(1, 'one')
    expect(memory.usedBytes).toBe(0)
    expect(socket.sent).toEqual([])
  })

  it('does not recurse over requests that are answered at once', () => {
    const { connection, socket } = setUp({ sync: (tag) => [Buffer.from(String(tag % 10))] })
    connection.data(Buffer.concat(Array.from({ length: 20_000 }, (_, index) => request(METADATA, index % 1000))))
    expect(socket.sent.join('')).toHaveLength(20_000)
  })

  it('finishes what is under way when told to, and takes nothing more', async () => {
    const { connection, tags, answer, socket } = setUp()
    connection.data(Buffer.concat([request(METADATA, 1), request(METADATA, 2)]))
    connection.finish('shutdown')
    connection.data(request(METADATA, 3))
    await answer(1, 'one')
    expect(tags()).toEqual([])
    expect(socket.sent).toEqual(['one'])
    expect(socket.isEnded).toBe(true)
  })
})
