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
  /** max.connections: of all listeners of one kind together. */
  readonly total: number
  /** The same of one listener, by its name. */
  readonly perListener: (name: string) => number
  /** The listener that brokers use among themselves, where clients have others: it is never full because of those. */
  readonly protectedListener: string | undefined
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

/** Decides when new connections are let in, besides how many there are. Times in ms. */
export interface ConnectionPace {
  /** Notes a new connection; for how long it waits to be let in, and all after it on its listener (KIP-612). */
  delayMs(listenerName: string): number
  /** For how long a connection from an address is left waiting and then closed; 0 lets it in. */
  pauseMs(address: string, listenerName: string): number
}

/** One listener, with the connections that the system has accepted but that are not served yet, in their order. */
interface Lane {
  readonly name: string
  readonly kind: ListenerKind
  /** Who answers requests, and how connections are let in; undefined until it is opened. */
  opening: { readonly serve: Serve; readonly pace: ConnectionPace } | undefined
  readonly waiting: Gate[]
  /** Whether the first that waits has been noted. */
  isNoted: boolean
  /** Until then nobody is let in. */
  delay: Scheduled | undefined
  /** Connections that are open. */
  count: number
}

/** Stands in for the one who handles a connection until that is decided. */
class Gate implements ConnectionHandler {
  readonly connection: Connection
  handler: BrokerConnection | undefined
  isGone = false
  isPaused = false

  constructor(connection: Connection) {
    this.connection = connection
  }

