import type { ReadBuffers } from '../log/read-buffers.ts'
import type { Logger } from '../platform/logger.ts'
import type { Connection, ConnectionHandler, Listener, Network } from '../platform/network.ts'
import type { Scheduled, Time } from '../platform/time.ts'
import type { ListenerKind } from '../protocol/api-keys.ts'
import { BrokerConnection, type Serve } from './connection.ts'
import type { RequestMemory } from './request-memory.ts'
import type { ConnectionInfo } from './types.ts'

/** How often idle connections are looked for, at most. */
const MAX_SWEEP_MS = 10_000

/** What a connection reads into before it has been decided who handles it. */
const FIRST_ROOM_BYTES = 1024

export interface ConnectionLimits {
  /** max.connections */
  readonly total: number
  /** max.connections.per.ip, and its overrides by address. */
  readonly perAddress: (address: string) => number
  /** connections.max.idle.ms; below 1 for no limit. */
  readonly idleMs: number
}

export interface ConnectionsOptions {
  /** Looked at anew for every connection, as some of them can be changed while the broker runs. */
  readonly limits: () => ConnectionLimits
  readonly maxRequestBytes: number
  readonly memory: RequestMemory
  readonly readBuffers: ReadBuffers
  readonly time: Time
  readonly logger: Logger
}

/** An address that is bound: connections that come in wait, unread, until it is opened. */
export interface BoundListener {
  readonly name: string
  readonly kind: ListenerKind
  readonly host: string
  readonly port: number
}

interface Bound extends BoundListener {
  readonly listener: Listener
}

/** Stands in for the one who handles a connection until that is decided. */
class Gate implements ConnectionHandler {
  readonly connection: Connection
  readonly name: string
  readonly kind: ListenerKind
  handler: BrokerConnection | undefined
  isGone = false

  constructor(connection: Connection, name: string, kind: ListenerKind) {
    this.connection = connection
    this.name = name
    this.kind = kind
  }

  data(chunk: Buffer): void {
    this.handler?.data(chunk)
  }

  room(): Buffer {
    return this.handler === undefined ? Buffer.allocUnsafeSlow(FIRST_ROOM_BYTES) : this.handler.room()
  }

  drained(): void {
    this.handler?.drained()
  }

  closed(error?: Error): void {
    this.isGone = true
    this.handler?.closed(error)
  }
}

