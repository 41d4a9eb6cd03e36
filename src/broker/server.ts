import type { BrokerConfig } from '../config/broker-config.ts'
import type { Endpoint as ConfiguredEndpoint, SecurityProtocol } from '../config/endpoints.ts'
import { StartupError } from '../config/startup-error.ts'
import { Controller } from '../controller/controller.ts'
import type { Policies } from '../controller/policies.ts'
import { ReadBuffers } from '../log/read-buffers.ts'
import type { EndPoint } from '../metadata/types.ts'
import { diskErrorCode } from '../platform/disk.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { MetadataLogError } from '../replication/raft/types.ts'
import { BrokerLifecycle } from './broker-lifecycle.ts'
import { limitsOf } from './connection-limits.ts'
import { ControllerRegistration } from './controller-registration.ts'
import { type BoundListener, Connections } from './listener.ts'
import { loadPolicies } from './load-policies.ts'
import { publishersOf } from './publishing.ts'
import { RequestMemory } from './request-memory.ts'
import { makeServices, paceOf } from './services.ts'
import { openStorage, type Storage } from './storage.ts'
import type { Endpoint, Services } from './types.ts'

/** How long requests under way may take once the broker shuts down. */
const SHUTDOWN_GRACE_MS = 5000

/** How long the controller has to move away what a broker leads that shuts down; as in Apache Kafka. */
const CONTROLLED_SHUTDOWN_MS = 300_000
/** The same for a broker that has failed: others wait for what it leads until its session has ended, or its process. */
const FAILED_SHUTDOWN_MS = 10_000

/** How long after its start a broker reads the handlers that nobody has asked for. */
const LOAD_ALL_AFTER_MS = 1000

/** The numbers of security protocols in registrations. */
const SECURITY_PROTOCOL_IDS: Readonly<Record<SecurityProtocol, number>> = {
  PLAINTEXT: 0,
  SSL: 1,
  SASL_PLAINTEXT: 2,
  SASL_SSL: 3,
}

/** A node that serves. */
export interface RunningServer {
  readonly clusterId: string
  /** Where it is really bound, in the order of the configuration. */
  readonly listeners: readonly { readonly name: string; readonly host: string; readonly port: number }[]
  /**
   * Clean shutdown: what it leads is handed over, unless that has been done, requests under way are finished, everything is
   * on disk. Safe to call again.
   */
  stop(): Promise<void>
  /**
   * Only the first step of a shutdown, for nodes that stop together: the last of them would find no quorum any more that
   * could note that it goes. Resolves when that is done, or after `timeoutMs`; it serves until `stop`.
   */
  handOver(timeoutMs: number): Promise<void>
  /** Resolves once it has stopped. */
  readonly stopped: Promise<void>
  /** Why it stops, or has stopped, by itself; undefined for no such reason. */
  readonly failure: string | undefined
  /** Ends as a crash would, without writing anything more; for tests. */
  abandon(): void
}

/** The parts of a node, as far as they are there. */
interface Node {
  readonly config: BrokerConfig
  readonly platform: Platform
  readonly logger: Logger
  readonly connections: Connections
  bound: readonly BoundListener[]
  storage?: Storage
  controller?: Controller
  services?: Services
  registration?: ControllerRegistration
  lifecycle?: BrokerLifecycle
  /** Why it must not go on. */
  failure?: string
  /** Stops it, or has its start fail. */
  giveUp: (why: string) => void
}

/**
 * Starts a node: broker, controller or both. The ports are taken before any data is touched; resolves when requests are
 * served. Rejects with StartupError, in one line, for what the operator has to put right.
 */
export async function startServer(config: BrokerConfig, platform: Platform, logger: Logger): Promise<RunningServer> {
  checkSupported(config)
  const policies = await loadPolicies(config, platform)
  const readBuffers = new ReadBuffers()
  const connections = new Connections({
    limits: () => limitsOf(config),
    maxRequestBytes: config.get('socket.request.max.bytes'),
    memory: new RequestMemory(config.get('queued.max.request.bytes')),
    readBuffers,
    time: platform.time,
    logger,
  })
  const node: Node = { config, platform, logger, connections, bound: [], giveUp: () => {} }
  const givenUp = new Promise<never>((_, reject) => {
    node.giveUp = (why) => reject(new StartupError(why))
  })
  try {
    node.bound = await bindListeners(config, platform, connections)
    node.storage = openStorage(config, platform, logger, readBuffers, failuresOf(node))
    await Promise.race([serve(node, node.storage, policies), givenUp])
    const server = running(node, node.services!, node.storage)
    node.giveUp = (why) => {
      logger.error(`${why}: this node stops`)
      void server.stop()
    }
    return server
  } catch (error) {
    abandon(node)
    throw error instanceof MetadataLogError ? new StartupError(error.message) : error
  }
}

