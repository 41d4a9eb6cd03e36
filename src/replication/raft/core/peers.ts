import type { Peer } from './types.ts'

interface Connection {
  /** undefined while backing off. */
  readonly requestId: number | undefined
  /** When the request counts as lost, or the backoff is over. */
  readonly untilMs: number
}

/** One request at a time to every peer, and a pause after one that failed. */
export class Peers {
  readonly #bootstrap: readonly Peer[]
  readonly #requestTimeoutMs: number
  readonly #retryBackoffMs: number
  readonly #random: (below: number) => number
  /** Peers that have a request under way or are backing off, by id. */
  readonly #connections = new Map<number, Connection>()
  #lastRequestId = 0

  constructor(options: {
    readonly bootstrapPeers: readonly Peer[]
    readonly requestTimeoutMs: number
    readonly retryBackoffMs: number
    readonly random: (below: number) => number
  }) {
    this.#bootstrap = options.bootstrapPeers
    this.#requestTimeoutMs = options.requestTimeoutMs
    this.#retryBackoffMs = options.retryBackoffMs
    this.#random = options.random
  }

  isReady({ id }: Peer, nowMs: number): boolean {
    const connection = this.#connections.get(id)
    if (connection === undefined) return true
    if (nowMs < connection.untilMs) return false
    this.#connections.delete(id)
    return true
  }

  /** Neither timed out nor answered. */
  isBusy(nowMs: number): boolean {
    for (const connection of this.#connections.values()) {
      if (connection.requestId !== undefined && nowMs < connection.untilMs) return true
    }
    return false
  }

  hasTimedOut({ id }: Peer, nowMs: number): boolean {
    const connection = this.#connections.get(id)
    return connection?.requestId !== undefined && nowMs >= connection.untilMs
  }

  isBackingOff({ id }: Peer, nowMs: number): boolean {
    const connection = this.#connections.get(id)
    return connection !== undefined && connection.requestId === undefined && nowMs < connection.untilMs
  }

  /** Answers the id of the request. */
  sent({ id }: Peer, nowMs: number): number {
    const requestId = ++this.#lastRequestId
    this.#connections.set(id, { requestId, untilMs: nowMs + this.#requestTimeoutMs })
    return requestId
  }

  /** Whether anybody still waits for the answer. */
  isExpected({ id }: Peer, requestId: number): boolean {
    return this.#connections.get(id)?.requestId === requestId
  }

  succeeded({ id }: Peer, requestId: number): void {
    if (this.#connections.get(id)?.requestId === requestId) this.#connections.delete(id)
  }

  failed({ id }: Peer, requestId: number, nowMs: number): void {
    if (this.#connections.get(id)?.requestId !== requestId) return
    this.#connections.set(id, { requestId: undefined, untilMs: nowMs + this.#retryBackoffMs })
  }

  forget({ id }: Peer): void {
    this.#connections.delete(id)
  }

  forgetAll(): void {
    this.#connections.clear()
  }

  /** A bootstrap server that may be asked now, while nobody else is being asked; they take turns at random. */
  readyBootstrap(nowMs: number): Peer | undefined {
    if (this.#bootstrap.length === 0 || this.isBusy(nowMs)) return undefined
    const first = this.#random(this.#bootstrap.length)
    const inTurn = [...this.#bootstrap.slice(first), ...this.#bootstrap.slice(0, first)]
    return inTurn.find((peer) => this.isReady(peer, nowMs))
  }

  /** Peers of which nothing is to be waited for any more may be asked again. */
  expire(nowMs: number): void {
    for (const [id, { untilMs }] of this.#connections) if (nowMs >= untilMs) this.#connections.delete(id)
  }

  /** When the next of them is to be looked at; Infinity for none. */
  nextMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { untilMs } of this.#connections.values()) next = Math.min(next, untilMs)
    return next
  }
}
