import type { ReadBuffers } from '../log/read-buffers.ts'
import type { Logger } from '../platform/logger.ts'
import type { Connection, ConnectionHandler } from '../platform/network.ts'
import type { Scheduled, Time } from '../platform/time.ts'
import { FrameDecoder, FrameError } from '../protocol/frame-decoder.ts'
import { FRAME_SIZE_BYTES } from '../protocol/frames.ts'
import { Fifo } from './fifo.ts'
import type { RequestMemory } from './request-memory.ts'
import { CLOSE_CONNECTION, type ConnectionInfo, NO_RESPONSE } from './types.ts'

/** What a request comes to: the response's frame in chunks, nothing, or the end of the connection. */
export type Answer = readonly Buffer[] | typeof NO_RESPONSE | typeof CLOSE_CONNECTION

/** Answers one frame. Never throws and never rejects. */
export type Serve = (frame: Buffer, connection: ConnectionInfo, receivedMs: number) => Answer | Promise<Answer>

/** Requests whose bytes are held (waiting, under way or incomplete) beyond this stop the socket being read. */
const MAX_HELD_BYTES = 4 * 1024 * 1024
/** The same for many small requests. */
const MAX_QUEUED_REQUESTS = 128
/** Produce requests of one connection that may be under way together. */
const MAX_OVERLAPPING = 64
/** With more than this not yet taken by the other side, no further request is started. */
const MAX_UNSENT_BYTES = 1024 * 1024
/** Answers that are smaller than this together leave as one piece. */
const JOIN_BELOW_BYTES = 4096
/** How long the other side may take to close after we have; then the socket is destroyed. */
const LINGER_MS = 5000

const PRODUCE_KEY = 0

interface Slot {
  readonly sizeBytes: number
  readonly overlaps: boolean
  answer: Answer | undefined
}

export interface ConnectionOptions {
  readonly maxRequestBytes: number
  readonly memory: RequestMemory
  /** Where what fetches read comes from, and goes back to. */
  readonly readBuffers: ReadBuffers
  readonly serve: Serve
  readonly time: Time
  readonly logger: Logger
  /** Called once, when the connection is gone. */
  readonly onClosed: (connection: BrokerConnection) => void
}

/**
 * One client's connection: frames in, answers out, in the order of the frames.
 *
 * Requests run one at a time, except that Produce requests in a row may be under way together. What a connection can make
 * the broker hold is bounded: the socket is not read while too many bytes of requests wait, and no request is started
 * while too many bytes of answers have not been taken.
 */
export class BrokerConnection implements ConnectionHandler {
  readonly info: ConnectionInfo
  /** Of the clock that never goes back. */
  lastActiveMs: number
  readonly #connection: Connection
  readonly #options: ConnectionOptions
  readonly #frames: FrameDecoder
  readonly #queue = new Fifo<Buffer>()
  #queuedBytes = 0
  readonly #inFlight = new Fifo<Slot>()
  #inFlightBytes = 0
  #isPaused = false
  #waitsForMemory = false
  #isPumping = false
  #isPumpDue = false
  /** Why nothing more is read; what came before is still answered. */
  #endReason: string | undefined
  /** It ends because of what the other side sent, which somebody will want to know of. */
  #isBroken = false
  #isEnded = false
  #linger: Scheduled | undefined
  #unmute: Scheduled | undefined

  constructor(connection: Connection, info: ConnectionInfo, options: ConnectionOptions) {
    this.#connection = connection
    this.info = info
    this.#options = options
    this.#frames = new FrameDecoder(options.maxRequestBytes)
    this.lastActiveMs = options.time.monotonicMs()
  }

  /** True while a request is under way or waits. */
  get isBusy(): boolean {
    return this.#inFlight.length > 0 || this.#queue.length > 0
  }

