import type { BrokerConfig } from '../config/broker-config.ts'
import type { Controller } from '../controller/controller.ts'
import { groupCoordinatorConfig } from '../coordinator/group-config.ts'
import { GROUP_TOPIC, GroupCoordinator } from '../coordinator/group-coordinator.ts'
import type { MarkerTarget } from '../coordinator/transactions/markers.ts'
import { transactionConfig } from '../coordinator/transactions/transaction-config.ts'
import { TRANSACTION_TOPIC, TransactionCoordinator } from '../coordinator/transactions/transaction-coordinator.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { ConfigResourceType } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { codecFromId } from '../protocol/records/batch.ts'
import { AlterPartitionChanges } from '../replication/isr-changes.ts'
import { ReplicaManager } from '../replication/replica-manager.ts'
import { ServedApis } from './apis.ts'
import { AutoTopics } from './auto-topics.ts'
import { BrokerChannels } from './broker-channels.ts'
import { ClusterMarkers } from './cluster-markers.ts'
import type { Serve } from './connection.ts'
import { limitsOf } from './connection-limits.ts'
import { ControllerChannel } from './controller-channel.ts'
import { DirectoryPublisher } from './directory-publisher.ts'
import { Dispatcher } from './dispatch.ts'
import { FetchSessionCache } from './fetch-sessions.ts'
import { makeFetchers } from './fetchers.ts'
import type { ConnectionPace } from './listener.ts'
import { logConfigOf } from './log-config.ts'
import { LocalMarkers } from './marker-target.ts'
import { ProducerIds } from './producer-ids.ts'
import { topicConfigOf } from './publishers.ts'
import { ConnectionRates } from './quotas/connection-rates.ts'
import { Quotas } from './quotas/quotas.ts'
import { ReplicationQuotas } from './quotas/replication-quotas.ts'
import type { RateWindows } from './quotas/windowed-rate.ts'
import { ReadReplicas } from './read-replicas.ts'
import { ReplicaLog } from './replica-log.ts'
import { ShareGroups } from './share/share-groups.ts'
import type { Storage } from './storage.ts'
import { StreamsTopics } from './streams-topics.ts'
import { ClientMetrics } from './telemetry/client-metrics.ts'
import { TransactionQuestions } from './transaction-questions.ts'
import { TransactionVerifier } from './transaction-verifier.ts'
import type { Endpoint, Services } from './types.ts'

const MS_PER_SECOND = 1000

/** What the parts of a node are made of. */
interface Ground {
  readonly config: BrokerConfig
  readonly platform: Platform
  readonly logger: Logger
  readonly controller: Controller
  readonly storage: Storage
  readonly link: ControllerChannel
  /** -1 while this broker is not registered. */
  readonly brokerEpoch: () => number
}

/** Makes all that handlers work with, and what passes requests to them. */
export function makeServices(
  config: BrokerConfig,
  platform: Platform,
  logger: Logger,
  controller: Controller,
  storage: Storage,
  endpoints: readonly Endpoint[],
): Services {
  const { nodeId } = config
  const { image } = controller
  const serve: Serve = (frame, connection, receivedMs) => dispatcher.serve(frame, connection, receivedMs)
  const link = controllerChannel(config, platform, controller, serve)
  const brokerEpoch = () => image.brokers.get(nodeId)?.epoch ?? -1
  const ground: Ground = { config, platform, logger, controller, storage, link, brokerEpoch }
  const replication = makeReplication(ground)
  const autoTopics = new AutoTopics({ link, config, image, time: platform.time })
  const brokerLinks = new BrokerChannels(config, platform, image)
  const services: Services = {
    ...{ config, platform, logger, endpoints, nodeId, image, controller, serve, autoTopics, brokerLinks },
    ...replication,
    ...makeCoordinators(ground, replication.replicas, autoTopics, brokerLinks),
    apis: new ServedApis(),
    clusterId: storage.clusterId,
    controllerLink: link,
    quorum: controller.quorum,
    logs: storage.logs,
    streamsTopics: new StreamsTopics(autoTopics, platform.time, logger),
    fetchSessions: new FetchSessionCache(
      config.get('max.incremental.fetch.session.cache.slots'),
      platform.time,
      platform.random,
    ),
    quotas: makeQuotas(config, platform, image),
    readReplicas: new ReadReplicas(config, image),
    clientMetrics: new ClientMetrics({ image, platform, maxBytes: config.get('telemetry.max.bytes') }),
  }
  const dispatcher = new Dispatcher(services.apis, services)
  return services
}

type Replication = Pick<Services, 'replicas' | 'fetchers' | 'replicationQuotas' | 'directories'>

