import { type Api, apis } from '../../src/protocol/api-keys.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/frames.ts'
import type { Broker } from '../harness/broker.ts'
import { RawConnection } from '../harness/wire.ts'

/** Longer than any time that a scenario tells the broker to wait. */
const ANSWER_WITHIN_MS = 12_000

export type ApiName = keyof typeof apis

/** An API without the types of its messages: a scenario may send anything. */
function apiOf(name: ApiName): Api {
  return apis[name] as Api
}

/** A decoded message, whatever its shape. */
// biome-ignore lint/suspicious/noExplicitAny: scenarios reach into answers of every shape
export type Body = Record<string, any>

/** One exchange as it was seen, before anything is made comparable. */
export interface Exchange {
  readonly api: ApiName
  readonly version: number
  readonly response: Body | 'connection closed' | 'no answer'
  /** What is special about the request, for whoever reads of a difference. */
  readonly note?: string | undefined
}

/**
 * Sends requests to one broker and writes down what came back. A scenario is a function over a probe; it runs once
 * against each broker and must ask both the same. What a broker made up (ids, ports, times) is taught with `learn`, and
 * stands in the transcript under its symbol.
 */
export class Probe {
  readonly broker: Broker
  readonly transcript: Exchange[] = []
  readonly symbols = new Map<string | number, string>()
  /** What the requests are sent under. */
  clientId = 'differential'
  /** How many times as long as usual silence has to last to be one. */
  patience = 1
  #connection: RawConnection | undefined
  #correlationId = 0
  readonly #forks: Probe[] = []

  readonly #answerWithinMs: number
  readonly #port: number

  constructor(broker: Broker, answerWithinMs: number = ANSWER_WITHIN_MS, port: number = broker.port) {
    this.broker = broker
    this.#answerWithinMs = answerWithinMs
    this.#port = port
    this.learn(broker.port, '<port>')
    this.learn(broker.home.controllerPort, '<controller port>')
    this.learn(broker.dataDir, '<log dir>')
  }

  learn(value: unknown, symbol: string): void {
    if (typeof value === 'string' || typeof value === 'number') this.symbols.set(value, symbol)
  }

  /** Sends one request, writes the exchange down and answers the response; `{}` where the connection was closed. */
  async send(api: ApiName, version: number, body: Body, note?: string): Promise<Body> {
    const correlationId = ++this.#correlationId
    const header = { correlationId, clientId: this.clientId }
    const request = Buffer.concat(encodeRequest(apiOf(api), version, header, body))
    const connection = await this.#connect()
    connection.send(request.subarray(4))
    return this.#await(connection, api, version, this.#answerWithinMs, note, correlationId)
  }

  /** Like `send`, with a frame made by hand: header and body without the length. */
  async sendBytes(api: ApiName, version: number, frame: Buffer, note: string, withinMs: number): Promise<Body> {
    const connection = await this.#connect()
    connection.send(frame)
    return this.#await(connection, api, version, withinMs * this.patience, note)
  }

  /** Sends bytes as they are, the length field included, and expects one answer to them, or none in `withinMs`. */
  async sendRaw(api: ApiName, version: number, bytes: Buffer, note: string, withinMs = ANSWER_WITHIN_MS) {
    const connection = await this.#connect()
    connection.socket.write(bytes)
    return this.#await(connection, api, version, withinMs * this.patience, note)
  }

  /** Sends a request that has no answer. */
  async sendUnanswered(api: ApiName, version: number, body: Body): Promise<void> {
    const connection = await this.#connect()
    const header = { correlationId: ++this.#correlationId, clientId: this.clientId }
    connection.send(Buffer.concat(encodeRequest(apiOf(api), version, header, body)).subarray(4))
  }

  /** Sends and forgets the answer: to set the stage, not part of what is compared. Fails on a closed connection. */
  async quietly(api: ApiName, version: number, body: Body): Promise<Body> {
    const response = await this.send(api, version, body)
    const exchange = this.transcript.pop()
    if (typeof exchange?.response === 'string') throw new Error(`${this.broker.kind}, ${api}: ${exchange.response}`)
    return response
  }

  /** A second connection to the same broker, writing in the same transcript with the same symbols; closed with the first. */
  fork(): Probe {
    return this.#forkTo(this.#port)
  }

  /** Like `fork`, to the listener where brokers and controllers ask the controller. */
  toController(): Probe {
    return this.#forkTo(this.broker.home.controllerPort)
  }

  #forkTo(port: number): Probe {
    const other = new Probe(this.broker, this.#answerWithinMs, port)
    Object.defineProperty(other, 'transcript', { value: this.transcript })
    Object.defineProperty(other, 'symbols', { value: this.symbols })
    this.#forks.push(other)
    return other
  }

  close(): void {
    for (const fork of this.#forks) fork.close()
    this.#hangUp()
  }

  #hangUp(): void {
    this.#connection?.close()
    this.#connection = undefined
  }

  async #await(
    connection: RawConnection,
    api: ApiName,
    version: number,
    withinMs: number,
    note?: string,
    correlationId?: number,
  ): Promise<Body> {
    let answer: Buffer
    try {
      answer = await connection.receive(withinMs)
    } catch {
      const response = connection.open ? 'no answer' : 'connection closed'
      this.#hangUp()
      this.transcript.push({ api, version, response, note })
      return {}
    }
    if (correlationId !== undefined && answer.readInt32BE(0) !== correlationId) {
      throw new Error(`${this.broker.kind} answers ${api} v${version} with a foreign correlation id`)
    }
    const response = decodeResponse(apiOf(api), version, answer).body
    this.transcript.push({ api, version, response, note })
    return response
  }

  async #connect(): Promise<RawConnection> {
    if (!this.#connection?.open) this.#connection = await RawConnection.open('127.0.0.1', this.#port)
    return this.#connection
  }
}
