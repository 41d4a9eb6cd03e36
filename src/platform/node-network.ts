import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Connection, ConnectionHandler, Listener, Network } from './network.ts'

class NodeConnection implements Connection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
    this.remoteAddress = socket.remoteAddress ?? ''
    this.remotePort = socket.remotePort ?? 0
  }

  handle(handler: ConnectionHandler): void {
    const socket = this.#socket
    let failure: Error | undefined
    socket.on('data', (chunk: Buffer) => handler.data(chunk))
    socket.on('drain', () => handler.drained())
    socket.on('error', (error) => {
      failure = error
    })
    socket.on('close', () => handler.closed(failure))
    if (handler.connected) socket.on('connect', () => handler.connected?.())
  }

  write(chunks: readonly Buffer[]): boolean {
    const socket = this.#socket
    if (chunks.length === 1) return socket.write(chunks[0]!)
    // Corked writes leave together, as one writev.
    socket.cork()
    let ready = true
    for (const chunk of chunks) ready = socket.write(chunk)
    socket.uncork()
    return ready
  }

  pendingBytes(): number {
    return this.#socket.writableLength
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
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
      const server = createServer({ noDelay: true, keepAlive: true }, (socket) => accept(new NodeConnection(socket)))
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
    const connection = new NodeConnection(connect({ ...address, noDelay: true }))
    connection.handle(handler)
    return connection
  }
}
