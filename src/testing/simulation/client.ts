import { type Api, apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import type { InputOf, Message, MessageOf } from '../../protocol/schema.ts'
import { ClientConnection, ConnectionLost } from './connection.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { World } from './world.ts'

export interface PartitionPlace {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
}

const METADATA_VERSION = 12
const FIND_COORDINATOR_VERSION = 4
const REQUEST_TIMEOUT_MS = 3000
const BACKOFF_MS = 50

export const GROUP = 0
export const TRANSACTION = 1

/** A client with its own host: knows who leads what, as far as it has been told, and asks again after errors. */
export class Client {
  readonly world: World
  readonly host: string
  readonly random: SeededRandom
  readonly #connections = new Map<number, ClientConnection>()
  #addresses = new Map<number, { host: string; port: number }>()
  #places = new Map<string, PartitionPlace>()
  readonly #coordinators = new Map<string, number>()

  constructor(world: World, host: string) {
    this.world = world
    this.host = host
    this.random = world.random.fork()
    // As bootstrap servers: where every broker is from the start.
    for (const { id, host: nodeHost, isBroker } of world.nodes) {
      if (isBroker) this.#addresses.set(id, { host: nodeHost, port: 9092 })
    }
  }

  get brokerIds(): number[] {
    return [...this.#addresses.keys()]
  }

  /** Rejects with ConnectionLost. */
  async call<Request extends Message, Response extends Message>(
    brokerId: number,
    api: Api<Request, Response>,
    version: number,
    body: InputOf<Request>,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<MessageOf<Response>> {
    const address = this.#addresses.get(brokerId)
    if (address === undefined) throw new ConnectionLost(`${this.host} does not know broker ${brokerId}`)
    let connection = this.#connections.get(brokerId)
    if (connection === undefined || connection.isClosed) {
      connection = new ClientConnection(this.world, this.host, address, () => this.random.percent(50))
      this.#connections.set(brokerId, connection)
    }
    return await connection.call(api, version, body, timeoutMs)
  }

  /** Asks anybody, until somebody answers; undefined once the run is over. */
  async anybody<Request extends Message, Response extends Message>(
    api: Api<Request, Response>,
    version: number,
    body: InputOf<Request>,
    isGood: (response: MessageOf<Response>) => boolean = () => true,
  ): Promise<MessageOf<Response> | undefined> {
    while (!this.world.isOver) {
      try {
        const response = await this.call(this.random.pick(this.brokerIds), api, version, body)
        if (isGood(response)) return response
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
      await this.backOff()
    }
    return undefined
  }

  backOff(): Promise<void> {
    return this.world.sleep(BACKOFF_MS + this.random.below(BACKOFF_MS))
  }

  /** Asks somebody for the places of partitions. */
  async refresh(topics: readonly string[]): Promise<void> {
    const response = await this.anybody(apis.Metadata, METADATA_VERSION, {
      topics: topics.map((name) => ({ topicId: '', name })).map(({ name }) => ({ name })),
      allowAutoTopicCreation: false,
    })
    if (response === undefined) return
    for (const { nodeId, host, port } of response.brokers) this.#addresses.set(nodeId, { host, port })
    for (const { name, topicId, partitions } of response.topics) {
      for (const { partitionIndex, leaderId, leaderEpoch, replicaNodes } of partitions) {
        this.#learn({
          topic: name!,
          topicId,
          partition: partitionIndex,
          leader: leaderId,
          leaderEpoch,
          replicas: replicaNodes,
        })
      }
    }
  }

  #learn(place: PartitionPlace): void {
    const key = `${place.topic}-${place.partition}`
    const known = this.#places.get(key)
    // A broker that lags behind tells of what was before.
    if (known !== undefined && known.topicId === place.topicId && known.leaderEpoch > place.leaderEpoch) return
    this.#places.set(key, place)
  }

  /** Where a partition is, when it has a leader; undefined once the run is over. */
  async placeOf(topic: string, partition: number): Promise<PartitionPlace | undefined> {
    for (;;) {
      const place = this.#places.get(`${topic}-${partition}`)
      if (place !== undefined && place.leader >= 0) return place
      if (this.world.isOver) return undefined
      await this.refresh([topic])
      const found = this.#places.get(`${topic}-${partition}`)
      if (found === undefined || found.leader < 0) await this.backOff()
    }
  }

  /** Who leads is wrong; that it was in this epoch is not, or a leader that is cut off would be believed (KIP-320). */
  forget(topic: string, partition: number): void {
    const key = `${topic}-${partition}`
    const known = this.#places.get(key)
    if (known !== undefined) this.#places.set(key, { ...known, leader: -1 })
  }

  /** undefined once the run is over. `type`: GROUP or TRANSACTION. */
  async coordinatorOf(key: string, type: number): Promise<number | undefined> {
    const name = `${type} ${key}`
    while (!this.world.isOver) {
      const known = this.#coordinators.get(name)
      if (known !== undefined) return known
      const body = { keyType: type, coordinatorKeys: [key] }
      const response = await this.anybody(apis.FindCoordinator, FIND_COORDINATOR_VERSION, body)
      const found = response?.coordinators[0]
      if (found?.errorCode === 0) {
        this.#addresses.set(found.nodeId, { host: found.host, port: found.port })
        this.#coordinators.set(name, found.nodeId)
        return found.nodeId
      }
      await this.backOff()
    }
    return undefined
  }

  forgetCoordinator(key: string, type: number): void {
    this.#coordinators.delete(`${type} ${key}`)
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
  }
}

const byCode = new Map(Object.values(errors).map((error) => [error.code, error]))

export function nameOfError(code: number): string {
  return byCode.get(code)?.name ?? String(code)
}
