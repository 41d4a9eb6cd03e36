import type { Network } from '../../platform/network.ts'
import type { Time } from '../../platform/time.ts'
import type { Api } from '../../protocol/api-keys.ts'
import type { InputOf, Message, MessageOf } from '../../protocol/schema.ts'
import type { LinkOptions } from './controller-link.ts'
import { NodeClient, RequestError } from './node-client.ts'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface BrokerLinksOptions {
  readonly network: Network
  readonly time: Time
  readonly clientId: string
  /** Of a request for which nothing else is said, connecting included. */
  readonly requestTimeoutMs: number
  readonly maxResponseBytes: number
  /** Where brokers talk to each other; undefined for a broker that is not there. */
  readonly endpointOf: (brokerId: number) => BrokerAddress | undefined
}

interface Link {
  readonly place: string
  readonly client: NodeClient
}

/** Requests to other brokers. One connection to each, made when it is needed; a broker that moves is followed. */
export class BrokerLinks {
  readonly #options: BrokerLinksOptions
  readonly #links = new Map<number, Link>()
  #isClosed = false

  constructor(options: BrokerLinksOptions) {
    this.#options = options
  }

  /**
   * `body` gets the version that is used. Rejects with RequestError: nothing is tried again, and a request that is not
   * answered may have been carried out.
   */
  async request<Request extends Message, Response extends Message>(
    brokerId: number,
    api: Api<Request, Response>,
    body: (version: number) => InputOf<Request>,
    { minVersion = 0, timeoutMs }: LinkOptions = {},
  ): Promise<{ readonly version: number; readonly response: MessageOf<Response> }> {
    return await this.#to(brokerId).request(api, body, minVersion, timeoutMs)
  }

  /** Throws RequestError. */
  #to(brokerId: number): NodeClient {
    const address = this.#isClosed ? undefined : this.#options.endpointOf(brokerId)
    const link = this.#links.get(brokerId)
    if (address !== undefined && link?.place === placeOf(address)) return link.client
    this.#drop(brokerId)
    if (address === undefined) throw new RequestError('disconnected', `broker ${brokerId} is not there`)
    const { network, time, clientId, requestTimeoutMs, maxResponseBytes } = this.#options
    const { host, port } = address
    const client = new NodeClient({ network, time, host, port, clientId, requestTimeoutMs, maxResponseBytes })
    this.#links.set(brokerId, { place: placeOf(address), client })
    return client
  }

  #drop(brokerId: number): void {
    const link = this.#links.get(brokerId)
    this.#links.delete(brokerId)
    link?.client.close()
  }

  /** Brokers may have come, gone or moved: who waits for one that is no longer where it was need not wait longer. */
  brokersChanged(brokerIds: Iterable<number>): void {
    for (const brokerId of brokerIds) {
      const link = this.#links.get(brokerId)
      if (link === undefined) continue
      const address = this.#options.endpointOf(brokerId)
      if (address === undefined || placeOf(address) !== link.place) this.#drop(brokerId)
    }
  }

  /** Requests under way are rejected, and all that come after. */
  close(): void {
    this.#isClosed = true
    for (const brokerId of [...this.#links.keys()]) this.#drop(brokerId)
  }
}

/** By which connections to the same address are known. */
export function placeOf({ host, port }: BrokerAddress): string {
  return `${host}:${port}`
}
