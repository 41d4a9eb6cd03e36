import type { Network } from '../../platform/network.ts'
import type { Time } from '../../platform/time.ts'
import { type Api, apis } from '../../protocol/api-keys.ts'
import { type ErrorName, errorOfCode, errors } from '../../protocol/errors.ts'
import type { InputOf, Message, MessageOf } from '../../protocol/schema.ts'
import { NodeClient, RequestError } from '../../replication/channel/node-client.ts'
import { CommandError } from '../console.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface AdminOptions {
  readonly network: Network
  readonly time: Time
  /** Whom to ask first: brokers, or controllers where `viaController` is set. */
  readonly servers: readonly Address[]
  readonly viaController: boolean
  readonly clientId: string
  /** For the answer to one request. */
  readonly requestTimeoutMs: number
  /** For one operation with all its attempts. */
  readonly apiTimeoutMs: number
  readonly retryBackoffMs: number
}

export interface BrokerNode extends Address {
  readonly id: number
  readonly rack: string | null
}

export interface ClusterInfo {
  readonly clusterId: string
  readonly controllerId: number
  readonly brokers: ReadonlyMap<number, BrokerNode>
}

/** A refusal by a broker: Kafka's error, and what the broker said of it. */
export class AdminError extends CommandError {
  readonly error: ErrorName

  constructor(code: number, text?: string | null) {
    const { name, message } = errorOfCode(code)
    super(text == null || text === '' ? `${name}: ${message}` : `${name}: ${text}`)
    this.error = name
  }
}

/** Throws AdminError unless `code` is that of no error. */
export function check(code: number, text?: string | null): void {
  if (code !== 0) throw new AdminError(code, text)
}

/** What passes while leaders and coordinators move or load. */
const PASSING = new Set<ErrorName>([
  'NOT_CONTROLLER',
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'BROKER_NOT_AVAILABLE',
])

const GROUP_COORDINATOR = 0
const BROKER_ENDPOINTS = 1
const CONTROLLER_ENDPOINTS = 2
const MAX_RESPONSE_BYTES = 100 * 1024 * 1024

type Body<Request extends Message> = (version: number) => InputOf<Request>

/**
 * What the commands ask of a cluster: any of its brokers, a certain one, the controller, the coordinator of a group.
 * Connections are made when they are needed and kept until `close`. Methods throw CommandError, whose message is for
 * the person at the terminal.
 */
export class AdminClient {
  readonly #options: AdminOptions
  readonly #clients = new Map<string, NodeClient>()
  /** The bootstrap server that answered last. */
  #preferred = 0
  #cluster: ClusterInfo | undefined

  constructor(options: AdminOptions) {
    this.#options = options
  }

