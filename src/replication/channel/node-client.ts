import type { Connection, Network } from '../../platform/network.ts'
import type { Scheduled, Time } from '../../platform/time.ts'
import { type Api, apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { FrameDecoder, FrameError } from '../../protocol/frame-decoder.ts'
import { decodeResponse, encodeRequest } from '../../protocol/frames.ts'
import { type InputOf, includesVersion, type Message, type MessageOf } from '../../protocol/schema.ts'
import { DecodeError } from '../../protocol/wire.ts'

/** Why a request has no answer. */
export type FailureReason = 'disconnected' | 'timed out' | 'unsupported version'

/** No answer came, and it is not known whether the request was carried out, but for an unsupported version: that was not sent. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly reason: FailureReason

  constructor(reason: FailureReason, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface NodeClientOptions {
  readonly network: Network
  readonly time: Time
  readonly host: string
  readonly port: number
  readonly clientId: string
  /** From sending a request, or from wanting a connection, to its answer. */
  readonly requestTimeoutMs: number
  /** A larger response closes the connection. */
  readonly maxResponseBytes: number
}

interface Pending {
  readonly api: Api
  readonly body: (version: number) => InputOf<Message>
  readonly minVersion: number
  readonly resolve: (answer: { version: number; response: MessageOf<Message> }) => void
  readonly reject: (error: RequestError) => void
  timer: Scheduled | undefined
  version: number
  correlationId: number
}

interface VersionRange {
  readonly min: number
  readonly max: number
}

/** The version of ApiVersions that is tried first; who does not know it says so in version 0, which everybody knows. */
const FIRST_VERSION = 4

/**
 * Requests to one other node, over one connection that is made when it is needed. Answers come in the order of the
 * requests. The highest version is used that both know (KIP-35).
 */
export class NodeClient {
  readonly #options: NodeClientOptions
  #connection: Connection | undefined
  #decoder: FrameDecoder
  #versions: ReadonlyMap<number, VersionRange> | undefined
  #correlationId = 0
  /** Not sent yet: the connection is being made. */
  #waiting: Pending[] = []
  #sent: Pending[] = []
  #isClosed = false
  #isRefused = false

  constructor(options: NodeClientOptions) {
    this.#options = options
    this.#decoder = new FrameDecoder(options.maxResponseBytes)
  }

  /** Requests without an answer. */
  get pendingRequests(): number {
    return this.#waiting.length + this.#sent.length
  }

