import { StartupError } from '../../config/startup-error.ts'
import { UsageError } from '../console.ts'

/** As many nodes as a local cluster may have. */
export const MAX_BROKERS = 32

/** More voters make a quorum slower and, on one machine, no safer. */
const MAX_CONTROLLERS = 3
const DEFAULT_PORT = 9092
/** Controllers listen this far above the first broker. */
const CONTROLLER_PORTS_ABOVE = 100
const HOST = '127.0.0.1'

export interface ClusterOptions {
  /** 1 to MAX_BROKERS. */
  readonly brokers: number
  /** Of the first broker; the others have the next ones. undefined: as before, or 9092. */
  readonly port: number | undefined
  /** Absolute; it holds a directory and a configuration file for each node. */
  readonly directory: string
  /** Settings of all nodes, over those that are planned. */
  readonly settings: ReadonlyMap<string, string>
}

/** A node of a cluster that has been started before. */
export interface KnownNode {
  readonly id: number
  readonly port: number
  /** undefined for a node that is a broker only. */
  readonly controllerPort: number | undefined
}

export interface NodePlan extends KnownNode {
  readonly rack: string
  readonly directory: string
  readonly propertiesFile: string
  readonly properties: ReadonlyMap<string, string>
}

/** What differs between nodes, and is nobody's to set for all of them. */
const PER_NODE = [
  'node.id',
  'broker.id',
  'process.roles',
  'listeners',
  'advertised.listeners',
  'controller.listener.names',
  'controller.quorum.bootstrap.servers',
  'controller.quorum.voters',
  'log.dir',
  'log.dirs',
  'metadata.log.dir',
]

/**
 * The nodes of a local cluster: who they are, where they listen, and what their configuration files say. Nodes that are
 * `known` keep their roles and the ports of their controllers, which their quorum has written down. Throws UsageError and
 * StartupError.
 */
export function planCluster(options: ClusterOptions, known: readonly KnownNode[]): NodePlan[] {
  const { brokers, directory, settings } = options
  const own = PER_NODE.find((name) => settings.has(name))
  if (own !== undefined) throw new UsageError(`${own} is different for each node, and chosen by --brokers`)
  if (known.length > brokers) {
    throw new StartupError(
      `${directory} holds a cluster of ${known.length} nodes, of which none can be left out: use --brokers ${known.length}`,
    )
  }
  const nodes = Array.from({ length: brokers }, (_, index) => place(options, known, index))
  checkPorts(nodes)
  const defaults = sharedSettings(brokers)
  const voters = nodes.flatMap(({ controllerPort }) =>
    controllerPort === undefined ? [] : `${HOST}:${controllerPort}`,
  )
  return nodes.map((node) => {
    const rack = `rack-${node.id}`
    const nodeDirectory = `${directory}/node-${node.id}`
    const properties = new Map([
      ...nodeSettings(node, nodeDirectory, voters),
      ['broker.rack', rack],
      ...defaults,
      ...settings,
    ])
    const propertiesFile = propertiesPath(directory, node.id)
    const rackInUse = properties.get('broker.rack')!
    return { ...node, rack: rackInUse, directory: nodeDirectory, propertiesFile, properties }
  })
}

/** Where the configuration file of a node is. */
export function propertiesPath(directory: string, id: number): string {
  return `${directory}/node-${id}.properties`
}

function place({ port }: ClusterOptions, known: readonly KnownNode[], index: number): KnownNode {
  const id = index + 1
  const first = port ?? known[0]?.port ?? DEFAULT_PORT
  const before = known.find((node) => node.id === id)
  // The first start decides how many controllers there are: later ones would have to be voted in.
  const isController = before === undefined ? known.length === 0 && id <= MAX_CONTROLLERS : undefined
  return {
    id,
    port: port === undefined && before !== undefined ? before.port : first + index,
    controllerPort: before?.controllerPort ?? (isController ? first + CONTROLLER_PORTS_ABOVE + index : undefined),
  }
}

function checkPorts(nodes: readonly KnownNode[]): void {
  const ports = nodes.flatMap(({ port, controllerPort }) => [
    port,
    ...(controllerPort === undefined ? [] : [controllerPort]),
  ])
  const high = ports.find((port) => port > 65535)
  if (high !== undefined) throw new UsageError(`--port is too high: ${high} would be needed too`)
  const twice = ports.find((port, index) => ports.indexOf(port) !== index)
  if (twice !== undefined) throw new UsageError(`port ${twice} would be needed twice; choose another --port`)
}

function nodeSettings({ id, port, controllerPort }: KnownNode, directory: string, voters: readonly string[]) {
  const isController = controllerPort !== undefined
  const listeners = [`PLAINTEXT://${HOST}:${port}`]
  if (isController) listeners.push(`CONTROLLER://${HOST}:${controllerPort}`)
  return new Map([
    ['process.roles', isController ? 'broker,controller' : 'broker'],
    ['node.id', String(id)],
    ['listeners', listeners.join(',')],
    ['controller.listener.names', 'CONTROLLER'],
    ['controller.quorum.bootstrap.servers', voters.join(',')],
    ['log.dirs', directory],
  ])
}

/** Three copies of everything where there are three nodes, two of which must have a record before it is acknowledged. */
function sharedSettings(brokers: number): Map<string, string> {
  const copies = String(Math.min(3, brokers))
  const inSync = brokers >= 3 ? '2' : '1'
  return new Map([
    ['default.replication.factor', copies],
    ['min.insync.replicas', inSync],
    ['offsets.topic.replication.factor', copies],
    ['transaction.state.log.replication.factor', copies],
    ['transaction.state.log.min.isr', inSync],
    ['share.coordinator.state.topic.replication.factor', copies],
    ['share.coordinator.state.topic.min.isr', inSync],
    // Waiting for more members is for many consumers that start together; on one machine it only looks slow.
    ['group.initial.rebalance.delay.ms', '0'],
  ])
}