/** What fails is led elsewhere from now on, as soon as the controller has heard of it. */
function failuresOf(node: Node) {
  return {
    onDirectoryFailure: (directory: string) => {
      if (node.storage === undefined) return
      const { metadataLogDir, logDirs } = node.config
      const failed = node.storage.logs.failedDirectories()
      if (directory === metadataLogDir) fail(node, `Log directory ${directory} has failed, where the metadata log is`)
      else if (failed.length === logDirs.length) fail(node, `All log directories have failed: ${failed.join(', ')}`)
      node.lifecycle?.directoryFailed()
    },
    onLogFailure: (topic: string, partition: number) => {
      const { replicas, directories } = node.services ?? {}
      const topicId = replicas?.get(topic, partition)?.topicId
      replicas?.logFailed(topic, partition)
      if (topicId !== undefined) directories?.tell(topicId, [partition])
    },
  }
}

/** A node that cannot go on, and whose partitions others are to lead, stops in order. */
function fail(node: Node, why: string): void {
  if (node.failure !== undefined) return
  node.failure = why
  // It may be stopping already.
  node.lifecycle?.hurry(FAILED_SHUTDOWN_MS)
  node.giveUp(why)
}

function checkSupported(config: BrokerConfig): void {
  const secured = config.listeners.find(({ securityProtocol }) => securityProtocol !== 'PLAINTEXT')
  if (secured !== undefined) {
    throw new StartupError(`Listener ${secured.name} uses ${secured.securityProtocol}, which is not supported yet`)
  }
}

async function bindListeners(config: BrokerConfig, platform: Platform, connections: Connections) {
  const bound: BoundListener[] = []
  for (const { name, host, port } of config.listeners) {
    const kind = config.controllerListeners.some((listener) => listener.name === name) ? 'controller' : 'broker'
    try {
      bound.push(await connections.bind(platform.network, name, kind, host, port))
    } catch (error) {
      const code = diskErrorCode(error)
      if (code === undefined) throw error
      const why = code === 'EADDRINUSE' ? 'the port is in use' : code
      throw new StartupError(`Cannot listen on ${name}://${host}:${port}: ${why}`)
    }
  }
  return bound
}

/** The metadata come first: other controllers need this one to agree on who leads. */
async function serve(node: Node, storage: Storage, policies: Policies): Promise<void> {
  const { config, platform, logger, connections } = node
  const advertise = (endpoints: readonly ConfiguredEndpoint[]) => advertised(endpoints, node.bound, platform)
  const controllerEndpoints = advertise(config.advertisedControllerListeners)
  const endpoints = advertise(config.advertisedListeners)
  const controller = await Controller.open({
    platform,
    logger,
    config,
    clusterId: storage.clusterId,
    directoryId: storage.metadataDirectoryId,
    controllerEndpoints: controllerEndpoints.map(({ listenerName: name, host, port }) => ({ name, host, port })),
    policies,
    onBrokenLog: (why) => fail(node, `The metadata log has failed: ${why}`),
  })
  node.controller = controller
  const services = makeServices(config, platform, logger, controller, storage, endpoints)
  node.services = services
  connections.open('controller', services.serve, paceOf(config, platform, services.quotas))
  if (config.isController) {
    node.registration = new ControllerRegistration({
      nodeId: config.nodeId,
      endPoints: controllerEndpoints.map(registered),
      link: services.controllerLink,
      image: controller.image,
      platform,
      logger,
    })
    if (controller.isActive) await node.registration.done
  }
  if (config.isBroker) await serveAsBroker(node, services, storage, endpoints)
  else await controller.publishTo(publishersOf(services))
}

/**
 * A broker registers, and is fenced until its partitions are as the metadata say; only then is it known to clients, and
 * answers them.
 */
async function serveAsBroker(
  node: Node,
  services: Services,
  storage: Storage,
  endpoints: readonly Endpoint[],
): Promise<void> {
  const { config, platform, connections } = node
  const { controller } = services
  const lifecycle = lifecycleOf(node, services, storage, endpoints.map(registered))
  node.lifecycle = lifecycle
  await lifecycle.register()
  adoptCopies(config, controller, storage)
  await controller.publishTo(publishersOf(services))
  storage.logs.resumeMoves((log) => {
    services.replicas.get(log.topic, log.partition)?.moveTo(log)
    services.directories.tell(log.topicId, [log.partition])
  }, services.replicationQuotas.moves)
  await lifecycle.unfence()
  connections.open('broker', services.serve, paceOf(config, platform, services.quotas))
}

function lifecycleOf(
  node: Node,
  { config, platform, logger, image, controller, controllerLink, nodeId, clusterId }: Services,
  { logs, directoryIds }: Storage,
  endPoints: readonly EndPoint[],
): BrokerLifecycle {
  const idsOf = (paths: readonly string[]) => paths.flatMap((path) => directoryIds.get(path) ?? [])
  return new BrokerLifecycle({
    nodeId,
    clusterId,
    endPoints,
    rack: config.rack,
    directories: [...directoryIds.values()],
    offlineDirectories: () => idsOf(logs.failedDirectories()),
    // What an active controller cannot write nobody else hears of either.
    isStuck: () => controller.quorum.isFailing && !controller.isActive,
    directoryFailureTimeoutMs: config.get('log.dir.failure.timeout.ms'),
    onUntoldDirectory: (failed) => {
      const directory = [...directoryIds].find(([, id]) => id === failed)?.[0]
      fail(node, `No controller could be told in log.dir.failure.timeout.ms that log directory ${directory} has failed`)
    },
    cordonedDirectories: () => idsOf(config.cordonedLogDirs),
    previousBrokerEpoch: logs.previousBrokerEpoch,
    heartbeatIntervalMs: config.get('broker.heartbeat.interval.ms'),
    sessionTimeoutMs: config.get('broker.session.timeout.ms'),
    registrationTimeoutMs: config.get('initial.broker.registration.timeout.ms'),
    link: controllerLink,
    image,
    time: platform.time,
    random: platform.random,
    logger,
  })
}

