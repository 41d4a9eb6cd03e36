import type { Connection, Network } from '../platform/network.ts'
import type { Api } from '../protocol/api-keys.ts'
import { FrameDecoder } from '../protocol/frame-decoder.ts'
import { decodeResponse, encodeRequest } from '../protocol/frames.ts'
import type { InputOf, Message, MessageOf } from '../protocol/schema.ts'

/**
 * A connection to a broker by which a test says exactly what is sent and sees exactly what comes back: no retries, no
 * versions chosen for it.
 */
export class WireClient {
  /** Whole frames that came and nobody has asked for, without their size fields. */
  readonly frames: Buffer[] = []
  isClosed = false
  readonly #connection: Connection
  readonly #decoder = new FrameDecoder(2 ** 31 - 1)
  #waiting: (() => void)[] = []
  #correlationId = 0

  constructor(network: Network, port: number) {
    this.#connection = network.connect(
      { host: '127.0.0.1', port },
      { data: (chunk) => this.#take(chunk), drained() {}, closed: () => this.#end() },
    )
  }

  send(bytes: Buffer): void {
    this.#connection.write([bytes])
  }

  /** Encodes and sends; answers the correlation id. */
  request<Request extends Message>(api: Api<Request>, version: number, body: InputOf<Request>): number {
    const correlationId = ++this.#correlationId
    this.#connection.write(encodeRequest(api, version, { correlationId, clientId: 'wire' }, body))
    return correlationId
  }

  /** Sends and waits for the next response. Rejects when the connection ends instead. */
  async call<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    version: number,
    body: InputOf<Request>,
  ): Promise<MessageOf<Response>> {
    const correlationId = this.request(api, version, body)
    const response = decodeResponse(api, version, await this.next())
    if (response.correlationId !== correlationId) {
      throw new Error(`response ${response.correlationId} to request ${correlationId}`)
    }
    return response.body
  }

  /** The next frame. Rejects when the connection ends instead. */
  async next(): Promise<Buffer> {
    for (;;) {
      const frame = this.frames.shift()
      if (frame !== undefined) return frame
      if (this.isClosed) throw new Error('the connection was closed')
      await this.#change()
    }
  }

  /** Resolves once the other side has closed. */
  async closed(): Promise<void> {
    while (!this.isClosed) await this.#change()
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.#connection.pause()
  }

  resume(): void {
    this.#connection.resume()
  }

  close(): void {
    this.#connection.destroy()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  #take(chunk: Buffer): void {
    this.#decoder.push(chunk)
    for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) this.frames.push(frame)
    this.#wake()
  }

  #end(): void {
    this.isClosed = true
    this.#wake()
  }
}
