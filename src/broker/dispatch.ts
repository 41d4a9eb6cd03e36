import { AssertionError } from 'node:assert'
import type { Logger } from '../platform/logger.ts'
import type { Time } from '../platform/time.ts'
import { codecOf } from '../protocol/codec.ts'
import { errors } from '../protocol/errors.ts'
import { decodeRequestHeader, encodeResponse, FRAME_SIZE_BYTES, type RequestFrame } from '../protocol/frames.ts'
import { type InputOf, includesVersion, type Message, type MessageOf } from '../protocol/schema.ts'
import { DecodeError } from '../protocol/wire.ts'
import type { AnyHandler, ServedApi, ServedApis } from './apis.ts'
import type { Answer, Serve } from './connection.ts'
import { forward } from './forwarding.ts'
import { unsupportedApiVersions } from './handlers/api-versions.ts'
import type { Quotas } from './quotas/quotas.ts'
import {
  CLOSE_CONNECTION,
  type ConnectionInfo,
  NO_RESPONSE,
  type Outcome,
  type RequestContext,
  type Services,
} from './types.ts'

type Body = MessageOf<Message>
type Reply = Outcome<InputOf<Message>>

const API_VERSIONS_KEY = 18
/** Requests of brokers to brokers, which no quota slows down: WriteTxnMarkers. */
const EXEMPT_KEYS: readonly number[] = [27]

/** The frame with its size before it. */
function framed(frame: Buffer): Buffer[] {
  const size = Buffer.alloc(FRAME_SIZE_BYTES)
  size.writeInt32BE(frame.length)
  return [size, frame]
}

/** Takes frames apart, finds who answers them, and makes frames of the answers. */
export class Dispatcher {
  readonly #apis: ServedApis
  readonly #services: Services
  readonly #quotas: Quotas
  readonly #time: Time
  readonly #logger: Logger

  constructor(apis: ServedApis, services: Services) {
    this.#apis = apis
    this.#services = services
    this.#quotas = services.quotas
    this.#time = services.platform.time
    this.#logger = services.logger
  }

  readonly serve: Serve = (frame, connection, receivedMs) => {
    try {
      const request = decodeRequestHeader(frame)
      const served = this.#apis.of(request.apiKey, connection.listenerKind)
      if (served === undefined || !includesVersion(served.versions, request.apiVersion)) {
        return this.#refuse(request, connection)
      }
      const context: RequestContext = {
        apiKey: request.apiKey,
        apiVersion: request.apiVersion,
        correlationId: request.correlationId,
        clientId: request.clientId,
        connection,
        receivedMs,
        sizeBytes: request.reader.remaining,
        throttleMs: 0,
      }
      const body = codecOf(request.api.request, request.apiVersion).read(request.reader)
      if (served.forwarded === 'whole' && connection.listenerKind === 'broker' && !this.#services.controller.isActive) {
        return this.#forward(served, frame, request, body, context)
      }
      return served.loaded === undefined
        ? this.#load(served, request, body, context)
        : this.#handle(served.loaded, request, body, context)
    } catch (error) {
      if (!(error instanceof DecodeError)) return this.#fatal(error)
      return this.#close(connection, `a request that cannot be decoded: ${error.message}`)
    }
  }

  /** Kafka answers a version it does not know only for ApiVersions (KIP-511); anything else ends the connection. */
  #refuse(request: RequestFrame, connection: ConnectionInfo): Answer {
    const { api, apiVersion, correlationId } = request
    if (request.apiKey === API_VERSIONS_KEY) {
      return encodeResponse(api, 0, correlationId, unsupportedApiVersions(this.#apis, connection.listenerKind))
    }
    return this.#close(connection, `${api.name} version ${apiVersion} is not served here`)
  }

  async #forward(
    served: ServedApi,
    frame: Buffer,
    request: RequestFrame,
    body: Body,
    context: RequestContext,
  ): Promise<Answer> {
    const { controllerLink, config } = this.#services
    const outcome = await forward(controllerLink, frame, context.connection, config.get('request.timeout.ms'))
    if (!('code' in outcome)) return framed(outcome)
    const handler = served.loaded ?? (await served.load())
    const { code } = outcome
    return this.#encode(handler, request, body, context, handler.failed(body, code, context))
  }

