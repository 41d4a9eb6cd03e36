import type { MetadataImage } from '../metadata/image.ts'
import { isActive } from './placement.ts'

/** Of how many brokers it is remembered why they were refused: anybody may ask. */
const MAX_REFUSALS = 100

interface Session {
  readonly epoch: number
  heardMs: number
  /** By which it was last heard of; undefined for within this process, or by another controller. */
  connectionId: number | undefined
  /** The broker was told that it may end. */
  mayEnd: boolean
}

interface Progress {
  /** The highest metadata offset that the broker says it has reached; -1 before it has said so. */
  metadataOffset: number
  /** What the others must have reached before the broker may go; -1 while it does not shut down. */
  shutdownOffset: number
}

/**
 * What an active controller remembers of brokers without writing it down: when each was heard of, and how far it is. A
 * controller that becomes active begins anew, and gives every unfenced broker a full session.
 */
export class BrokerSessions {
  readonly #timeoutMs: number
  /** Offsets of registrations from before this controller was active are not known; none is greater than this. */
  readonly #activationOffset: number
  readonly #sessions = new Map<number, Session>()
  readonly #progress = new Map<number, Progress>()
  readonly #registeredAt = new Map<number, number>()
  /** Why brokers were not registered, as far as it has been told. */
  readonly #refusals = new Map<number, string>()

  /** `timeoutMs`: broker.session.timeout.ms. `activationOffset`: the last offset that is in the image by now. */
  constructor(timeoutMs: number, activationOffset: number) {
    this.#timeoutMs = timeoutMs
    this.#activationOffset = activationOffset
  }

  /** A broker was heard of. Times are of the monotonic clock. */
  heard(brokerId: number, epoch: number, nowMs: number): void {
    const session = this.#sessions.get(brokerId)
    if (session?.epoch === epoch) {
      session.heardMs = nowMs
      session.mayEnd = false
    } else this.#sessions.set(brokerId, { epoch, heardMs: nowMs, connectionId: undefined, mayEnd: false })
  }

  /** By which connection it was heard of just now. */
  heardBy(brokerId: number, connectionId: number): void {
    const session = this.#sessions.get(brokerId)
    if (session !== undefined) session.connectionId = connectionId
  }

  /** The broker, which has been fenced, is told that it may end. */
  letGo(brokerId: number): void {
    const session = this.#sessions.get(brokerId)
    if (session !== undefined) session.mayEnd = true
  }

  /**
   * A connection by which heartbeats came has ended, as all of them do when a process dies: if the broker was not heard of by
   * another one since, it has `graceMs` left to be, for it may live. One that was told that it may end has ended: who
   * starts it again is not to wait for a session that nobody needs.
   */
  disconnected(brokerId: number, connectionId: number, nowMs: number, graceMs: number): void {
    const session = this.#sessions.get(brokerId)
    if (session?.connectionId !== connectionId) return
    if (session.mayEnd) this.#sessions.delete(brokerId)
    else this.shorten(brokerId, nowMs, graceMs)
  }

  /** The broker has `graceMs` left to be heard of, at most. */
  shorten(brokerId: number, nowMs: number, graceMs: number): void {
    const session = this.#sessions.get(brokerId)
    if (session !== undefined) session.heardMs = Math.min(session.heardMs, nowMs - this.#timeoutMs + graceMs)
  }

  /** Whether the broker was heard of in this epoch, no longer ago than a session lasts. */
  isValid(brokerId: number, epoch: number, nowMs: number): boolean {
    const session = this.#sessions.get(brokerId)
    return session?.epoch === epoch && !this.#isExpired(session, nowMs)
  }

  #isExpired({ heardMs }: Session, nowMs: number): boolean {
    return nowMs - heardMs > this.#timeoutMs
  }

  /** Ends one session that has expired, if there is any. */
  takeExpired(nowMs: number): { readonly brokerId: number; readonly epoch: number } | undefined {
    for (const [brokerId, session] of this.#sessions) {
      if (!this.#isExpired(session, nowMs)) continue
      this.#sessions.delete(brokerId)
      return { brokerId, epoch: session.epoch }
    }
    return undefined
  }

  /**
   * This process stood still for so long, and may have heartbeats before it that it has not read: that time is not
   * counted against anybody.
   */
  excuse(durationMs: number, nowMs: number): void {
    for (const session of this.#sessions.values()) session.heardMs = Math.min(nowMs, session.heardMs + durationMs)
  }

  /** A broker's registration is to be at this offset. A new incarnation has no session until it is heard of. */
  registered(brokerId: number, offset: number, isNewIncarnation: boolean): void {
    if (isNewIncarnation) this.forget(brokerId)
    this.#registeredAt.set(brokerId, offset)
  }

  /** Whether this has not been told yet as the reason why a broker is not registered. */
  isNews(brokerId: number, refusal: string): boolean {
    if (this.#refusals.get(brokerId) === refusal) return false
    if (this.#refusals.size >= MAX_REFUSALS) this.#refusals.clear()
    this.#refusals.set(brokerId, refusal)
    return true
  }

  /** No less than the offset of the broker's registration. */
  registrationOffset(brokerId: number): number {
    return this.#registeredAt.get(brokerId) ?? this.#activationOffset
  }

  forget(brokerId: number): void {
    this.#sessions.delete(brokerId)
    this.#progress.delete(brokerId)
    this.#registeredAt.delete(brokerId)
  }

  /** A broker says how far it is. One that is fenced leaves controlled shutdown. */
  reached(brokerId: number, metadataOffset: number, isFenced: boolean): void {
    const progress = this.#progressOf(brokerId)
    progress.metadataOffset = metadataOffset
    if (isFenced) progress.shutdownOffset = -1
  }

  #progressOf(brokerId: number): Progress {
    let progress = this.#progress.get(brokerId)
    if (progress === undefined) {
      progress = { metadataOffset: -1, shutdownOffset: -1 }
      this.#progress.set(brokerId, progress)
    }
    return progress
  }

  /** What must be reached by all others before the broker may go; -1 while it is not shutting down. */
  shutdownOffset(brokerId: number): number {
    return this.#progress.get(brokerId)?.shutdownOffset ?? -1
  }

  /** The broker shuts down; the first offset given stays. */
  shutsDown(brokerId: number, offset: number): void {
    const progress = this.#progressOf(brokerId)
    if (progress.shutdownOffset < 0) progress.shutdownOffset = offset
  }

  /** How far the last of the active brokers is; Infinity where there is none. */
  lowestActiveOffset({ brokers }: MetadataImage): number {
    let lowest = Number.POSITIVE_INFINITY
    for (const broker of brokers.values()) {
      if (!isActive(broker) || this.shutdownOffset(broker.id) >= 0) continue
      lowest = Math.min(lowest, this.#progress.get(broker.id)?.metadataOffset ?? -1)
    }
    return lowest
  }
}
