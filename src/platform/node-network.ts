import { connect, createServer, type OnReadOpts, type Server, Socket, type SocketConstructorOpts } from 'node:net'
import type { Connection, ConnectionHandler, Listener, Network } from './network.ts'

/** What Node reads and writes with, beneath a Socket. */
interface Handle {
  useUserBuffer?(buffer: Uint8Array): void
}

class NodeConnection implements Connection {
  readonly remoteAddress: string
  readonly remotePort: number
  #socket: Socket
  #isPaused = false

  constructor(socket: Socket) {
    this.#socket = socket
    // On a listener for both versions of IP, addresses of version 4 come in the clothes of version 6.
    this.remoteAddress = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '')
    this.remotePort = socket.remotePort ?? 0
  }

  handle(handler: ConnectionHandler): void {
    const direct = readingInto(this.#socket, handler)
    const socket = direct ?? this.#socket
    this.#socket = socket
    let failure: Error | undefined
    if (direct === undefined) socket.on('data', (chunk: Buffer) => handler.data(chunk))
    socket.on('drain', () => handler.drained())
    socket.on('error', (error) => {
      failure = error
    })
    socket.on('close', () => handler.closed(failure))
    if (handler.connected) socket.on('connect', () => handler.connected?.())
    if (!this.#isPaused) socket.resume()
  }

  write(chunks: readonly Buffer[], taken?: () => void): boolean {
    const socket = this.#socket
    const done = taken && ((error?: Error | null) => error == null && taken())
    if (chunks.length === 1) return socket.write(chunks[0]!, done)
    // Corked writes leave together, as one writev.
    socket.cork()
    let ready = true
    const last = chunks.length - 1
    for (let index = 0; index <= last; index++) ready = socket.write(chunks[index]!, index === last ? done : undefined)
    socket.uncork()
    return ready
  }

  pendingBytes(): number {
    return this.#socket.writableLength
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/**
 * A socket on the same connection that reads into the handler's own buffers. Node offers this (`onread`) only to clients,
 * as a server's sockets are made before anybody can say where to read to; so a second one takes the place of the first.
 * For large messages it saves an allocation and a call for every 64 KB, and joining them. undefined where the handler
 * has no buffers or this Node keeps its handles elsewhere.
 */
function readingInto(accepted: Socket, handler: ConnectionHandler): Socket | undefined {
  const owner = accepted as unknown as { _handle?: Handle | null }
  const handle = owner._handle
  if (handler.room === undefined || accepted.connecting || typeof handle?.useUserBuffer !== 'function') return undefined
  owner._handle = null
  accepted.destroy()
  return new Socket({ handle, onread: onReadOf(handler), pauseOnCreate: true } as unknown as SocketConstructorOpts)
}

/** Has a socket read into the handler's buffers; its `data` events then never come. */
function onReadOf(handler: ConnectionHandler): OnReadOpts | undefined {
  if (handler.room === undefined) return undefined
  let target: Buffer = Buffer.alloc(0)
  return {
    buffer: () => {
      target = handler.room!()
      return target
    },
    callback: (sizeBytes: number) => {
      handler.data(target.subarray(0, sizeBytes))
      return true
    },
  }
}

class NodeListener implements Listener {
  readonly host: string
  readonly port: number
  readonly #server: Server

  constructor(server: Server) {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP listener has a TCP address')
    this.#server = server
    this.host = address.address
    this.port = address.port
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

/** TCP by node:net. */
export class NodeNetwork implements Network {
  listen(address: { host: string; port: number }, accept: (connection: Connection) => void): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, keepAlive: true, pauseOnConnect: true }, (socket) => {
        accept(new NodeConnection(socket))
      })
      server.once('error', reject)
      const bind = address.host === '' ? { port: address.port } : { host: address.host, port: address.port }
      server.listen({ ...bind, backlog: 511 }, () => {
        server.off('error', reject)
        // Running out of file descriptors fails single accepts; the listener itself goes on.
        server.on('error', () => {})
        resolve(new NodeListener(server))
      })
    })
  }

  connect(address: { host: string; port: number }, handler: ConnectionHandler): Connection {
    const onread = onReadOf(handler)
    const connection = new NodeConnection(connect({ ...address, noDelay: true, ...(onread && { onread }) }))
    connection.handle(handler)
    return connection
  }
}
