import { ServedApis } from '../../broker/apis.ts'
import type { InitialVoter } from '../../metadata/format/checkpoints.ts'
import { randomUuid } from '../../platform/random.ts'
import { ReplicaManager } from '../../replication/replica-manager.ts'
import { MetadataInvariants, observeMetadata } from './metadata-invariants.ts'
import { SimulatedNode } from './node.ts'
import { QuorumInvariants } from './quorum-invariants.ts'
import { ReplicaInvariants } from './replica-invariants.ts'
import type { World } from './world.ts'

export interface ClusterOptions {
  readonly nodes: number
  /** Controllers that are no brokers; 0 where the brokers are. */
  readonly controllers: number
  /** Settings over those of every simulated node, by Kafka's names. */
  readonly settings: Readonly<Record<string, string>>
  /** Whether the voters are in the metadata log, or fixed by the configuration. */
  readonly hasDynamicVoters: boolean
  /** Controllers that are no brokers and no voters, formatted without any; of none where not given. */
  readonly joiners?: number
  /** How many racks the brokers are in; none where not given. */
  readonly racks?: number
}

const RACK_AWARE = 'org.apache.kafka.common.replica.RackAwareReplicaSelector'

const SETTINGS = {
  'controller.listener.names': 'CONTROLLER',
  'log.dirs': '/data',
  'num.partitions': '2',
  'offsets.topic.num.partitions': '2',
  'transaction.state.log.num.partitions': '2',
  'group.initial.rebalance.delay.ms': '0',
  'auto.create.topics.enable': 'false',
  'log.cleaner.enable': 'false',
  'broker.heartbeat.interval.ms': '500',
  'broker.session.timeout.ms': '3000',
  'replica.lag.time.max.ms': '3000',
  'replica.fetch.wait.max.ms': '300',
  'replica.socket.timeout.ms': '2000',
  'controller.quorum.election.timeout.ms': '600',
  'controller.quorum.fetch.timeout.ms': '1200',
  'controller.quorum.request.timeout.ms': '1000',
  'controller.quorum.election.backoff.max.ms': '500',
  'group.min.session.timeout.ms': '1000',
}

/** Of the rack that a consumer, or the node with the same number, is in. */
export function rackOf(id: number, racks: number): string {
  return `rack-${id % racks}`
}

/** The nodes of a run, and what is watched of them. */
export class Cluster {
  readonly world: World
  readonly replicas: ReplicaInvariants
  readonly metadata: MetadataInvariants
  readonly clusterId: string
  readonly #restore: (() => void)[] = []

  constructor(world: World, options: ClusterOptions) {
    this.world = world
    this.replicas = new ReplicaInvariants(world)
    this.metadata = new MetadataInvariants(world)
    for (let id = 1; id <= options.nodes + options.controllers; id++) {
      world.nodes.push(new SimulatedNode(world, id, settingsOf(id, options)))
    }
    this.clusterId = randomUuid(world.random)
    const controllers = world.nodes.filter(({ isController }) => isController)
    const voters = options.hasDynamicVoters ? controllers.map(({ id, host }) => voterOf(world, id, host)) : undefined
    for (const node of world.nodes) node.format(this.clusterId, voters)
    const size = world.nodes.length
    for (let id = size + 1; id <= size + (options.joiners ?? 0); id++) {
      const joiner = new SimulatedNode(world, id, settingsOf(id, { ...options, hasDynamicVoters: true }))
      world.nodes.push(joiner)
      joiner.format(this.clusterId, undefined)
    }
    this.#restore.push(observeMetadata(world, this.metadata), observeReplicas(world))
    const quorum = new QuorumInvariants(world)
    const { onBytes } = world.network
    world.network.onBytes = (from, to, chunk, connection, isRequest) => {
      onBytes(from, to, chunk, connection, isRequest)
      // Nodes and clients write whole frames.
      quorum.onFrame(from, to, chunk, connection, isRequest)
    }
    world.onDiskChange = (node, operation, path) => {
      if (operation === 'replace' && path.endsWith('/quorum-state')) quorum.onState(node)
    }
    world.afterEvent = (life) => this.replicas.check(life)
  }

  /** Puts the classes back as they were. */
  close(): void {
    for (const restore of this.#restore) restore()
  }
}

function voterOf(world: World, id: number, host: string): InitialVoter {
  return { id, host, port: 9093, directoryId: randomUuid(world.random) }
}

function settingsOf(id: number, options: ClusterOptions): Record<string, string> {
  const { nodes, controllers, settings, hasDynamicVoters, racks = 0 } = options
  const replication = String(Math.min(3, nodes))
  const minIsr = nodes >= 3 ? '2' : '1'
  const isBroker = id <= nodes
  const isController = controllers === 0 || !isBroker
  const broker = `PLAINTEXT://node-${id}:9092`
  const controller = `CONTROLLER://node-${id}:9093`
  const first = controllers === 0 ? 1 : nodes + 1
  const voters = Array.from({ length: controllers === 0 ? nodes : controllers }, (_, index) => first + index)
  const size = nodes + controllers
  const joiners = Array.from({ length: options.joiners ?? 0 }, (_, index) => size + 1 + index)
  return {
    ...SETTINGS,
    'node.id': String(id),
    'process.roles': [...(isBroker ? ['broker'] : []), ...(isController ? ['controller'] : [])].join(','),
    listeners: [...(isBroker ? [broker] : []), ...(isController ? [controller] : [])].join(','),
    ...(hasDynamicVoters
      ? { 'controller.quorum.bootstrap.servers': [...voters, ...joiners].map((each) => `node-${each}:9093`).join(',') }
      : { 'controller.quorum.voters': voters.map((each) => `${each}@node-${each}:9093`).join(',') }),
    ...(isBroker && racks > 0 ? { 'broker.rack': rackOf(id, racks), 'replica.selector.class': RACK_AWARE } : {}),
    'default.replication.factor': replication,
    'offsets.topic.replication.factor': replication,
    'transaction.state.log.replication.factor': replication,
    'min.insync.replicas': minIsr,
    'transaction.state.log.min.isr': minIsr,
    ...settings,
  }
}

/** Finds the replicas of every process. Answers how to take that back. */
function observeReplicas(world: World): () => void {
  const { apply } = ReplicaManager.prototype
  ReplicaManager.prototype.apply = function (this: ReplicaManager, ...args) {
    const life = world.current
    if (life !== undefined && life.nodeId === this.nodeId) life.replicas ??= this
    return apply.apply(this, args)
  }
  return () => {
    ReplicaManager.prototype.apply = apply
  }
}

/** Handlers are read on first use; all runs of a process shall find them there. */
export async function loadHandlers(): Promise<void> {
  await new ServedApis().loadAll()
}
