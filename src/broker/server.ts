import type { BrokerConfig } from '../config/broker-config.ts'
import type { Endpoint as ConfiguredEndpoint, SecurityProtocol } from '../config/endpoints.ts'
import { StartupError } from '../config/startup-error.ts'
import { Controller } from '../controller/controller.ts'
import type { Policies } from '../controller/policies.ts'
import { groupCoordinatorConfig } from '../coordinator/group-config.ts'
import { GROUP_TOPIC, GroupCoordinator } from '../coordinator/group-coordinator.ts'
import { GroupPublisher } from '../coordinator/group-publisher.ts'
import { SharePublisher } from '../coordinator/share/share-publisher.ts'
import { transactionConfig } from '../coordinator/transactions/transaction-config.ts'
import { TRANSACTION_TOPIC, TransactionCoordinator } from '../coordinator/transactions/transaction-coordinator.ts'
import { TransactionPublisher } from '../coordinator/transactions/transaction-publisher.ts'
import { ReadBuffers } from '../log/read-buffers.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { ConfigResourceType } from '../metadata/types.ts'
import { diskErrorCode } from '../platform/disk.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { codecFromId } from '../protocol/records/batch.ts'
import { MetadataLogError } from '../replication/raft/types.ts'
import { ReplicaManager } from '../replication/replica-manager.ts'
import { ServedApis } from './apis.ts'
import { limitsOf } from './connection-limits.ts'
import { DirectoryPublisher } from './directory-publisher.ts'
import { Dispatcher } from './dispatch.ts'
import { FetchSessionCache } from './fetch-sessions.ts'
import { type BoundListener, type ConnectionPace, Connections } from './listener.ts'
import { loadPolicies } from './load-policies.ts'
import { logConfigOf } from './log-config.ts'
import { LocalMarkers } from './marker-target.ts'
import { ProducerIds } from './producer-ids.ts'
import { ConfigPublisher, ReplicaPublisher, topicConfigOf } from './publishers.ts'
import { ConnectionRates } from './quotas/connection-rates.ts'
import { Quotas } from './quotas/quotas.ts'
import type { RateWindows } from './quotas/windowed-rate.ts'
import { ReplicaLog } from './replica-log.ts'
import { RequestMemory } from './request-memory.ts'
import { ShareGroups } from './share/share-groups.ts'
import { openStorage, type Storage } from './storage.ts'
import { StreamsTopics } from './streams-topics.ts'
import { ClientMetrics } from './telemetry/client-metrics.ts'
import { TransactionVerifier } from './transaction-verifier.ts'
import type { Endpoint, Services } from './types.ts'

/** How long requests under way may take once the broker shuts down. */
const SHUTDOWN_GRACE_MS = 5000
const MS_PER_SECOND = 1000

/** How long after its start a broker reads the handlers that nobody has asked for. */
const LOAD_ALL_AFTER_MS = 1000

/** The numbers of security protocols in registrations. */
const SECURITY_PROTOCOL_IDS: Readonly<Record<SecurityProtocol, number>> = {
  PLAINTEXT: 0,
  SSL: 1,
  SASL_PLAINTEXT: 2,
  SASL_SSL: 3,
}

/** A broker that serves. */
export interface RunningServer {
  readonly clusterId: string
  /** Where it is really bound, in the order of the configuration. */
  readonly listeners: readonly { readonly name: string; readonly host: string; readonly port: number }[]
  /** Clean shutdown: requests under way are finished, everything is on disk. Safe to call again. */
  stop(): Promise<void>
  /** Resolves once it has stopped. */
  readonly stopped: Promise<void>
  /** Ends as a crash would, without writing anything more; for tests. */
  abandon(): void
}

/**
 * Starts a node that is broker and controller and alone in its quorum. The ports are taken before any data is touched;
 * resolves when requests are served. Rejects with StartupError, in one line, for what the operator has to put right.
 */