/** All connections of a broker: accepts them, counts them against the limits, ends those that are idle. */
export class Connections {
  readonly #options: ConnectionsOptions
  readonly #bound: Bound[] = []
  readonly #open = new Set<BrokerConnection>()
  /** Over their quota: waiting to be closed. */
  readonly #turnedAway = new Map<Connection, Scheduled>()
  readonly #byAddress = new Map<string, number>()
  /** Accepted by the system, but not served yet: the broker is not ready, or has too many connections. */
  #waiting: Gate[] = []
  #serve: Serve | undefined
  #pauseMs: (address: string) => number = () => 0
  #sweep: Scheduled | undefined
  #nextId = 1
  #isClosed = false
  /** Called when the last connection has gone after `close`. */
  #onEmpty: () => void = () => {}

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#open.size
  }

  /** Takes the port; nobody is answered before `open`. Rejects with the system's error. */
  async bind(network: Network, name: string, kind: ListenerKind, host: string, port: number): Promise<BoundListener> {
    const listener = await network.listen({ host, port }, (connection) => this.#accept(connection, name, kind))
    const bound = { name, kind, host: listener.host, port: listener.port, listener }
    this.#bound.push(bound)
    return bound
  }

  /**
   * From now on requests are answered. `pauseMs`: for how long a connection from an address is left waiting and then
   * closed (KIP-612); 0 lets it in.
   */
  open(serve: Serve, pauseMs: (address: string) => number = () => 0): void {
    this.#serve = serve
    this.#pauseMs = pauseMs
    this.#admitWaiting()
    this.#scheduleSweep()
  }

  /** Stops accepting, lets requests under way finish for at most `graceMs`, then ends all connections. */
  async close(graceMs: number): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#sweep?.cancel()
    for (const waiting of this.#waiting) waiting.connection.destroy()
    this.#waiting = []
    for (const [connection, closing] of this.#turnedAway) {
      closing.cancel()
      connection.destroy()
    }
    this.#turnedAway.clear()
    const closing = this.#bound.map(({ listener }) => listener.close())
    for (const connection of this.#open) connection.finish('the broker shuts down')
    const timer = this.#options.time.after(graceMs, () => {
      for (const connection of this.#open) connection.destroy()
    })
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
      })
    }
    timer.cancel()
    await Promise.all(closing)
  }

  #accept(connection: Connection, name: string, kind: ListenerKind): void {
    const gate = new Gate(connection, name, kind)
    const isFull = this.#open.size + this.#turnedAway.size >= this.#options.limits().total
    // As in Apache Kafka, a connection beyond `max.connections` waits, unread, until another one goes.
    const mustWait = this.#serve === undefined || isFull
    if (this.#isClosed) connection.destroy()
    else if (!mustWait) this.#admit(gate)
    else {
      connection.pause()
      this.#waiting.push(gate)
    }
    connection.handle(gate)
  }

  #admitWaiting(): void {
    while (this.#waiting.length > 0 && this.#open.size < this.#options.limits().total) {
      const gate = this.#waiting.shift()!
      if (gate.isGone) continue
      this.#admit(gate)
      gate.connection.resume()
    }
  }

  #admit(gate: Gate): void {
    const { connection, name: listenerName, kind: listenerKind } = gate
    const { memory, readBuffers, time, logger, maxRequestBytes } = this.#options
    const { remoteAddress, remotePort } = connection
    const sameAddress = this.#byAddress.get(remoteAddress) ?? 0
    if (sameAddress >= this.#options.limits().perAddress(remoteAddress)) {
      logger.info(`Refusing a connection from ${remoteAddress}: it has ${sameAddress} already`)
      connection.destroy()
      return
    }
    const pauseMs = this.#pauseMs(remoteAddress)
    if (pauseMs > 0) {
      this.#turnAway(connection, pauseMs)
      return
    }
    const info: ConnectionInfo = {
      id: this.#nextId++,
      listenerName,
      listenerKind,
      remoteAddress,
      remotePort,
      principal: 'User:ANONYMOUS',
      clientSoftwareName: undefined,
      clientSoftwareVersion: undefined,
      closed: false,
      mutedUntilMs: 0,
      abandon: undefined,
    }
    const onClosed = (closed: BrokerConnection) => this.#forget(closed)
    const served = new BrokerConnection(connection, info, {
      maxRequestBytes,
      memory,
      readBuffers,
      serve: this.#serve!,
      time,
      logger,
      onClosed,
    })
    this.#open.add(served)
    this.#byAddress.set(remoteAddress, sameAddress + 1)
    gate.handler = served
  }

  /** Who connects too often finds out late: closed at once, it would be back at once. */
  #turnAway(connection: Connection, delayMs: number): void {
    connection.pause()
    const closing = this.#options.time.after(delayMs, () => {
      this.#turnedAway.delete(connection)
      connection.destroy()
      this.#admitWaiting()
    })
    this.#turnedAway.set(connection, closing)
  }

  #forget(connection: BrokerConnection): void {
    const { remoteAddress } = connection.info
    this.#open.delete(connection)
    const rest = this.#byAddress.get(remoteAddress)! - 1
    if (rest === 0) this.#byAddress.delete(remoteAddress)
    else this.#byAddress.set(remoteAddress, rest)
    if (!this.#isClosed) this.#admitWaiting()
    else if (this.#open.size === 0) this.#onEmpty()
  }

  #scheduleSweep(): void {
    const { idleMs } = this.#options.limits()
    const everyMs = idleMs > 0 ? Math.min(MAX_SWEEP_MS, Math.max(1, idleMs / 4)) : MAX_SWEEP_MS
    this.#sweep = this.#options.time.after(everyMs, () => {
      this.#endIdle()
      this.#scheduleSweep()
    })
  }

  #endIdle(): void {
    const { idleMs } = this.#options.limits()
    if (idleMs <= 0) return
    const nowMs = this.#options.time.monotonicMs()
    for (const connection of this.#open) {
      if (!connection.isBusy && nowMs - connection.lastActiveMs >= idleMs) connection.destroy()
    }
  }
}
