import type { Network } from '../../platform/network.ts'
import type { Time } from '../../platform/time.ts'
import { type Api, apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import type { Peer, RaftRequest, RaftResponse } from '../raft/core/types.ts'
import { requestFormats } from '../raft/wire/requests.ts'
import { responseFormats } from '../raft/wire/responses.ts'
import { NodeClient, RequestError } from './node-client.ts'

export interface QuorumChannelOptions {
  readonly network: Network
  readonly time: Time
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly maxResponseBytes: number
  /** The listener by which the nodes of the quorum talk. */
  readonly listenerName: string
}

const apiOf: Readonly<Record<RaftRequest['type'], Api>> = {
  vote: apis.Vote as unknown as Api,
  beginQuorumEpoch: apis.BeginQuorumEpoch as unknown as Api,
  endQuorumEpoch: apis.EndQuorumEpoch as unknown as Api,
  fetch: apis.Fetch as unknown as Api,
  fetchSnapshot: apis.FetchSnapshot as unknown as Api,
  addVoter: apis.AddRaftVoter as unknown as Api,
  removeVoter: apis.RemoveRaftVoter as unknown as Api,
  updateVoter: apis.UpdateRaftVoter as unknown as Api,
  versions: apis.ApiVersions as unknown as Api,
}

/** The first version of Vote that can ask what a vote would be (KIP-996). */
const PRE_VOTE_VERSION = 2

/** The first version of Fetch in which a follower says what it has (KIP-595). */
const FETCH_VERSION = 12

interface AnyFormat {
  encode(request: RaftRequest): never
  decode(message: unknown, listenerName: string): RaftResponse | undefined
}

/** Brings requests of the quorum to its nodes. One connection to each, made when it is needed. */
export class QuorumChannel {
  readonly #options: QuorumChannelOptions
  readonly #clients = new Map<string, NodeClient>()
  #underWay = 0
  #isClosed = false

  constructor(options: QuorumChannelOptions) {
    this.#options = options
  }

  /** undefined where no answer came, or none that makes sense. Never rejects. */
  async send(peer: Peer, request: RaftRequest): Promise<RaftResponse | undefined> {
    if (this.#isClosed) return undefined
    this.#underWay += 1
    try {
      return await this.#ask(peer, request)
    } finally {
      this.#underWay -= 1
      this.#hangUpWhenDone()
    }
  }

  /** Whether nobody listens where the peer should be, as the last try to connect has shown. */
  isRefusedBy({ host, port }: Peer): boolean {
    return this.#clients.get(`${host}:${port}`)?.isRefused ?? false
  }

  async #ask({ host, port }: Peer, request: RaftRequest): Promise<RaftResponse | undefined> {
    const api = apiOf[request.type]
    const { encode } = requestFormats[request.type] as unknown as AnyFormat
    const { decode } = responseFormats[request.type] as unknown as AnyFormat
    const isPreVote = request.type === 'vote' && request.isPreVote
    try {
      const client = this.#client(host, port)
      const { response } = await client.request(api, () => encode(request), minVersionOf(request))
      return decode(response, this.#options.listenerName)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      // Who does not know of it would take it for a vote.
      return isPreVote && error.reason === 'unsupported version' ? NO_PRE_VOTE : undefined
    }
  }

  #client(host: string, port: number): NodeClient {
    const place = `${host}:${port}`
    let client = this.#clients.get(place)
    if (client === undefined) {
      const { network, time, clientId, requestTimeoutMs, maxResponseBytes } = this.#options
      client = new NodeClient({ network, time, host, port, clientId, requestTimeoutMs, maxResponseBytes })
      this.#clients.set(place, client)
    }
    return client
  }

  /** A word of farewell that is under way still gets there. */
  close(): void {
    this.#isClosed = true
    this.#hangUpWhenDone()
  }

  #hangUpWhenDone(): void {
    if (!this.#isClosed || this.#underWay > 0) return
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}

function minVersionOf(request: RaftRequest): number {
  if (request.type === 'fetch') return FETCH_VERSION
  return request.type === 'vote' && request.isPreVote ? PRE_VOTE_VERSION : 0
}

const NO_PRE_VOTE: RaftResponse = {
  type: 'vote',
  error: errors.UNSUPPORTED_VERSION,
  isTopLevel: true,
  epoch: -1,
  leaderId: -1,
  leaderEndpoints: [],
  isGranted: false,
}
