import type { BrokerConfig } from '../config/broker-config.ts'
import type { SecurityProtocol } from '../config/endpoints.ts'
import type { Controller } from '../controller/controller.ts'
import type { GroupCoordinator } from '../coordinator/group-coordinator.ts'
import type { MarkerTarget } from '../coordinator/transactions/markers.ts'
import type { TransactionCoordinator } from '../coordinator/transactions/transaction-coordinator.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/records.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import type { ListenerKind } from '../protocol/api-keys.ts'
import type { InputOf, Message, MessageOf } from '../protocol/schema.ts'
import type { FetcherManager } from '../replication/follower/fetcher-manager.ts'
import type { Quorum } from '../replication/raft/quorum.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'
import type { ServedApis } from './apis.ts'
import type { AutoTopics } from './auto-topics.ts'
import type { BrokerChannels } from './broker-channels.ts'
import type { Serve } from './connection.ts'
import type { ControllerChannel } from './controller-channel.ts'
import type { DirectoryPublisher } from './directory-publisher.ts'
import type { FetchSessionCache } from './fetch-sessions.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { Quotas } from './quotas/quotas.ts'
import type { ReplicationQuotas } from './quotas/replication-quotas.ts'
import type { ReadReplicas } from './read-replicas.ts'
import type { ShareGroups } from './share/share-groups.ts'
import type { StreamsTopics } from './streams-topics.ts'
import type { ClientMetrics } from './telemetry/client-metrics.ts'
import type { TransactionVerifier } from './transaction-verifier.ts'

/** Whom we are talking to; lives as long as the connection. */
export interface ConnectionInfo {
  /** Unique for the life of the process. */
  readonly id: number
  readonly listenerName: string
  readonly listenerKind: ListenerKind
  readonly remoteAddress: string
  readonly remotePort: number
  /** As Kafka prints it, for example `User:ANONYMOUS`. */
  readonly principal: string
  /** By ApiVersions 3+; undefined until the client has said. */
  clientSoftwareName: string | undefined
  clientSoftwareVersion: string | undefined
  /** True once the other side is gone. */
  closed: boolean
  /** Until when no request is started, by the clock that never goes back: the client has used more than its quota. */
  mutedUntilMs: number
  /** Set by a request that waits for something: called if the other side goes away meanwhile. */
  abandon: (() => void) | undefined
  /** Called once, when the connection is gone. */
  ended?: (() => void) | undefined
}

/** What is known of a request besides its body. */
export interface RequestContext {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  readonly connection: ConnectionInfo
  /** Of the clock that never goes back (`Time.monotonicMs`). */
  readonly receivedMs: number
  /** Of the body. */
  readonly sizeBytes: number
  /** How long the client has to pause because of what this request has used of its quotas; 0 for not at all. */
  throttleMs: number
}

/** What handlers work with; made once at start. */
export interface Services {
  readonly apis: ServedApis
  readonly config: BrokerConfig
  readonly clusterId: string
  readonly nodeId: number
  readonly image: MetadataImage
  /** Decides only where it is active. */
  readonly controller: Controller
  /** The way to the controller that is active. */
  readonly controllerLink: ControllerChannel
  readonly autoTopics: AutoTopics
  /** The way to other brokers. */
  readonly brokerLinks: BrokerChannels
  /** Passes a frame to the handler that answers it. */
  readonly serve: Serve
  readonly quorum: Quorum<MetadataRecord>
  readonly replicas: ReplicaManager
  readonly fetchers: FetcherManager
  readonly logs: LogManager
  readonly directories: DirectoryPublisher
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly verifier: TransactionVerifier
  /** For partitions that this broker leads. */
  readonly markers: MarkerTarget
  readonly shares: ShareGroups
  readonly streamsTopics: StreamsTopics
  readonly fetchSessions: FetchSessionCache
  readonly producerIds: ProducerIds
  readonly quotas: Quotas
  readonly replicationQuotas: ReplicationQuotas
  readonly readReplicas: ReadReplicas
  readonly clientMetrics: ClientMetrics
  readonly platform: Platform
  readonly logger: Logger
  /** Where this node's listeners are really bound (a configured port 0 is replaced), in the order of the configuration. */
  readonly endpoints: readonly Endpoint[]
}

/** One listener as clients are told of it. */
export interface Endpoint {
  readonly listenerName: string
  readonly securityProtocol: SecurityProtocol
  readonly host: string
  readonly port: number
}

/** Answered by a handler whose request gets no response at all (Produce with acks=0). */
export const NO_RESPONSE: unique symbol = Symbol('no response')
/** Answered by a handler that wants the connection closed after the responses before it (a failed acks=0). */
export const CLOSE_CONNECTION: unique symbol = Symbol('close the connection')

export type Outcome<R> = R | typeof NO_RESPONSE | typeof CLOSE_CONNECTION

/**
 * How one API is answered. The versions served, and on which listeners, are said in one place: the table in `apis.ts`.
 */
export interface ApiHandler<Q extends Message, R extends Message> {
  readonly request: Q
  readonly response: R
  /**
   * The request is decoded, all fields there; byte fields are slices of the frame, which must not be kept.
   * A rejection with anything but a protocol error is a bug: it is logged, and the client gets what `failed` makes of it.
   */
  handle(
    request: MessageOf<Q>,
    context: RequestContext,
    services: Services,
  ): Outcome<InputOf<R>> | Promise<Outcome<InputOf<R>>>
  /**
   * The response that carries this error code wherever Kafka's `getErrorResponse` puts it; CLOSE_CONNECTION where the API
   * has no place for it.
   */
  failed(request: MessageOf<Q>, errorCode: number, context: RequestContext): InputOf<R> | typeof CLOSE_CONNECTION
}

/** Names a handler; each file of `handlers/` exports one, as `export const handler = defineHandler({ ... })`. */
export function defineHandler<Q extends Message, R extends Message>(handler: ApiHandler<Q, R>): ApiHandler<Q, R> {
  return handler
}
