import type { RunningServer } from '../broker/server.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { StartupError } from '../config/startup-error.ts'
import { isAloneInQuorum, loadDirectories, openDirectories } from '../metadata/format/format.ts'
import { takeDirectory } from '../metadata/format/take-directory.ts'
import { type DirectoryLock, type Disk, diskErrorCode } from '../platform/disk.ts'
import type { Logger } from '../platform/logger.ts'
import { nodePlatform } from '../platform/node-platform.ts'
import { nodeParent } from '../platform/parent.ts'
import type { Platform } from '../platform/platform.ts'
import { parseArguments } from './arguments.ts'
import { type Console, UsageError } from './console.ts'
import { consoleLogger, parseLogLevel } from './console-logger.ts'
import { propertiesFromEnvironment } from './environment.ts'
import { loopbackNode, nodeConfig, parseOverrides, readPropertiesFile } from './node-properties.ts'
import { Stop } from './stop.ts'

const DEFAULT_PORT = 9092
const DEFAULT_DATA = './.ottla'
const OVERRIDE = { name: 'override', takesValue: true }

type Properties = ReadonlyMap<string, string>

/** What a command line for `start` asks for: the file, under the environment, under the overrides. */
export function startProperties(args: readonly string[], console: Console, platform: Platform): Properties {
  const { positional, values } = parseArguments(args, [OVERRIDE])
  if (positional.length > 1) throw new UsageError(`one configuration file at most, not also ${positional[1]}`)
  const environment = propertiesFromEnvironment(console.environment)
  const [file] = positional
  let base: Properties = new Map()
  if (file !== undefined) base = readPropertiesFile(platform.disk, file)
  else if (!environment.has('process.roles')) base = loopbackNode(DEFAULT_PORT, DEFAULT_DATA)
  return new Map([...base, ...environment, ...parseOverrides(values('override'))])
}

/** What a command line for `dev` asks for. The environment has no part in it: dev is the same everywhere. */
export function devProperties(args: readonly string[]): Properties {
  const flags = [OVERRIDE, { name: 'port', short: 'p', takesValue: true }, { name: 'data', takesValue: true }]
  const { positional, value, values } = parseArguments(args, flags)
  if (positional.length > 0) throw new UsageError(`dev takes no ${positional[0]}`)
  const port = value('port') ?? String(DEFAULT_PORT)
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65535) {
    throw new UsageError(`--port takes a number from 0 to 65535, not '${port}'`)
  }
  const base = loopbackNode(Number(port), value('data') ?? DEFAULT_DATA)
  return new Map([...base, ...parseOverrides(values('override'))])
}

/** With --brokers the command is for a cluster. */
function isForCluster(args: readonly string[]): boolean {
  return args.some((arg) => arg === '--brokers' || arg.startsWith('--brokers='))
}

export async function start(args: readonly string[], console: Console): Promise<number> {
  if (isForCluster(args)) return (await import('./cluster/cluster.ts')).runCluster('start', args, console)
  const platform = nodePlatform()
  const config = nodeConfig(startProperties(args, console, platform))
  const log = logger(platform, console)
  formatForCluster(platform, config, console.environment.get('CLUSTER_ID'))
  return serve(platform, config, log, (server) => {
    for (const { name, host, port } of server.listeners) log.info(`Listening on ${name}://${addressText(host, port)}`)
    log.info(`Node ${config.nodeId} is ready, ${Math.round(platform.time.monotonicMs())} ms after its start`)
  })
}

export async function dev(args: readonly string[], console: Console): Promise<number> {
  if (isForCluster(args)) return (await import('./cluster/cluster.ts')).runCluster('dev', args, console)
  const platform = nodePlatform()
  const config = nodeConfig(devProperties(args))
  const log = consoleLogger(platform.time, console.out, parseLogLevel('WARN'))
  return serve(platform, config, log, (server) => {
    for (const line of banner(server.listeners, config, platform.time.monotonicMs())) console.out(line)
  })
}

/** An IPv6 address stands in brackets before a port. */
export function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function banner(listeners: RunningServer['listeners'], config: BrokerConfig, startupMs: number): string[] {
  const isController = (name: string) => config.controllerListenerNames.includes(name)
  const rows = listeners.map(({ name, host, port }) => {
    return [isController(name) ? 'controller' : 'clients', addressText(host, port)]
  })
  rows.push(['data', config.logDirs.join(', ')])
  return [
    `Ottla is ready (${Math.round(startupMs)} ms). Ctrl-C stops it.`,
    ...rows.map(([label, text]) => `  ${label!.padEnd(12)}${text}`),
  ]
}

function logger(platform: Platform, console: Console): Logger {
  const asked = console.environment.get('KAFKA_LOG4J_ROOT_LOGLEVEL')
  return consoleLogger(platform.time, console.out, asked === undefined ? 'INFO' : (parseLogLevel(asked) ?? 'INFO'))
}

/** Each name once: those that do nothing yet, and those that nobody knows. */
function reportUnused(config: BrokerConfig, log: Logger): void {
  const { ignored, unknown } = config.unusedNames()
  for (const name of ignored) log.warn(`${name} is set but has no effect yet`)
  for (const name of unknown) log.warn(`${name} is not a setting of Apache Kafka 4.3; it is ignored`)
}

/**
 * The cluster id that the environment gives to a new node, as in the official container image; a node that belongs to
 * another cluster does not start.
 */
export function formatForCluster(platform: Platform, config: BrokerConfig, clusterId: string | undefined): void {
  if (clusterId === undefined || clusterId === '') return
  if (loadDirectories(platform.disk, config, clusterId, new Map()) !== undefined || !isAloneInQuorum(config)) return
  const { disk } = platform
  const locks = new Map<string, DirectoryLock>()
  try {
    for (const directory of config.allDirs) locks.set(directory, take(disk, directory, locks.keys()))
    openDirectories(platform, config, clusterId)
  } finally {
    for (const lock of locks.values()) lock.release()
  }
}

function take(disk: Disk, directory: string, taken: Iterable<string>): DirectoryLock {
  try {
    return takeDirectory(disk, directory, taken)
  } catch (error) {
    if (error instanceof StartupError) throw error
    throw new StartupError(`Cannot make ${directory}: ${diskErrorCode(error) ?? String(error)}`)
  }
}

/** Runs the server until it has stopped, by a signal, by its parent or by itself. */
async function serve(
  platform: Platform,
  config: BrokerConfig,
  log: Logger,
  ready: (server: RunningServer) => void,
): Promise<number> {
  reportUnused(config, log)
  const stop = new Stop(platform.time, log)
  const signalled = (signal: string) => stop.signalled(signal)
  process.on('SIGTERM', signalled)
  process.on('SIGINT', signalled)
  const parent = nodeParent({
    prepare: () => void stop.prepare('The cluster stops').then(() => parent!.prepared()),
    stop: () => stop.now(),
    gone: () => void stop.alone(),
  })
  const { startServer } = await import('../broker/server.ts')
  const server = await startServer(config, platform, log)
  if (!stop.started(server)) {
    ready(server)
    parent?.ready()
  }
  await server.stopped
  log.info('Stopped')
  process.off('SIGTERM', signalled)
  process.off('SIGINT', signalled)
  return server.failure === undefined ? 0 : 1
}