  pause(): void {
    this.isPaused = true
    this.connection.pause()
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.connection.resume()
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

const UNPACED: ConnectionPace = { delayMs: () => 0, pauseMs: () => 0 }

/** All connections of a broker: accepts them, counts them against the limits, ends those that are idle. */
export class Connections {
  readonly #options: ConnectionsOptions
  readonly #listeners: Listener[] = []
  readonly #lanes: Lane[] = []
  readonly #open = new Map<BrokerConnection, Lane>()
  /** Over their quota: waiting to be closed. */
  readonly #turnedAway = new Map<Connection, Scheduled>()
  readonly #byAddress = new Map<string, number>()
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
    const lane: Lane = { name, kind, opening: undefined, waiting: [], isNoted: false, delay: undefined, count: 0 }
    const listener = await network.listen({ host, port }, (connection) => this.#accept(connection, lane))
    this.#lanes.push(lane)
    this.#listeners.push(listener)
    return { name, kind, host: listener.host, port: listener.port }
  }

  /** From now on requests are answered on listeners of this kind. */
  open(kind: ListenerKind, serve: Serve, pace = UNPACED): void {
    for (const lane of this.#lanes) {
      if (lane.kind !== kind) continue
      lane.opening = { serve, pace }
      this.#letIn(lane)
    }
    if (this.#sweep === undefined) this.#scheduleSweep()
  }

  /** Stops accepting, lets requests under way finish for at most `graceMs`, then ends all connections. */
  async close(graceMs: number): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#sweep?.cancel()
    for (const lane of this.#lanes) {
      lane.delay?.cancel()
      for (const { connection } of lane.waiting.splice(0)) connection.destroy()
    }
    for (const [connection, closing] of this.#turnedAway) {
      closing.cancel()
      connection.destroy()
    }
    this.#turnedAway.clear()
    const closing = this.#listeners.map((listener) => listener.close())
    for (const connection of this.#open.keys()) connection.finish('the broker shuts down')
    const timer = this.#options.time.after(graceMs, () => {
      for (const connection of this.#open.keys()) connection.destroy()
    })
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
      })
    }
    timer.cancel()
    await Promise.all(closing)
  }

  #accept(connection: Connection, lane: Lane): void {
    const gate = new Gate(connection)
    if (this.#isClosed) connection.destroy()
    else {
      lane.waiting.push(gate)
      this.#letIn(lane)
      if (lane.waiting.includes(gate)) gate.pause()
    }
    connection.handle(gate)
  }

  /** As in Apache Kafka, a connection beyond the limits waits, unread, and with it all that come after it. */
  #letIn(lane: Lane): void {
    if (lane.opening === undefined) return
    for (let gate = lane.waiting[0]; gate !== undefined && lane.delay === undefined; gate = lane.waiting[0]) {
      if (!gate.isGone) {
        if (this.#mustWait(lane)) return
        this.#admit(gate, lane)
        gate.resume()
      }
      lane.waiting.shift()
      lane.isNoted = false
    }
  }

  #mustWait(lane: Lane): boolean {
    if (!lane.isNoted) {
      lane.isNoted = true
      const delayMs = lane.opening!.pace.delayMs(lane.name)
      if (delayMs > 0) {
        lane.delay = this.#options.time.after(delayMs, () => {
          lane.delay = undefined
          this.#letIn(lane)
        })
        return true
      }
    }
    return !this.#hasRoom(lane)
  }

  #hasRoom({ name, kind, count }: Lane): boolean {
    const { total, perListener, protectedListener } = this.#options.limits()
    if (count >= perListener(name)) return false
    return name === protectedListener || this.#countOf(kind) + this.#turnedAway.size < total
  }

  #countOf(kind: ListenerKind): number {
    let count = 0
    for (const lane of this.#lanes) if (lane.kind === kind) count += lane.count
    return count
  }

  #admit(gate: Gate, lane: Lane): void {
    const { connection } = gate
    const { name: listenerName, kind: listenerKind } = lane
    const { serve, pace } = lane.opening!
    const { memory, readBuffers, time, logger, maxRequestBytes } = this.#options
    const { remoteAddress, remotePort } = connection
    const sameAddress = this.#byAddress.get(remoteAddress) ?? 0
    if (sameAddress >= this.#options.limits().perAddress(remoteAddress)) {
      logger.info(`Refusing a connection from ${remoteAddress}: it has ${sameAddress} already`)
      connection.destroy()
      return
    }
    const pauseMs = pace.pauseMs(remoteAddress, listenerName)
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
      serve,
      time,
      logger,
      onClosed,
    })
    this.#open.set(served, lane)
    lane.count += 1
    this.#byAddress.set(remoteAddress, sameAddress + 1)
    gate.handler = served
  }

  /** Who connects too often finds out late: closed at once, it would be back at once. */
  #turnAway(connection: Connection, delayMs: number): void {
    connection.pause()
    const closing = this.#options.time.after(delayMs, () => {
      this.#turnedAway.delete(connection)
      connection.destroy()
      this.#letAllIn()
    })
    this.#turnedAway.set(connection, closing)
  }

  #forget(connection: BrokerConnection): void {
    const { remoteAddress } = connection.info
    this.#open.get(connection)!.count -= 1
    this.#open.delete(connection)
    const rest = this.#byAddress.get(remoteAddress)! - 1
    if (rest === 0) this.#byAddress.delete(remoteAddress)
    else this.#byAddress.set(remoteAddress, rest)
    if (!this.#isClosed) this.#letAllIn()
    else if (this.#open.size === 0) this.#onEmpty()
  }

  #letAllIn(): void {
    for (const lane of this.#lanes) this.#letIn(lane)
  }

  #scheduleSweep(): void {
    const { idleMs } = this.#options.limits()
    const everyMs = idleMs > 0 ? Math.min(MAX_SWEEP_MS, Math.max(1, idleMs / 4)) : MAX_SWEEP_MS
    this.#sweep = this.#options.time.after(everyMs, () => {
      this.#endIdle()
      this.#endExcess()
      // The limits may have been raised.
      this.#letAllIn()
      this.#scheduleSweep()
    })
  }

  #endIdle(): void {
    const { idleMs } = this.#options.limits()
    if (idleMs <= 0) return
    const nowMs = this.#options.time.monotonicMs()
    for (const connection of this.#open.keys()) {
      if (!connection.isBusy && nowMs - connection.lastActiveMs >= idleMs) connection.destroy()
    }
  }

  /** Where the limit was lowered, or brokers took the place of clients, those who have been silent longest go. */
  #endExcess(): void {
    const { total, protectedListener } = this.#options.limits()
    const excess = this.#countOf('broker') - total
    if (excess <= 0) return
    const others = [...this.#open].filter(([, { name, kind }]) => kind === 'broker' && name !== protectedListener)
    const oldest = others.map(([connection]) => connection).sort((a, b) => a.lastActiveMs - b.lastActiveMs)
    for (const connection of oldest.slice(0, excess)) connection.destroy()
  }
}
