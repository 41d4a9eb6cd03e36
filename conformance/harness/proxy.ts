import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'

/** Which of some processes has a connection from `localPort` to `remotePort` on this machine; asks /proc. */
function ownerOf(localPort: number, remotePort: number, pids: ReadonlyMap<number, number>): number | undefined {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/net/${table}`, 'latin1').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      if (!fields[1]?.endsWith(`:${hex(localPort)}`) || !fields[2]?.endsWith(`:${hex(remotePort)}`)) continue
      const socket = `socket:[${fields[9]}]`
      for (const [id, pid] of pids) if (hasOpen(pid, socket)) return id
    }
  }
  return undefined
}

function hasOpen(pid: number, name: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === name
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}

/** The bytes of one connection that go one way. */
class Stream {
  private readonly from: Socket
  private readonly to: Socket
  private isCut: boolean
  private hasEnded = false

  constructor(from: Socket, to: Socket, isCut: boolean) {
    this.from = from
    this.to = to
    this.isCut = isCut
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => this.flow())
    from.on('close', () => {
      this.hasEnded = true
      this.flow()
    })
    from.on('error', () => {})
    this.flow()
  }

  cut(isCut: boolean): void {
    this.isCut = isCut
    this.flow()
  }

  /** As on a cable that is cut: nothing arrives, neither data nor the end, and what waits arrives after the repair. */
  private flow(): void {
    if (this.isCut) this.from.pause()
    else if (this.hasEnded) this.to.end()
    else this.from.resume()
  }
}

interface Connection {
  readonly source: number
  readonly target: number
  readonly there: Stream
  readonly back: Stream
}

/**
 * Stands before listeners of nodes, in this process, and passes on what other nodes send them, unless their link is cut.
 * Who has connected is found by its process, so that one port for each listener is enough.
 */
export class Links {
  private readonly servers: Server[] = []
  private readonly sockets: Set<Socket> = new Set()
  private readonly connections: Set<Connection> = new Set()
  private readonly cuts: Set<string> = new Set()
  /** The processes of the nodes, by node id. */
  private readonly pids: () => ReadonlyMap<number, number>

  constructor(pids: () => ReadonlyMap<number, number>) {
    this.pids = pids
  }

  /** From now on, `port` leads to `targetPort` of node `target`. */
  async add(target: number, port: number, targetPort: number): Promise<void> {
    const server = createServer((near) => this.accept(near, target, port, targetPort))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    this.servers.push(server)
  }

  /** Nothing that `from` sends reaches `to` any more: no request and no answer. */
  cut(from: number, to: number): void {
    this.cuts.add(`${from}>${to}`)
    this.update()
  }

  /** Nothing passes between `node` and the others, in either direction. */
  isolate(node: number, others: readonly number[]): void {
    for (const other of others) {
      this.cut(node, other)
      this.cut(other, node)
    }
  }

  /** All links are as they were. */
  heal(): void {
    this.cuts.clear()
    this.update()
  }

  close(): void {
    for (const server of this.servers) server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private accept(near: Socket, target: number, port: number, targetPort: number): void {
    this.sockets.add(near)
    near.once('close', () => this.sockets.delete(near))
    near.on('error', () => {})
    const source = ownerOf(near.remotePort ?? 0, port, this.pids())
    if (source === undefined) {
      near.destroy()
      return
    }
    const far = dial({ host: '127.0.0.1', port: targetPort })
    this.sockets.add(far)
    // Nobody listens there, or the node has died: that is seen at once, as on one machine it would be.
    far.once('error', () => near.destroy())
    far.once('close', () => this.sockets.delete(far))
    near.setNoDelay(true)
    far.setNoDelay(true)
    const connection = {
      source,
      target,
      there: new Stream(near, far, this.isCut(source, target)),
      back: new Stream(far, near, this.isCut(target, source)),
    }
    this.connections.add(connection)
    far.once('close', () => this.connections.delete(connection))
  }

  private isCut(from: number, to: number): boolean {
    return this.cuts.has(`${from}>${to}`)
  }

  private update(): void {
    for (const { source, target, there, back } of this.connections) {
      there.cut(this.isCut(source, target))
      back.cut(this.isCut(target, source))
    }
  }
}