  /** Whether the last try to connect was refused: the host answers, and no process listens there. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  /**
   * `body` gets the version that is used, `minVersion` at least. Rejects with RequestError; what is not answered within
   * `timeoutMs` ends the connection.
   */
  request<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    body: (version: number) => InputOf<Request>,
    minVersion = 0,
    timeoutMs: number = this.#options.requestTimeoutMs,
  ): Promise<{ version: number; response: MessageOf<Response> }> {
    if (this.#isClosed) return Promise.reject(this.#failure('disconnected', 'is closed'))
    return new Promise((resolve, reject) => {
      const pending = { api, body, minVersion, resolve, reject, version: -1, correlationId: -1, timer: undefined }
      this.#start(pending as unknown as Pending, timeoutMs)
    })
  }

  #start(pending: Pending, timeoutMs: number): void {
    pending.timer = this.#options.time.after(timeoutMs, () => this.#disconnect('timed out', 'did not answer in time'))
    if (this.#versions !== undefined) this.#send(pending)
    else {
      this.#waiting.push(pending)
      if (this.#connection === undefined) this.#connect()
    }
  }

  #connect(): void {
    const { network, host, port, maxResponseBytes } = this.#options
    const decoder = new FrameDecoder(maxResponseBytes)
    this.#decoder = decoder
    const connection = network.connect(
      { host, port },
      {
        data: (chunk) => this.#take(connection, chunk),
        room: () => decoder.room(),
        drained() {},
        connected: () => {
          this.#isRefused = false
          this.#askVersions(FIRST_VERSION)
        },
        closed: (error) => {
          if (connection !== this.#connection) return
          this.#isRefused = (error as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
          this.#disconnect('disconnected', error?.message ?? 'was closed')
        },
      },
    )
    this.#connection = connection
  }

  /** Nothing else is sent before it is known what the other node understands. */
  #askVersions(version: number): void {
    const api = apis.ApiVersions as unknown as Api
    const body = () => ({ clientSoftwareName: 'ottla', clientSoftwareVersion: '1' })
    const resolve = ({ response }: { response: MessageOf<Message> }): void => {
      this.#learn(response as unknown as VersionsAnswer, version)
    }
    const correlationId = -1
    const pending: Pending = {
      api,
      body,
      minVersion: 0,
      resolve,
      reject() {},
      timer: undefined,
      version,
      correlationId,
    }
    this.#write(pending, version)
  }

  #learn({ errorCode, apiKeys }: VersionsAnswer, version: number): void {
    if (errorCode === errors.UNSUPPORTED_VERSION.code && version > 0) {
      this.#askVersions(0)
      return
    }
    if (errorCode !== 0) {
      this.#disconnect('disconnected', `answers ApiVersions with error ${errorCode}`)
      return
    }
    this.#versions = new Map(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { min: minVersion, max: maxVersion }]),
    )
    const waiting = this.#waiting
    this.#waiting = []
    for (const pending of waiting) this.#send(pending)
  }

  #send(pending: Pending): void {
    const version = commonVersion(pending.api, this.#versions!.get(pending.api.key))
    if (version === undefined || version < pending.minVersion) {
      pending.timer?.cancel()
      pending.reject(this.#failure('unsupported version', `knows no version of ${pending.api.name} that is wanted`))
    } else this.#write(pending, version)
  }

  #write(pending: Pending, version: number): void {
    pending.version = version
    pending.correlationId = ++this.#correlationId
    const { correlationId, api } = pending
    this.#sent.push(pending)
    this.#connection!.write(
      encodeRequest(api, version, { correlationId, clientId: this.#options.clientId }, pending.body(version)),
    )
  }

  #take(connection: Connection, chunk: Buffer): void {
    if (connection !== this.#connection) return
    try {
      this.#decoder.push(chunk)
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.#answer(frame)
        if (connection !== this.#connection) return
      }
    } catch (error) {
      if (!(error instanceof DecodeError) && !(error instanceof FrameError)) throw error
      this.#disconnect('disconnected', `sent what is no response: ${error.message}`)
    }
  }

  /** Throws DecodeError. */
  #answer(frame: Buffer): void {
    const pending = this.#sent[0]
    if (pending === undefined) throw new DecodeError('nothing was asked')
    const { api, version } = pending
    // Whoever does not know the version of ApiVersions answers in version 0.
    const isOldAnswer =
      api.key === apis.ApiVersions.key && frame.length >= 6 && frame.readInt16BE(4) === errors.UNSUPPORTED_VERSION.code
    const { correlationId, body } = decodeResponse(api, isOldAnswer ? 0 : version, frame)
    if (correlationId !== pending.correlationId) {
      throw new DecodeError(`the answer is to request ${correlationId}, not ${pending.correlationId}`)
    }
    this.#sent.shift()
    pending.timer?.cancel()
    pending.resolve({ version, response: body })
  }

  #failure(reason: FailureReason, what: string): RequestError {
    return new RequestError(reason, `${this.#options.host}:${this.#options.port} ${what}`)
  }

  /** All that is under way fails; the next request connects again. */
  #disconnect(reason: FailureReason, what: string): void {
    const pending = [...this.#sent, ...this.#waiting]
    this.#sent = []
    this.#waiting = []
    this.#versions = undefined
    const connection = this.#connection
    this.#connection = undefined
    connection?.destroy()
    for (const { timer } of pending) timer?.cancel()
    for (const { reject } of pending) reject(this.#failure(reason, what))
  }

  /** Requests under way fail, and so does every later one. */
  close(): void {
    this.#isClosed = true
    this.#disconnect('disconnected', 'is not needed any more')
  }
}

interface VersionsAnswer {
  readonly errorCode: number
  readonly apiKeys: readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[]
}

function commonVersion({ request }: Api, theirs: VersionRange | undefined): number | undefined {
  if (theirs === undefined) return undefined
  for (let version = theirs.max; version >= theirs.min; version--) {
    if (includesVersion(request.versions, version)) return version
  }
  return undefined
}
