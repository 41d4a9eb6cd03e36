import type { Connection } from '../../platform/network.ts'
import type { Api } from '../../protocol/api-keys.ts'
import { FrameDecoder } from '../../protocol/frame-decoder.ts'
import { decodeResponse, encodeRequest } from '../../protocol/frames.ts'
import type { InputOf, Message, MessageOf } from '../../protocol/schema.ts'
import type { World } from './world.ts'

/** No answer will come; the request may have been carried out. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

interface Pending {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  readonly resolve: (body: MessageOf<Message>) => void
  readonly reject: (error: Error) => void
}

/** A client's connection to one broker. It makes sure that every request has one answer, and that it is in its turn. */
export class ClientConnection {
  readonly #world: World
  readonly #name: string
  readonly #connection: Connection
  readonly #decoder = new FrameDecoder(2 ** 31 - 1)
  #pending: Pending[] = []
  #correlationId = 0
  isClosed = false

  constructor(world: World, clientHost: string, address: { host: string; port: number }) {
    this.#world = world
    this.#name = `${clientHost} to ${address.host}`
    this.#connection = world.network.of(clientHost).connect(address, {
      data: (chunk) => this.#take(chunk),
      drained() {},
      closed: () => this.close(),
    })
  }

  /** Rejects with ConnectionLost, also where no answer comes in time: the connection is given up then. */
  call<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    version: number,
    body: InputOf<Request>,
    timeoutMs: number,
  ): Promise<MessageOf<Response>> {
    if (this.isClosed) return Promise.reject(new ConnectionLost(this.#name))
    const correlationId = ++this.#correlationId
    const clientId = this.#name
    this.#connection.write(encodeRequest(api, version, { correlationId, clientId }, body))
    return new Promise((resolve, reject) => {
      const timer = this.#world.time.after(timeoutMs, () => this.close())
      const pending = {
        api,
        version,
        correlationId,
        resolve: (response: MessageOf<Response>) => {
          timer.cancel()
          resolve(response)
        },
        reject: (error: Error) => {
          timer.cancel()
          reject(error)
        },
      }
      this.#pending.push(pending as unknown as Pending)
    })
  }

  #take(chunk: Buffer): void {
    if (this.isClosed) return
    try {
      this.#decoder.push(chunk)
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) this.#answer(frame)
    } catch (error) {
      this.#world.fail(`${this.#name}: an answer that cannot be read: ${String(error)}`)
    }
  }

  #answer(frame: Buffer): void {
    const pending = this.#pending.shift()
    const correlationId = frame.readInt32BE(0)
    if (pending?.correlationId !== correlationId) {
      this.#world.fail(`${this.#name}: answer ${correlationId} where ${pending?.correlationId ?? 'none'} is due`)
      return
    }
    pending.resolve(decodeResponse(pending.api, pending.version, frame).body)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#connection.destroy()
    const pending = this.#pending
    this.#pending = []
    for (const { reject } of pending) reject(new ConnectionLost(this.#name))
  }
}