  data(chunk: Buffer): void {
    if (this.#endReason !== undefined || this.info.closed) return
    this.lastActiveMs = this.#options.time.monotonicMs()
    this.#options.memory.hold(chunk.length)
    this.#frames.push(chunk)
    try {
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
        this.#options.memory.release(FRAME_SIZE_BYTES)
        this.#queue.push(frame)
        this.#queuedBytes += frame.length
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#options.memory.release(FRAME_SIZE_BYTES)
      this.#endReason = error.message
      this.#isBroken = true
    }
    this.#pump()
  }

  room(): Buffer {
    return this.#frames.room()
  }

  drained(): void {
    this.lastActiveMs = this.#options.time.monotonicMs()
    this.#pump()
  }

  closed(error?: Error): void {
    if (this.info.closed) return
    this.info.closed = true
    this.#linger?.cancel()
    this.#unmute?.cancel()
    if (error !== undefined) this.#options.logger.debug(`${this.#name()} broke: ${error.message}`)
    // What is under way releases its own bytes when it is through.
    this.#options.memory.release(this.#queuedBytes + this.#frames.bufferedBytes)
    this.#queue.clear()
    this.#queuedBytes = 0
    const { abandon } = this.info
    this.info.abandon = undefined
    abandon?.()
    this.info.ended?.()
    this.#options.onClosed(this)
  }

  /** Reads no further request, answers those under way, then closes. */
  finish(reason: string): void {
    if (this.#endReason === undefined) this.#endReason = reason
    this.#options.memory.release(this.#queuedBytes)
    this.#queue.clear()
    this.#queuedBytes = 0
    this.#pump()
  }

  destroy(): void {
    this.#connection.destroy()
  }

  /** Starts what may be started, sends what is ready, and stops or resumes reading. Safe to call at any time. */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      this.#send()
      while (this.#mayStart()) {
        this.#start()
        this.#send()
      }
    } finally {
      this.#isPumping = false
    }
    if (this.info.closed || this.#isEnded) return
    if (this.#endReason !== undefined && !this.isBusy) this.#end(this.#endReason)
    else this.#regulate()
  }

  /** Appends that were written together are answered together: once all of them have settled. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    Promise.resolve().then(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  #mayStart(): boolean {
    const frame = this.#queue.first
    if (frame === undefined || this.#isEnded || this.info.closed) return false
    if (this.#connection.pendingBytes() > MAX_UNSENT_BYTES || this.#isMuted()) return false
    const { length } = this.#inFlight
    if (length === 0) return true
    if (!isProduce(frame) || !this.#inFlight.last!.overlaps) return false
    return length < MAX_OVERLAPPING && this.#inFlightBytes + frame.length <= MAX_HELD_BYTES
  }

  /** While muted for its quotas, a connection is read on within bounds, so that its end is noticed, but not served. */
  #isMuted(): boolean {
    const { info } = this
    if (info.mutedUntilMs === 0) return false
    const restMs = info.mutedUntilMs - this.#options.time.monotonicMs()
    if (restMs <= 0) {
      info.mutedUntilMs = 0
      return false
    }
    this.#unmute ??= this.#options.time.after(Math.ceil(restMs), () => {
      this.#unmute = undefined
      this.#pump()
    })
    return true
  }

  #start(): void {
    const frame = this.#queue.shift()!
    this.#queuedBytes -= frame.length
    this.#inFlightBytes += frame.length
    const slot: Slot = { sizeBytes: frame.length, overlaps: isProduce(frame), answer: undefined }
    this.#inFlight.push(slot)
    const answer = this.#options.serve(frame, this.info, this.#options.time.monotonicMs())
    if (!(answer instanceof Promise)) {
      this.#answer(slot, answer)
      return
    }
    answer.then((late) => {
      this.#answer(slot, late)
      this.#pumpSoon()
    })
  }

  #answer(slot: Slot, answer: Answer): void {
    slot.answer = answer
    this.#inFlightBytes -= slot.sizeBytes
    this.#options.memory.release(slot.sizeBytes)
    this.info.abandon = undefined
  }

  /** Writes all answers that are next in order, in one go. */
  #send(): void {
    if (this.#inFlight.first?.answer === undefined) return
    const chunks: Buffer[] = []
    let sizeBytes = 0
    let isLast = false
    while (!isLast) {
      const answer = this.#inFlight.first?.answer
      if (answer === undefined) break
      this.#inFlight.shift()
      if (answer === CLOSE_CONNECTION) isLast = true
      else if (answer !== NO_RESPONSE) {
        for (const chunk of answer) {
          chunks.push(chunk)
          sizeBytes += chunk.length
        }
      }
    }
    if (this.info.closed || this.#isEnded) return
    if (chunks.length > 0) {
      // A few hundred bytes are sooner joined than explained to the system piece by piece.
      const isSmall = chunks.length > 1 && sizeBytes <= JOIN_BELOW_BYTES
      if (isSmall) this.#connection.write([Buffer.concat(chunks, sizeBytes)])
      else this.#write(chunks)
      this.lastActiveMs = this.#options.time.monotonicMs()
    }
    if (isLast) this.#end(undefined)
  }

  #write(chunks: readonly Buffer[]): void {
    const { readBuffers } = this.#options
    if (readBuffers.hasLent(chunks)) this.#connection.write(chunks, () => readBuffers.giveBack(chunks))
    else this.#connection.write(chunks)
  }

  /** `reason` undefined: it has been logged already. */
  #end(reason: string | undefined): void {
    if (reason !== undefined)
      this.#options.logger[this.#isBroken ? 'warn' : 'info'](`Closing ${this.#name()}: ${reason}`)
    this.#isEnded = true
    this.#endReason ??= 'ended'
    this.#connection.end()
    // A client that does not close its side would keep the socket open for ever.
    if (!this.info.closed) this.#linger = this.#options.time.after(LINGER_MS, () => this.#connection.destroy())
  }

  #regulate(): void {
    const heldBytes = this.#queuedBytes + this.#inFlightBytes + this.#frames.bufferedBytes
    // With nothing under way, reading on is the only way forward: half a frame can never be answered.
    const mustWait =
      this.isBusy &&
      (heldBytes > MAX_HELD_BYTES || this.#queue.length > MAX_QUEUED_REQUESTS || this.#options.memory.isExhausted)
    const lacksMemory = !mustWait && this.#frames.bufferedBytes === 0 && this.#options.memory.isExhausted
    if (lacksMemory && !this.#waitsForMemory) {
      this.#waitsForMemory = true
      this.#options.memory.whenFree(() => {
        this.#waitsForMemory = false
        if (!this.info.closed) this.#pump()
      })
    }
    const pause = mustWait || lacksMemory
    if (pause === this.#isPaused) return
    this.#isPaused = pause
    if (pause) this.#connection.pause()
    else this.#connection.resume()
  }

  #name(): string {
    const { id, remoteAddress, remotePort, listenerName } = this.info
    return `connection ${id} from ${remoteAddress}:${remotePort} on ${listenerName}`
  }
}

/** A frame starts with the API key; one too short for that is found out when it is decoded. */
function isProduce(frame: Buffer): boolean {
  return frame.length >= 2 && frame[0] === 0 && frame[1] === PRODUCE_KEY
}
