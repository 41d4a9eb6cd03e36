import type { Connection, ConnectionHandler, Listener, Network } from './network.ts'
import type { Time } from './time.ts'

class NetworkError extends Error {
  readonly code: string

  constructor(code: string, place: string) {
    super(`${code}: ${place}`)
    this.code = code
  }
}

/** What a sender may have on the way before it is asked to wait. */
const HIGH_WATER_BYTES = 256 * 1024

type Accept = (connection: Connection) => void

/**
 * A network in memory, for tests and simulations: hosts by name, streams that arrive in order after a delay, links that
 * can be cut and hosts that can vanish. As with TCP, what is sent over a cut link arrives once it is whole again, if the
 * connection lives so long.
 */
export class MemoryNetwork {
  /** How long the next message takes. */
  delayMs: (from: string, to: string) => number = () => 0
  /** How long it takes to find out that a host cannot be reached. */
  connectTimeoutMs = 0
  /** Runs what brings something to a host: bytes, the end of a connection, a new one. */
  deliver: (host: string, run: () => void) => void = (_, run) => run()
  /** Told of bytes as they are handed over, with the ports of the connection's two ends. */
  onBytes: (from: string, to: string, chunk: Buffer, connection: number, isRequest: boolean) => void = () => {}
  readonly time: Time
  readonly #listeners = new Map<string, Accept>()
  readonly #cut = new Set<string>()
  /** Hosts whose process is stopped: nothing is handed to it. */
  readonly #held = new Set<string>()
  readonly #links = new Set<Link>()
  #lastPort = 20_000

  constructor(time: Time) {
    this.time = time
  }

  /** The network as a process on `host` sees it. */
  of(host: string): Network {
    return {
      listen: (address, accept) => this.#listen(host, address.port, accept),
      connect: (address, handler) => this.#connect(host, address, handler),
    }
  }

  async #listen(host: string, port: number, accept: Accept): Promise<Listener> {
    const bound = port === 0 ? ++this.#lastPort : port
    const place = `${host}:${bound}`
    if (this.#listeners.has(place)) throw new NetworkError('EADDRINUSE', place)
    this.#listeners.set(place, accept)
    const close = async (): Promise<void> => {
      if (this.#listeners.get(place) === accept) this.#listeners.delete(place)
    }
    return { host, port: bound, close }
  }

  #connect(from: string, to: { host: string; port: number }, handler: ConnectionHandler): Connection {
    const link = new Link(this, from, to.host, ++this.#lastPort, to.port)
    const near = link.ends[0]
    near.handle(handler)
    this.#links.add(link)
    link.onEnd = () => this.#links.delete(link)
    this.time.after(this.delayMs(from, to.host), () => {
      const accept = this.#listeners.get(`${to.host}:${to.port}`)
      const isUnreachable = this.isCut(from, to.host) || this.isCut(to.host, from) || this.isHeld(to.host)
      if (isUnreachable) this.#failLate(link, new NetworkError('ETIMEDOUT', to.host))
      else if (accept === undefined) link.fail(new NetworkError('ECONNREFUSED', `${to.host}:${to.port}`))
      else if (!near.isClosed) {
        this.deliver(to.host, () => accept(link.ends[1]))
        this.deliver(from, () => {
          // Whoever was paused may have given up since.
          if (!near.isClosed) handler.connected?.()
        })
      }
    })
    return near
  }

  #failLate(link: Link, error: Error): void {
    if (this.connectTimeoutMs === 0) link.fail(error)
    else this.time.after(this.connectTimeoutMs, () => link.fail(error))
  }

  isHeld(host: string): boolean {
    return this.#held.has(host)
  }

  /** The process on a host is stopped, as by SIGSTOP: what is sent to it waits. */
  hold(host: string): void {
    this.#held.add(host)
  }