/** The metadata may have a replica in the directory of a copy whose original is lost. */
function adoptCopies({ nodeId }: BrokerConfig, { image }: Controller, { logs, directoryIds }: Storage): void {
  logs.adoptCopies((topicId, number, directory) => {
    const partition = image.topics.byId(topicId)?.partitions.get(number)
    const directoryId = partition?.directories[partition.replicas.indexOf(nodeId)]
    return directoryId !== undefined && directoryId === directoryIds.get(directory)
  })
}

/** What clients are told: the advertised host, with the port that was really bound where none is fixed. */
function advertised(
  endpoints: readonly ConfiguredEndpoint[],
  bound: readonly BoundListener[],
  platform: Platform,
): Endpoint[] {
  return endpoints.map(({ name, host, port, securityProtocol }) => ({
    listenerName: name,
    securityProtocol,
    host: host === '' ? (platform.hostName ?? 'localhost') : host,
    port: port === 0 ? (bound.find((listener) => listener.name === name)?.port ?? 0) : port,
  }))
}

function registered({ listenerName, securityProtocol, host, port }: Endpoint): EndPoint {
  return { name: listenerName, host, port, securityProtocol: SECURITY_PROTOCOL_IDS[securityProtocol] }
}

function running(node: Node, services: Services, storage: Storage): RunningServer {
  const { platform, logger, bound } = node
  let stopping: Promise<void> | undefined
  let hasHandedOver = false
  let hasStopped: () => void
  const stopped = new Promise<void>((resolve) => {
    hasStopped = resolve
  })
  // An installation that is replaced while the broker runs must not take away what it has not read yet.
  const loading = platform.time.after(LOAD_ALL_AFTER_MS, () => {
    services.apis.loadAll().catch((error) => logger.error(`Not all handlers could be read: ${String(error)}`))
  })
  return {
    clusterId: services.clusterId,
    listeners: bound.map(({ name, host, port }) => ({ name, host, port })),
    stop() {
      loading.cancel()
      stopping ??= stop(node, services, storage, !hasHandedOver).then(() => hasStopped())
      return stopping
    },
    async handOver(timeoutMs) {
      hasHandedOver = true
      if (services.image.brokers.size > 1) await node.lifecycle?.shutDown(timeoutMs)
    },
    stopped,
    get failure() {
      return node.failure
    },
    abandon() {
      loading.cancel()
      abandon(node)
    },
  }
}

async function stop(node: Node, services: Services, storage: Storage, handsOver: boolean): Promise<void> {
  const { connections, lifecycle, registration, config } = node
  const { controller, groups, transactions, shares, replicas, fetchers, controllerLink, brokerLinks } = services
  const mayHandOver = handsOver && hasOthers(services) && config.get('controlled.shutdown.enable')
  if (lifecycle !== undefined && mayHandOver) {
    await lifecycle.shutDown(node.failure === undefined ? CONTROLLED_SHUTDOWN_MS : FAILED_SHUTDOWN_MS)
  }
  // Without connections nothing more would be committed, and whoever waits for that would hold up the end.
  await controller.handOver()
  const closed = connections.close(SHUTDOWN_GRACE_MS)
  lifecycle?.close()
  registration?.close()
  replicas.stopWaiting()
  shares.stopWaiting()
  await transactions.close()
  await shares.close()
  await groups.close()
  await fetchers.close()
  brokerLinks.close()
  controllerLink.close()
  await closed
  await closeMetadata(node, controller)
  await storage.logs.close(lifecycle?.brokerEpoch ?? -1)
  storage.release()
}

/** A disk that fails now must not keep the others from being closed in order. */
async function closeMetadata({ logger }: Node, controller: Controller): Promise<void> {
  try {
    await controller.close()
  } catch (error) {
    if (!(error instanceof MetadataLogError) && diskErrorCode(error) === undefined) throw error
    logger.error(`The metadata log was not closed: ${(error as Error).message}`)
  }
}

/** Whether there is any broker that could take over what this one leads. */
function hasOthers({ image, nodeId }: Services): boolean {
  return [...image.brokers.values()].some(({ id, fenced }) => id !== nodeId && !fenced)
}

function abandon({ connections, storage, controller, services, lifecycle, registration }: Node): void {
  void connections.close(0)
  lifecycle?.close()
  registration?.close()
  services?.controllerLink.close()
  services?.brokerLinks.close()
  void services?.fetchers.close()
  controller?.abandon()
  storage?.logs.abandon()
  storage?.release()
}
