import type { Connection } from '../../platform/network.ts'
import type { Api } from '../../protocol/api-keys.ts'
import { FrameDecoder } from '../../protocol/frame-decoder.ts'
import { decodeResponse, encodeRequest } from '../../protocol/frames.ts'
import type { InputOf, Message, MessageOf } from '../../protocol/schema.ts'
import type { Life } from './life.ts'
import type { World } from './world.ts'

/** No answer will come; the request may have been carried out. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

interface Pending {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  readonly sentMs: number
  readonly resolve: (body: MessageOf<Message>) => void
  readonly reject: (error: Error) => void
}

/**
 * A client's connection to one broker. It makes sure that every request has one answer, and that it is in its turn: also
 * where the client has given up waiting, which closes the connection, or leaves it open and only looks on.
 */
export class ClientConnection {
  readonly #world: World
  readonly #name: string
  readonly #connection: Connection
  readonly #decoder = new FrameDecoder(2 ** 31 - 1)
  readonly #looksOn: () => boolean
  #pending: Pending[] = []
  #correlationId = 0
  /** The process on the other side; undefined while there is none. */
  #server: Life | undefined
  /** The client waits no more. */
  isClosed = false

  /** `looksOn`: whether the connection stays open when the client gives up. */
  constructor(world: World, clientHost: string, address: { host: string; port: number }, looksOn: () => boolean) {
    this.#world = world
    this.#name = `${clientHost} to ${address.host}`
    this.#looksOn = looksOn
    world.connections.add(this)
    this.#connection = world.network.of(clientHost).connect(address, {
      connected: () => {
        this.#server = world.nodes.find(({ host }) => host === address.host)?.life
      },
      data: (chunk) => this.#take(chunk),
      drained() {},
      closed: () => this.close(),
    })
  }

  /** Rejects with ConnectionLost, also where no answer comes in time: the client gives the connection up then. */
  call<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    version: number,
    body: InputOf<Request>,
    timeoutMs: number,
  ): Promise<MessageOf<Response>> {
    if (this.isClosed) return Promise.reject(new ConnectionLost(this.#name))
    const correlationId = ++this.#correlationId
    const clientId = this.#name
    const { time } = this.#world
    this.#connection.write(encodeRequest(api, version, { correlationId, clientId }, body))
    return new Promise((resolve, reject) => {
      const timer = time.after(timeoutMs, () => this.#giveUp())
      const pending = {
        api,
        version,
        correlationId,
        sentMs: time.monotonicMs(),
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

  /** What was asked before `sinceMs` of a process that still runs, on a connection that is open, and has no answer. */
  owedSince(sinceMs: number): string | undefined {
    const [oldest] = this.#pending
    if (oldest === undefined || oldest.sentMs >= sinceMs || this.#server?.isAlive !== true) return undefined
    return `${this.#name}: ${oldest.api.name} ${oldest.correlationId} of ${(oldest.sentMs / 1000).toFixed(3)} s`
  }

  #take(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk)
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) this.#answer(frame)
    } catch (error) {
      this.#world.fail(`${this.#name}: an answer that cannot be read: ${String(error)}`)
    }
    if (this.isClosed && this.#pending.length === 0) this.close()
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

  #giveUp(): void {
    if (!this.#looksOn()) {
      this.close()
      return
    }
    this.isClosed = true
    for (const { reject } of this.#pending) reject(new ConnectionLost(this.#name))
  }

  close(): void {
    this.isClosed = true
    if (!this.#world.connections.delete(this)) return
    this.#connection.destroy()
    const pending = this.#pending
    this.#pending = []
    for (const { reject } of pending) reject(new ConnectionLost(this.#name))
  }
}