  release(host: string): void {
    this.#held.delete(host)
    for (const link of [...this.#links]) link.flush()
  }

  /** Breaks a connection that is open, with what is on its way; `choose` answers which of so many. */
  reset(choose: (count: number) => number): void {
    const links = [...this.#links]
    if (links.length > 0) links[choose(links.length)]!.fail(new NetworkError('ECONNRESET', 'the connection was reset'))
  }

  isListening(host: string): boolean {
    for (const place of this.#listeners.keys()) if (place.startsWith(`${host}:`)) return true
    return false
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from} ${to}`)
  }

  /** Nothing goes from one host to the other until `heal`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`)
  }

  /** All links are whole again. */
  heal(): void {
    this.#cut.clear()
    for (const link of [...this.#links]) link.flush()
  }

  /**
   * The process on a host is gone: its listeners with it, and the other side of its connections hears of it; where the
   * whole host has gone silently, only once it sends something and the host is there again.
   */
  crash(host: string, isSilent = false): void {
    this.#held.delete(host)
    for (const place of [...this.#listeners.keys()]) if (place.startsWith(`${host}:`)) this.#listeners.delete(place)
    for (const link of [...this.#links]) link.crash(host, isSilent)
  }
}

/** A connection, with an end on either host. */
class Link {
  readonly network: MemoryNetwork
  /** Unique in the network. */
  readonly id: number
  readonly ends: readonly [End, End]
  onEnd: () => void = () => {}

  constructor(network: MemoryNetwork, from: string, to: string, fromPort: number, toPort: number) {
    this.network = network
    this.id = fromPort
    this.ends = [new End(this, from, to, toPort), new End(this, to, from, fromPort)]
  }

  otherThan(end: End): End {
    return end === this.ends[0] ? this.ends[1] : this.ends[0]
  }

  flush(): void {
    for (const end of this.ends) end.flush()
  }

  /** Both ends hear of it. */
  fail(error: Error): void {
    for (const end of this.ends) end.close(error)
    this.onEnd()
  }

  /** The end on `host` falls silent, the other one hears of it. */
  crash(host: string, isSilent: boolean): void {
    const gone = this.ends.filter((end) => end.host === host)
    if (gone.length === 0) return
    for (const end of gone) end.vanish()
    const left = this.ends.find((end) => end.host !== host)
    if (isSilent && left?.isClosed === false) return
    left?.close(new NetworkError('ECONNRESET', host))
    this.onEnd()
  }
}

class End implements Connection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly host: string
  isClosed = false
  hasVanished = false
  readonly #link: Link
  #handler: ConnectionHandler | undefined
  /** What has been sent to this end and not been handed over. An `undefined` is the end of the stream. */
  #incoming: (Buffer | undefined)[] = []
  #incomingBytes = 0
  #isPaused = false
  #arrivesAtMs = 0
  #mustDrain = false

  constructor(link: Link, host: string, remoteAddress: string, remotePort: number) {
    this.#link = link
    this.host = host
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
  }

  handle(handler: ConnectionHandler): void {
    this.#handler = handler
    this.flush()
  }

  write(chunks: readonly Buffer[], taken?: () => void): boolean {
    if (this.isClosed) return false
    if (this.#link.otherThan(this).hasVanished) this.#findGone()
    this.#send(Buffer.concat(chunks))
    taken?.()
    this.#mustDrain = this.pendingBytes() > HIGH_WATER_BYTES
    return !this.#mustDrain
  }

  /** What is sent to a host that was gone meanwhile is answered with a reset. */
  #findGone(): void {
    const { network } = this.#link
    network.time.after(2 * network.delayMs(this.host, this.remoteAddress), () => {
      if (network.isListening(this.remoteAddress)) this.#link.fail(new NetworkError('ECONNRESET', this.remoteAddress))
    })
  }

  /** Streams keep their order, whatever the delay of each piece. */
  #send(chunk: Buffer | undefined): void {
    const { network } = this.#link
    const other = this.#link.otherThan(this)
    const nowMs = network.time.monotonicMs()
    other.#incomingBytes += chunk?.length ?? 0
    other.#arrivesAtMs = Math.max(other.#arrivesAtMs, nowMs + network.delayMs(this.host, other.host))
    network.time.after(other.#arrivesAtMs - nowMs, () => {
      // A connection that was reset takes with it what is on its way.
      if (other.isClosed) return
      other.#incoming.push(chunk)
      other.flush()
    })
  }

  /** Hands over what has arrived, unless the receiver does not want it now or the link is cut. */
  flush(): void {
    const { network } = this.#link
    if (this.#incoming.length > 0 && !network.isHeld(this.host)) network.deliver(this.host, () => this.#handOver())
  }

  #handOver(): void {
    const other = this.#link.otherThan(this)
    while (this.#handler !== undefined && !this.isClosed && !this.#isPaused && this.#incoming.length > 0) {
      if (this.#link.network.isCut(other.host, this.host)) return
      const chunk = this.#incoming.shift()
      if (chunk === undefined) {
        this.close()
        other.close()
        this.#link.onEnd()
        return
      }
      this.#incomingBytes -= chunk.length
      const { network, id, ends } = this.#link
      network.onBytes(other.host, this.host, chunk, id, this === ends[1])
      this.#handler.data(this.#inRoom(chunk))
      if (other.#mustDrain && this.#incomingBytes <= HIGH_WATER_BYTES) {
        other.#mustDrain = false
        other.#handler?.drained()
      }
    }
  }

  /** Where the receiver has room of its own, bytes come in it, as many as fit. */
  #inRoom(chunk: Buffer): Buffer {
    const room = this.#handler?.room?.()
    if (room === undefined) return chunk
    const sizeBytes = chunk.copy(room)
    if (sizeBytes < chunk.length) {
      this.#incoming.unshift(chunk.subarray(sizeBytes))
      this.#incomingBytes += chunk.length - sizeBytes
    }
    return room.subarray(0, sizeBytes)
  }

  pendingBytes(): number {
    return this.#link.otherThan(this).#incomingBytes
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.flush()
  }

  end(): void {
    if (!this.isClosed) this.#send(undefined)
  }

  destroy(): void {
    if (this.isClosed) return
    this.end()
    this.close()
  }

  /** Tells the handler, in a turn of its own, as the operating system does. */
  close(error?: Error): void {
    if (this.isClosed) return
    this.isClosed = true
    const { network } = this.#link
    network.time.soon(() => network.deliver(this.host, () => this.#handler?.closed(error)))
  }

  /** Whoever was here is told nothing any more. */
  vanish(): void {
    this.isClosed = true
    this.hasVanished = true
    this.#handler = undefined
  }
}