  /** The names of the bootstrap servers, for messages. */
  get #servers(): string {
    return this.#options.servers.map(addressOf).join(',')
  }

  /**
   * Asks a bootstrap server; the next one where a server cannot be reached. `minVersion` is the lowest version of the API
   * that can say what is asked.
   */
  async any<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    body: Body<Request>,
    minVersion = 0,
  ): Promise<MessageOf<Response>> {
    const { servers } = this.#options
    let failure: RequestError | undefined
    for (let attempt = 0; attempt < servers.length; attempt++) {
      const index = (this.#preferred + attempt) % servers.length
      try {
        const { response } = await this.#client(servers[index]!).request(api, body, minVersion)
        this.#preferred = index
        return response
      } catch (error) {
        if (!(error instanceof RequestError)) throw error
        if (error.reason === 'unsupported version') throw unsupported(api)
        failure = error
      }
    }
    throw new CommandError(`no broker answers at ${this.#servers}: ${failure!.message}`)
  }

  /** Asks one broker. Throws CommandError where the cluster has no such broker, or it does not answer. */
  async broker<Request extends Message, Response extends Message>(
    id: number,
    api: Api<Request, Response>,
    body: Body<Request>,
    minVersion = 0,
  ): Promise<MessageOf<Response>> {
    const address = (await this.cluster()).brokers.get(id)
    if (address === undefined) throw new CommandError(`broker ${id} is not available`)
    return this.#ask(address, `broker ${id}`, api, body, minVersion)
  }

  async #ask<Request extends Message, Response extends Message>(
    address: Address,
    who: string,
    api: Api<Request, Response>,
    body: Body<Request>,
    minVersion: number,
  ): Promise<MessageOf<Response>> {
    try {
      return (await this.#client(address).request(api, body, minVersion)).response
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      if (error.reason === 'unsupported version') throw unsupported(api)
      throw new UnreachableError(`${who} does not answer: ${error.message}`)
    }
  }

  /**
   * Asks for a change of the cluster. A broker passes it on to the controller; where controllers are the bootstrap
   * servers, the active one is found first.
   */
  async controller<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    body: Body<Request>,
    minVersion = 0,
  ): Promise<MessageOf<Response>> {
    if (!this.#options.viaController) return this.any(api, body, minVersion)
    const { controllerId, brokers } = await this.cluster()
    const address = brokers.get(controllerId)
    if (address === undefined) throw new AdminError(errors.NOT_CONTROLLER.code, 'no controller is active')
    return this.#ask(address, `controller ${controllerId}`, api, body, minVersion)
  }

  /** Asks the coordinator of a group. */
  async coordinator<Request extends Message, Response extends Message>(
    group: string,
    api: Api<Request, Response>,
    body: Body<Request>,
    minVersion = 0,
  ): Promise<MessageOf<Response>> {
    const { nodeId } = await this.coordinatorOf(group)
    return this.broker(nodeId, api, body, minVersion)
  }

  /** The broker that coordinates a group. Throws AdminError. */
  coordinatorOf(group: string): Promise<{ readonly nodeId: number; readonly host: string; readonly port: number }> {
    return this.retrying(async () => {
      const found = await this.any(apis.FindCoordinator, (version) =>
        version < 4 ? { key: group } : { keyType: GROUP_COORDINATOR, coordinatorKeys: [group] },
      )
      const coordinator = found.coordinators[0] ?? found
      check(coordinator.errorCode, coordinator.errorMessage)
      return coordinator
    })
  }

  /** The live brokers (controllers, where those are the bootstrap servers), asked for once unless `fresh` is wanted. */
  async cluster(fresh = false): Promise<ClusterInfo> {
    if (this.#cluster !== undefined && !fresh) return this.#cluster
    const { viaController } = this.#options
    if (viaController) {
      const answer = await this.any(apis.DescribeCluster, () => ({ endpointType: CONTROLLER_ENDPOINTS }), 1)
      check(answer.errorCode, answer.errorMessage)
      const nodes = answer.brokers.map(({ brokerId: id, host, port, rack }) => ({ id, host, port, rack }))
      this.#cluster = { ...answer, brokers: new Map(nodes.map((node) => [node.id, node])) }
      return this.#cluster
    }
    const answer = await this.any(apis.Metadata, () => ({ topics: [], allowAutoTopicCreation: false }), 1)
    const nodes = answer.brokers.map(({ nodeId: id, host, port, rack }) => ({ id, host, port, rack }))
    this.#cluster = {
      clusterId: answer.clusterId ?? '',
      controllerId: answer.controllerId,
      brokers: new Map(nodes.map((node) => [node.id, node])),
    }
    return this.#cluster
  }

  /** As `cluster`, with the brokers that may not serve at present, where the cluster tells of them. */
  async registeredBrokers(): Promise<ReadonlySet<number>> {
    try {
      const asked = { endpointType: BROKER_ENDPOINTS, includeFencedBrokers: true }
      const answer = await this.any(apis.DescribeCluster, () => asked, 2)
      check(answer.errorCode, answer.errorMessage)
      return new Set(answer.brokers.map(({ brokerId }) => brokerId))
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error
      return new Set((await this.cluster()).brokers.keys())
    }
  }

  /** Repeats what fails with an error that passes, or where a broker does not answer, until the time for an operation is over. */
  async retrying<T>(operation: () => Promise<T>): Promise<T> {
    const { time, apiTimeoutMs, retryBackoffMs } = this.#options
    const deadlineMs = time.monotonicMs() + apiTimeoutMs
    for (;;) {
      try {
        return await operation()
      } catch (error) {
        const passes = error instanceof UnreachableError || (error instanceof AdminError && PASSING.has(error.error))
        if (!passes || time.monotonicMs() + retryBackoffMs > deadlineMs) throw error
        await this.pause(retryBackoffMs)
        this.#cluster = undefined
      }
    }
  }

  /** Whether brokers are asked, and not controllers. */
  get asksBrokers(): boolean {
    return !this.#options.viaController
  }

  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#options.time.after(delayMs, resolve))
  }

  get time(): Time {
    return this.#options.time
  }

  get requestTimeoutMs(): number {
    return this.#options.requestTimeoutMs
  }

  #client(address: Address): NodeClient {
    const key = addressOf(address)
    const existing = this.#clients.get(key)
    if (existing !== undefined) return existing
    const { network, time, clientId, requestTimeoutMs } = this.#options
    const { host, port } = address
    const client = new NodeClient({
      network,
      time,
      host,
      port,
      clientId,
      requestTimeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
    })
    this.#clients.set(key, client)
    return client
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
  }
}

/** The broker does not know the API, or not in a version that is needed. */
export class UnsupportedError extends CommandError {}

/** A broker that the cluster told of does not answer: it may have died since, and what it did is done by another soon. */
export class UnreachableError extends CommandError {}

function unsupported(api: Api): UnsupportedError {
  return new UnsupportedError(`the broker does not serve ${api.name} in a version that this command needs`)
}

function addressOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
