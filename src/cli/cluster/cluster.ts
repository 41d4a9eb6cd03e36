import { StartupError } from '../../config/startup-error.ts'
import { nodeChildren } from '../../platform/children.ts'
import { diskErrorCode } from '../../platform/disk.ts'
import type { Network } from '../../platform/network.ts'
import { nodePlatform } from '../../platform/node-platform.ts'
import type { Random } from '../../platform/random.ts'
import { table } from '../admin/table.ts'
import { parseArguments } from '../arguments.ts'
import { type Console, UsageError } from '../console.ts'
import { propertiesFromEnvironment } from '../environment.ts'
import { parseOverrides } from '../node-properties.ts'
import { knownNodes, prepareDirectories } from './directories.ts'
import { MAX_BROKERS, type NodePlan, planCluster } from './plan.ts'
import { ClusterRunner } from './runner.ts'

const DEFAULT_DATA = './.ottla-cluster'

/** The last is sent when the terminal is closed. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export type ClusterCommand = 'start' | 'dev'

const FLAGS = [
  { name: 'brokers', takesValue: true },
  { name: 'port', short: 'p', takesValue: true },
  { name: 'data-dir', takesValue: true },
  { name: 'data', takesValue: true },
  { name: 'override', takesValue: true },
]

export interface ClusterRequest {
  readonly brokers: number
  /** 0: ports that are free. */
  readonly port: number | undefined
  /** undefined: where the command has its data by default. */
  readonly directory: string | undefined
  readonly overrides: ReadonlyMap<string, string>
}

/** What `start --brokers N` or `dev --brokers N` asks for. Throws UsageError. */
export function parseClusterRequest(args: readonly string[]): ClusterRequest {
  const { positional, value, values } = parseArguments(args, FLAGS)
  if (positional.length > 0) {
    throw new UsageError(`--brokers makes configuration files of its own, and takes no ${positional[0]}`)
  }
  const number = (name: string, least: number, most: number) => {
    const text = value(name)
    if (text === undefined) return undefined
    if (!/^[0-9]{1,5}$/.test(text) || Number(text) < least || Number(text) > most) {
      throw new UsageError(`--${name} takes a number from ${least} to ${most}, not '${text}'`)
    }
    return Number(text)
  }
  return {
    brokers: number('brokers', 1, MAX_BROKERS)!,
    port: number('port', 0, 65535),
    directory: value('data-dir') ?? value('data'),
    overrides: parseOverrides(values('override')),
  }
}

/** Below those that systems give to outgoing connections, one of which could take a port between the look and the start. */
const FIRST_FREE_PORT = 20_000
const FREE_PORTS = 12_000
const FREE_PORT_ATTEMPTS = 50

/** A first port for a cluster, chosen so that all that it needs are free. */
async function freePort(network: Network, random: Random, brokers: number): Promise<number> {
  for (let attempt = 0; attempt < FREE_PORT_ATTEMPTS; attempt++) {
    const port = FIRST_FREE_PORT + random.below(FREE_PORTS)
    const plan = planCluster({ brokers, port, directory: '', settings: new Map() }, [])
    const ports = plan.flatMap((node) => [
      node.port,
      ...(node.controllerPort === undefined ? [] : [node.controllerPort]),
    ])
    const free = await Promise.all(ports.map((each) => isFree(network, each)))
    if (free.every((each) => each)) return port
  }
  throw new StartupError('Found no ports that are free')
}

async function isFree(network: Network, port: number): Promise<boolean> {
  try {
    const listener = await network.listen({ host: '127.0.0.1', port }, (connection) => connection.destroy())
    await listener.close()
    return true
  } catch (error) {
    if (diskErrorCode(error) === undefined) throw error
    return false
  }
}

/** Runs a local cluster, until a signal or all of its nodes have ended. Answers the exit code. */
export async function runCluster(command: ClusterCommand, args: readonly string[], console: Console): Promise<number> {
  const request = parseClusterRequest(args)
  const platform = nodePlatform()
  const { disk, random, time, network } = platform
  // A cluster for a moment leaves nothing behind; with a directory of one's own it is found again.
  const isTemporary = command === 'dev' && request.directory === undefined
  const temporary = `${console.environment.get('TMPDIR') ?? '/tmp'}/ottla-${random.bytes(6).toString('hex')}`
  const directory = disk.absolutePath(isTemporary ? temporary : (request.directory ?? DEFAULT_DATA))
  const environment = command === 'start' ? propertiesFromEnvironment(console.environment) : new Map<string, string>()
  const known = knownNodes(disk, directory)
  const settings = new Map([...environment, ...request.overrides])
  const port = request.port === 0 ? await freePort(network, random, request.brokers) : request.port
  const plan = planCluster({ brokers: request.brokers, port, directory, settings }, known)
  const clusterId = prepareDirectories(
    platform,
    directory,
    plan,
    known.length > 0,
    (command === 'start' && console.environment.get('CLUSTER_ID')) || undefined,
  )
  for (const line of [`Cluster ${clusterId}:`, ...planTable(plan)]) console.out(line)
  const runner = new ClusterRunner({
    plan,
    children: nodeChildren(),
    time,
    console,
    environment: childEnvironment(console.environment, command),
    ready: () => {
      const servers = plan.map(({ port }) => `127.0.0.1:${port}`).join(',')
      console.out(`Ottla is ready (${Math.round(time.monotonicMs())} ms) at ${servers}. Ctrl-C stops it.`)
    },
  })
  const stop = () => runner.stop()
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  try {
    return await runner.run()
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, stop)
    if (isTemporary) disk.removeTree(directory)
  }
}

export function planTable(plan: readonly NodePlan[]): string[] {
  const rows = plan.map(({ id, port, controllerPort, rack, directory }) => [
    id,
    controllerPort === undefined ? 'broker' : 'broker,controller',
    `127.0.0.1:${port}`,
    controllerPort === undefined ? '' : `127.0.0.1:${controllerPort}`,
    rack,
    directory,
  ])
  return table(['NODE', 'ROLES', 'CLIENTS', 'CONTROLLER', 'RACK', 'DATA'], rows).map((line) => `  ${line}`)
}

/** What the environment says of properties is in the configuration files already. */
function childEnvironment(environment: ReadonlyMap<string, string>, command: ClusterCommand): Map<string, string> {
  const own = [...environment].filter(([name]) => !name.startsWith('KAFKA_') && name !== 'CLUSTER_ID')
  const level = command === 'dev' ? 'WARN' : environment.get('KAFKA_LOG4J_ROOT_LOGLEVEL')
  return new Map([...own, ...(level === undefined ? [] : [['KAFKA_LOG4J_ROOT_LOGLEVEL', level] as const])])
}
