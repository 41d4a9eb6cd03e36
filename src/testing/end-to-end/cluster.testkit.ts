import type { Api } from '../../protocol/api-keys.ts'
import { apis } from '../../protocol/api-keys.ts'
import type { InputOf, Message, MessageOf } from '../../protocol/schema.ts'
import { Client, nameOfError } from '../simulation/client.ts'
import { Cluster, loadHandlers } from '../simulation/cluster.ts'
import { ConnectionLost } from '../simulation/connection.ts'
import type { SimulatedNode } from '../simulation/node.ts'
import { World } from '../simulation/world.ts'

/** Of virtual time: for what has to happen some time. */
const PATIENCE_MS = 60_000
const STEP_MS = 20

export interface Shape {
  readonly brokers: number
  /** Nodes that are controllers only, with ids after those of the brokers; 0 where every broker is one, too. */
  readonly controllers: number
  /** Ids of nodes that are formatted, and started by the test. */
  readonly later?: readonly number[]
  /** Whether the voters are in the metadata log; fixed by the configuration where not given. */
  readonly hasDynamicVoters?: boolean
  /** Controllers with the ids after all others, formatted without voters, and started by the test. */
  readonly joiners?: number
}

/** Nodes on a network, disks and a clock of the test's; and a client. */
export class TestCluster {
  readonly world: World
  readonly client: Client
  readonly #cluster: Cluster

  private constructor(seed: number, settings: Readonly<Record<string, string>>, shape: Shape) {
    const { brokers: nodes, hasDynamicVoters = false } = shape
    this.world = new World(seed, false)
    this.#cluster = new Cluster(this.world, { ...shape, nodes, settings, hasDynamicVoters })
    this.client = new Client(this.world, 'client')
  }

  /** Resolves when all nodes serve that are not for later, nor to join. `ownSettings`: those of one node. */
  static async started(
    seed: number,
    settings: Readonly<Record<string, string>> = {},
    ownSettings: (id: number) => Readonly<Record<string, string>> = () => ({}),
    shape: Shape = { brokers: 3, controllers: 0 },
  ): Promise<TestCluster> {
    await loadHandlers()
    const cluster = new TestCluster(seed, settings, shape)
    const { nodes } = cluster.world
    for (const node of nodes) Object.assign(node.config, ownSettings(node.id))
    const formed = nodes.slice(0, shape.brokers + shape.controllers)
    const first = formed.filter(({ id }) => !shape.later?.includes(id))
    for (const node of first) node.start()
    await cluster.until(() => first.every(({ isServing }) => isServing))
    return cluster
  }

  node(id: number): SimulatedNode {
    return this.world.nodes.find((node) => node.id === id)!
  }

  /** The process ends as by kill -9. */
  kill(id: number): void {
    this.node(id).end('kill')
  }

  /** What does not run gets a new disk, formatted without voters. */
  replaceDisk(id: number): void {
    this.node(id).wipe()
    this.node(id).format(this.#cluster.clusterId, undefined)
  }

  /** Resolves when it serves (again). */
  async restart(id: number): Promise<void> {
    this.node(id).start()
    await this.until(() => this.node(id).isServing)
  }

  async until(isDone: () => boolean): Promise<void> {
    const { world } = this
    const endMs = world.time.monotonicMs() + PATIENCE_MS
    while (!isDone()) {
      if (world.time.monotonicMs() >= endMs) throw new Error('this does not come to an end')
      // Where nothing is planned, the clock would go on to the end at once.
      await world.run(STEP_MS, isDone)
      if (world.failure !== undefined) throw world.failure
    }
  }

  /** Lets the clock go on until the promise is settled. */
  async done<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settle = () => {
      isSettled = true
    }
    promise.then(settle, settle)
    await this.until(() => isSettled)
    return await promise
  }

  async pass(durationMs: number): Promise<void> {
    await this.world.run(durationMs)
    if (this.world.failure !== undefined) throw this.world.failure
  }

  /** Answers the id of the topic, whose partitions have three replicas each. */
  async createTopic(name: string, numPartitions: number): Promise<string> {
    const topic = { name, numPartitions, replicationFactor: 3, assignments: [], configs: [] }
    const body = { topics: [topic], timeoutMs: 10_000, validateOnly: false }
    const isMade = ({ topics }: { topics: readonly { errorCode: number }[] }) =>
      ['NONE', 'TOPIC_ALREADY_EXISTS'].includes(nameOfError(topics[0]!.errorCode))
    await this.done(this.client.anybody(apis.CreateTopics, 7, body, isMade))
    return (await this.done(this.client.placeOf(name, 0)))!.topicId
  }

  /**
   * Asks the coordinator, whoever that is, until it answers with an error code that is not one of `passing`: those by
   * which clients know that they have to look for it again, or to wait.
   */
  async askCoordinator<Request extends Message, Response extends Message>(
    key: string,
    type: number,
    api: Api<Request, Response>,
    version: number,
    body: InputOf<Request>,
    errorOf: (response: MessageOf<Response>) => number,
    passing: readonly string[] = PASSING,
  ): Promise<MessageOf<Response>> {
    for (;;) {
      const coordinator = await this.client.coordinatorOf(key, type)
      if (coordinator === undefined) throw new Error('the run is over')
      try {
        const response = await this.client.call(coordinator, api, version, body)
        if (!passing.includes(nameOfError(errorOf(response)))) return response
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
      this.client.forgetCoordinator(key, type)
      await this.client.backOff()
    }
  }

  close(): void {
    this.world.isOver = true
    this.client.close()
    for (const { id, isUp } of this.world.nodes) if (isUp) this.kill(id)
    this.#cluster.close()
  }
}

export const PASSING: readonly string[] = [
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
]