export async function startServer(config: BrokerConfig, platform: Platform, logger: Logger): Promise<RunningServer> {
  checkSupported(config)
  const policies = await loadPolicies(config, platform)
  const memory = new RequestMemory(config.get('queued.max.request.bytes'))
  const readBuffers = new ReadBuffers()
  const connections = new Connections({
    limits: () => limitsOf(config),
    maxRequestBytes: config.get('socket.request.max.bytes'),
    memory,
    readBuffers,
    time: platform.time,
    logger,
  })
  let storage: Storage | undefined
  try {
    const bound = await bindListeners(config, platform, connections)
    storage = openStorage(config, platform, logger, readBuffers)
    return await serve(config, platform, logger, connections, bound, storage, policies)
  } catch (error) {
    await connections.close(0)
    storage?.logs.abandon()
    storage?.release()
    throw error instanceof MetadataLogError ? new StartupError(error.message) : error
  }
}

function checkSupported(config: BrokerConfig): void {
  if (!config.isBroker || !config.isController) {
    throw new StartupError('process.roles must be broker,controller: a node of one role alone is not supported yet')
  }
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

async function serve(
  config: BrokerConfig,
  platform: Platform,
  logger: Logger,
  connections: Connections,
  bound: readonly BoundListener[],
  storage: Storage,
  policies: Policies,
): Promise<RunningServer> {
  const advertise = (endpoints: readonly ConfiguredEndpoint[]) => advertised(endpoints, bound, platform)
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
  })
  const services = makeServices(config, platform, logger, controller, storage, endpoints)
  await controller.register({
    endPoints: endpoints.map(registered),
    controllerEndPoints: controllerEndpoints.map(registered),
    rack: config.rack,
    directories: [...storage.directoryIds.values()],
  })
  adoptCopies(config, controller, storage)
  await controller.publishTo([
    new ConfigPublisher(config, controller.image, logger),
    services.quotas,
    services.clientMetrics,
    new ReplicaPublisher(services.replicas, controller.image),
    services.directories,
    new GroupPublisher(config.nodeId, controller.image, services.groups),
    new TransactionPublisher(config.nodeId, controller.image, services.transactions),
    services.shares,
    new SharePublisher(config.nodeId, controller.image, services.shares.coordinator),
  ])
  storage.logs.resumeMoves((log) => {
    services.replicas.get(log.topic, log.partition)?.moveTo(log)
    services.directories.tell(log.topicId, [log.partition])
  })
  connections.open(new Dispatcher(services.apis, services).serve, paceOf(config, platform, services.quotas))
  return running(services, connections, bound, storage)
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

function registered({ listenerName, securityProtocol, host, port }: Endpoint) {
  return { name: listenerName, host, port, securityProtocol: SECURITY_PROTOCOL_IDS[securityProtocol] }
}

function makeServices(
  config: BrokerConfig,
  platform: Platform,
  logger: Logger,
  controller: Controller,
  storage: Storage,
  endpoints: readonly Endpoint[],
): Services {
  const { image } = controller
  const replicas = new ReplicaManager({
    nodeId: config.nodeId,
    logs: storage.logs,
    time: platform.time,
    logger,
    configOf: (topic) => {
      const settings = topicConfigOf(topic, config, image, logger)
      return { log: logConfigOf(settings), minInsyncReplicas: settings.minInsyncReplicas }
    },
    mustVerifyTransactions: () => config.get('transaction.partition.verification.enable'),
  })
  const groups = new GroupCoordinator({
    log: new ReplicaLog(replicas, GROUP_TOPIC, config.get('offsets.load.buffer.size')),
    config: groupCoordinatorConfig(config, (groupId) => image.configs.of(ConfigResourceType.group, groupId)),
    codec: codecFromId(config.get('offsets.topic.compression.codec')),
    image,
    partitionCount: () =>
      image.topics.byName(GROUP_TOPIC)?.partitions.size ?? config.get('offsets.topic.num.partitions'),
    platform,
    logger,
  })
  const markers = new LocalMarkers(replicas, groups, image, platform.time)
  const producerIds = new ProducerIds(controller)
  const transactions = makeTransactions(config, platform, logger, controller, replicas, markers, producerIds)
  const sessionSlots = config.get('max.incremental.fetch.session.cache.slots')
  return {
    apis: new ServedApis(),
    config,
    clusterId: storage.clusterId,
    nodeId: config.nodeId,
    image,
    controller,
    quorum: controller.quorum,
    replicas,
    logs: storage.logs,
    directories: new DirectoryPublisher({
      controller,
      logs: storage.logs,
      directoryIds: storage.directoryIds,
      logger,
    }),
    groups,
    transactions,
    shares: new ShareGroups(config, platform, logger, controller, replicas),
    streamsTopics: new StreamsTopics(controller, platform.time, logger),
    verifier: new TransactionVerifier(transactions, config),
    markers,
    fetchSessions: new FetchSessionCache(sessionSlots, platform.time, platform.random),
    producerIds,
    quotas: makeQuotas(config, platform, image),
    clientMetrics: new ClientMetrics({ image, platform, maxBytes: config.get('telemetry.max.bytes') }),
    platform,
    logger,
    endpoints,
  }
}