  async #load(served: ServedApi, request: RequestFrame, body: Body, context: RequestContext): Promise<Answer> {
    let handler: AnyHandler
    try {
      handler = await served.load()
    } catch (error) {
      // No file descriptor was left, or the installation was replaced under the running broker.
      this.#logger.error(`The handler of ${request.api.name} could not be read: ${String(error)}`)
      return CLOSE_CONNECTION
    }
    served.loaded = handler
    return this.#handle(handler, request, body, context)
  }

  #handle(handler: AnyHandler, request: RequestFrame, body: Body, context: RequestContext): Answer | Promise<Answer> {
    let reply: Reply | Promise<Reply>
    try {
      reply = handler.handle(body, context, this.#services)
    } catch (error) {
      return this.#failed(handler, request, body, context, error)
    }
    if (this.#quotas.limitsRequests && !EXEMPT_KEYS.includes(request.apiKey)) {
      this.#quotas.worked(context, this.#time.monotonicMs() - context.receivedMs)
    }
    if (!(reply instanceof Promise)) return this.#encode(handler, request, body, context, reply)
    return reply.then(
      (late) => this.#encode(handler, request, body, context, late),
      (error) => this.#failed(handler, request, body, context, error),
    )
  }

  #encode(handler: AnyHandler, request: RequestFrame, body: Body, context: RequestContext, reply: Reply): Answer {
    if (context.throttleMs > 0) this.#mute(context)
    if (reply === NO_RESPONSE || reply === CLOSE_CONNECTION) return reply
    try {
      const { throttleMs } = context
      const answer = throttleMs > 0 ? { ...reply, throttleTimeMs: throttleMs } : reply
      return encodeResponse(request.api, request.apiVersion, request.correlationId, answer)
    } catch (error) {
      return this.#failed(handler, request, body, context, error)
    }
  }

  /** The answer leaves at once; what comes after it waits (KIP-219). */
  #mute({ connection, throttleMs }: RequestContext): void {
    const untilMs = this.#time.monotonicMs() + throttleMs
    if (untilMs > connection.mutedUntilMs) connection.mutedUntilMs = untilMs
  }

  #failed(handler: AnyHandler, request: RequestFrame, body: Body, context: RequestContext, error: unknown): Answer {
    if (error instanceof AssertionError) return this.#fatal(error)
    const { api, apiVersion, correlationId } = request
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#logger.error(`${api.name} version ${apiVersion} from client ${context.clientId} failed: ${text}`)
    try {
      const reply = handler.failed(body, errors.UNKNOWN_SERVER_ERROR.code, context)
      if (reply === CLOSE_CONNECTION) return this.#close(context.connection, `${api.name} has no answer for a failure`)
      return encodeResponse(api, apiVersion, correlationId, reply)
    } catch (second) {
      if (second instanceof AssertionError) return this.#fatal(second)
      return this.#close(context.connection, `${api.name} failed twice: ${String(second)}`)
    }
  }

  #close(connection: ConnectionInfo, why: string): Answer {
    const { id, remoteAddress, remotePort, listenerName } = connection
    this.#logger.warn(`Closing connection ${id} from ${remoteAddress}:${remotePort} on ${listenerName}: ${why}`)
    return CLOSE_CONNECTION
  }

  /** A broken invariant stops the process before it can spoil data: what is thrown by a task is caught by nobody. */
  #fatal(error: unknown): Answer {
    this.#time.soon(() => {
      throw error
    })
    return CLOSE_CONNECTION
  }
}
