import type { Network } from '../platform/network.ts'
import type { Time } from '../platform/time.ts'
import { type Api, apis } from '../protocol/api-keys.ts'
import { errors } from '../protocol/errors.ts'
import type { InputOf, Message, MessageOf } from '../protocol/schema.ts'
import type { ControllerLink, LinkOptions } from '../replication/channel/controller-link.ts'
import { NodeClient, RequestError } from '../replication/channel/node-client.ts'
import type { Peer } from '../replication/raft/core/types.ts'
import type { Serve } from './connection.ts'
import { askItself, detachedConnection } from './own-requests.ts'

/** How long after a controller that is not active, or not there, it is tried again. */
const RETRY_BACKOFF_MS = 50

export interface ControllerChannelOptions {
  readonly network: Network
  readonly time: Time
  readonly clientId: string
  /** The listener by which controllers are reached. */
  readonly listenerName: string
  /** controller.socket.timeout.ms: of one request. */
  readonly requestTimeoutMs: number
  readonly maxResponseBytes: number
  /** Where the active controller is; undefined while nobody knows. */
  readonly leader: () => Peer | undefined
  /** Why nobody may ever know; undefined for no reason. */
  readonly misfit?: () => string | undefined
  /** Whether it is here. */
  readonly isHere: () => boolean
  /** Answers requests to this process. */
  readonly serve: Serve
}

/** What goes by a connection of its own. */
type Lane = 'life' | 'clients' | 'partitions'

/** A controller answers what came by one connection in order: what clients want may take long. */
function laneOf(api: { readonly key: number }): Lane {
  if (api === apis.BrokerHeartbeat || api === apis.BrokerRegistration) return 'life'
  return api === apis.Envelope || api === apis.CreateTopics ? 'clients' : 'partitions'
}

interface Client {
  readonly place: string
  readonly requests: NodeClient
}

interface Answer<Response extends Message> {
  readonly version: number
  readonly response: MessageOf<Response>
}

/** Asks the active controller: in this process where it is here, else over connections that follow the leadership. */
export class ControllerChannel implements ControllerLink {
  readonly #options: ControllerChannelOptions
  readonly #clients = new Map<Lane, Client>()
  #isClosed = false

  constructor(options: ControllerChannelOptions) {
    this.#options = options
  }

  async request<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    body: (version: number) => InputOf<Request>,
    { minVersion = 0, timeoutMs = this.#options.requestTimeoutMs, onFailure }: LinkOptions = {},
  ): Promise<Answer<Response>> {
    const { time } = this.#options
    const deadlineMs = time.monotonicMs() + timeoutMs
    let last: RequestError | undefined
    while (!this.#isClosed) {
      try {
        const answer = await this.#ask(api, body, minVersion)
        if (answer !== undefined && !isFromInactive(answer.response)) return answer
      } catch (error) {
        if (!(error instanceof RequestError) || error.reason === 'unsupported version') throw error
        last = error
      }
      onFailure?.()
      if (time.monotonicMs() + RETRY_BACKOFF_MS >= deadlineMs) throw last ?? this.#noController()
      await new Promise<void>((resolve) => time.after(RETRY_BACKOFF_MS, resolve))
    }
    throw new RequestError('disconnected', 'the node shuts down')
  }

  #noController(): RequestError {
    return new RequestError('timed out', this.#options.misfit?.() ?? 'no active controller is known')
  }

  async #ask<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    body: (version: number) => InputOf<Request>,
    minVersion: number,
  ): Promise<Answer<Response> | undefined> {
    const { isHere, serve, listenerName, clientId, time, leader } = this.#options
    if (isHere()) {
      const connection = detachedConnection(listenerName, 'controller')
      return askItself(serve, api, body, { connection, clientId, nowMs: time.monotonicMs() })
    }
    const peer = leader()
    return peer && this.#to(peer, laneOf(api)).request(api, body, minVersion)
  }

  #to({ host, port }: Peer, lane: Lane): NodeClient {
    const place = `${host}:${port}`
    const known = this.#clients.get(lane)
    if (known?.place === place) return known.requests
    known?.requests.close()
    const { network, time, clientId, requestTimeoutMs, maxResponseBytes } = this.#options
    const requests = new NodeClient({ network, time, host, port, clientId, requestTimeoutMs, maxResponseBytes })
    this.#clients.set(lane, { place, requests })
    return requests
  }

  /** Somebody else leads, or nobody: whoever waits for the answer of the one before asks again. */
  leaderChanged(): void {
    const peer = this.#options.leader()
    for (const [lane, { place, requests }] of this.#clients) {
      if (peer !== undefined && place === `${peer.host}:${peer.port}`) continue
      this.#clients.delete(lane)
      requests.close()
    }
  }

  /** Requests under way are rejected. */
  close(): void {
    this.#isClosed = true
    for (const { requests } of this.#clients.values()) requests.close()
  }
}

function isFromInactive(response: object): boolean {
  return 'errorCode' in response && response.errorCode === errors.NOT_CONTROLLER.code
}