function paceOf(config: BrokerConfig, { time }: Platform, quotas: Quotas): ConnectionPace {
  const rates = new ConnectionRates({
    time,
    windows: quotaWindows(config),
    bound: () => config.get('max.connection.creation.rate'),
    boundOf: (listener) => config.forListener(listener, 'max.connection.creation.rate'),
    protectedListener: limitsOf(config).protectedListener,
  })
  return {
    delayMs: (listener) => rates.record(listener),
    pauseMs: (address, listener) => {
      const pauseMs = quotas.connectionPauseMs(address)
      if (pauseMs > 0) rates.takeBack(listener)
      return pauseMs
    },
  }
}

function quotaWindows(config: BrokerConfig): RateWindows {
  return {
    count: config.get('quota.window.num'),
    windowMs: config.get('quota.window.size.seconds') * MS_PER_SECOND,
  }
}

function makeQuotas(config: BrokerConfig, { time }: Platform, image: MetadataImage): Quotas {
  return new Quotas({
    image,
    time,
    windows: quotaWindows(config),
    controllerWindows: {
      count: config.get('controller.quota.window.num'),
      windowMs: config.get('controller.quota.window.size.seconds') * MS_PER_SECOND,
    },
  })
}

function makeTransactions(
  config: BrokerConfig,
  platform: Platform,
  logger: Logger,
  { image }: Controller,
  replicas: ReplicaManager,
  markers: LocalMarkers,
  producerIds: ProducerIds,
): TransactionCoordinator {
  return new TransactionCoordinator({
    log: new ReplicaLog(replicas, TRANSACTION_TOPIC, config.get('transaction.state.log.load.buffer.size')),
    config: transactionConfig(config),
    partitionCount: () =>
      image.topics.byName(TRANSACTION_TOPIC)?.partitions.size ?? config.get('transaction.state.log.num.partitions'),
    transactionVersion: () => image.featureLevel('transaction.version'),
    producerIds,
    markers,
    platform,
    logger,
  })
}

function running(
  services: Services,
  connections: Connections,
  bound: readonly BoundListener[],
  storage: Storage,
): RunningServer {
  const { controller, groups, transactions, shares, replicas, image, nodeId, clusterId } = services
  let stopping: Promise<void> | undefined
  let hasStopped: () => void
  const stopped = new Promise<void>((resolve) => {
    hasStopped = resolve
  })
  // An installation that is replaced while the broker runs must not take away what it has not read yet.
  const loading = services.platform.time.after(LOAD_ALL_AFTER_MS, () => {
    services.apis.loadAll().catch((error) => services.logger.error(`Not all handlers could be read: ${String(error)}`))
  })
  const stop = async () => {
    loading.cancel()
    const closed = connections.close(SHUTDOWN_GRACE_MS)
    replicas.stopWaiting()
    shares.stopWaiting()
    await transactions.close()
    await shares.close()
    await groups.close()
    await closed
    await controller.close()
    await storage.logs.close(image.brokers.get(nodeId)?.epoch ?? -1)
    storage.release()
    hasStopped()
  }
  return {
    clusterId,
    listeners: bound.map(({ name, host, port }) => ({ name, host, port })),
    stop() {
      stopping ??= stop()
      return stopping
    },
    stopped,
    abandon() {
      loading.cancel()
      void connections.close(0)
      storage.logs.abandon()
      storage.release()
    },
  }
}