/** The replicas of this broker, and what the controller and other brokers have to do with them. */
function makeReplication({ config, platform, logger, controller, storage, link, brokerEpoch }: Ground): Replication {
  const { nodeId } = config
  const { image } = controller
  const { logs, directoryIds } = storage
  const { time } = platform
  const replicationQuotas = new ReplicationQuotas(nodeId, image, time, replicationWindows(config), moveWindows(config))
  const fetchers = makeFetchers(config, platform, logger, image, brokerEpoch, replicationQuotas.follower)
  const directories = new DirectoryPublisher({ nodeId, image, link, logs, directoryIds, time, logger })
  const replicas = new ReplicaManager({
    nodeId,
    logs,
    time,
    logger,
    configOf: (topic) => {
      const settings = topicConfigOf(topic, config, image, logger)
      return { log: logConfigOf(settings), minInsyncReplicas: settings.minInsyncReplicas }
    },
    mustVerifyTransactions: () => config.get('transaction.partition.verification.enable'),
    followers: fetchers,
    isrChanges: new AlterPartitionChanges({ nodeId, brokerEpoch, controller: link, time, logger }),
    brokers: image.brokers,
    maxLagMs: () => config.get('replica.lag.time.max.ms'),
    onServed: (topicId, partition, isServed) => {
      if (isServed) directories.tell(topicId, [partition])
      else directories.tellLost(topicId, partition)
    },
  })
  return { replicas, fetchers, replicationQuotas, directories }
}

type Coordinators = Pick<Services, 'groups' | 'transactions' | 'shares' | 'verifier' | 'markers' | 'producerIds'>

/** The coordinators, and what they need of partitions that are led here or elsewhere. */
function makeCoordinators(
  { config, platform, logger, controller, link, brokerEpoch }: Ground,
  replicas: ReplicaManager,
  autoTopics: AutoTopics,
  links: BrokerChannels,
): Coordinators {
  const { nodeId } = config
  const { image } = controller
  const { time } = platform
  const groups = makeGroups(config, platform, logger, image, replicas)
  // Half of what whoever sends them from another broker waits for.
  const markerTimeoutMs = () => config.get('request.timeout.ms') / 2
  const markers = new LocalMarkers(replicas, groups, image, time, markerTimeoutMs)
  const markersAnywhere = new ClusterMarkers({ nodeId, local: markers, links: links.markers, image, time })
  const producerIds = new ProducerIds({ link, nodeId, brokerEpoch })
  const transactions = makeTransactions(config, platform, logger, controller, replicas, markersAnywhere, producerIds)
  const verifier = new TransactionVerifier({
    nodeId,
    transactions,
    questions: new TransactionQuestions(links.questions, time),
    image,
    mustVerify: () => config.get('transaction.partition.verification.enable'),
  })
  const shares = new ShareGroups(config, platform, logger, image, replicas, autoTopics, links.shareState)
  return { groups, transactions, shares, verifier, markers, producerIds }
}

function makeGroups(
  config: BrokerConfig,
  platform: Platform,
  logger: Logger,
  image: MetadataImage,
  replicas: ReplicaManager,
): GroupCoordinator {
  return new GroupCoordinator({
    log: new ReplicaLog(replicas, GROUP_TOPIC, config.get('offsets.load.buffer.size')),
    config: groupCoordinatorConfig(config, (groupId) => image.configs.of(ConfigResourceType.group, groupId)),
    codec: codecFromId(config.get('offsets.topic.compression.codec')),
    image,
    partitionCount: () =>
      image.topics.byName(GROUP_TOPIC)?.partitions.size ?? config.get('offsets.topic.num.partitions'),
    platform,
    logger,
  })
}

/** How the broker side of a node reaches the active controller. */
function controllerChannel(
  config: BrokerConfig,
  { network, time }: Platform,
  controller: Controller,
  serve: Serve,
): ControllerChannel {
  const link = new ControllerChannel({
    network,
    time,
    clientId: `controller-link-${config.nodeId}`,
    listenerName: config.controllerListenerNames[0]!,
    requestTimeoutMs: config.get('controller.socket.timeout.ms'),
    maxResponseBytes: config.get('socket.request.max.bytes'),
    leader: () => controller.quorum.leader,
    misfit: () => controller.quorum.misfit,
    isHere: () => controller.isActive,
    serve,
  })
  controller.onLeaderChange = () => link.leaderChanged()
  return link
}

/** How new connections are let in. */
export function paceOf(config: BrokerConfig, { time }: Platform, quotas: Quotas): ConnectionPace {
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

function replicationWindows(config: BrokerConfig): RateWindows {
  return {
    count: config.get('replication.quota.window.num'),
    windowMs: config.get('replication.quota.window.size.seconds') * MS_PER_SECOND,
  }
}

function moveWindows(config: BrokerConfig): RateWindows {
  return {
    count: config.get('alter.log.dirs.replication.quota.window.num'),
    windowMs: config.get('alter.log.dirs.replication.quota.window.size.seconds') * MS_PER_SECOND,
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
  markers: MarkerTarget,
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
