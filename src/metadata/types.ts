/** One partition as the metadata log has it. Replaced, never changed in place: whoever holds one holds a moment's view. */
export interface PartitionImage {
  readonly topicId: string
  readonly partition: number
  /** Broker ids; the first is the preferred leader. */
  readonly replicas: readonly number[]
  /** The log directory id of each replica, in the order of `replicas`. */
  readonly directories: readonly string[]
  readonly isr: readonly number[]
  readonly removingReplicas: readonly number[]
  readonly addingReplicas: readonly number[]
  readonly elr: readonly number[]
  readonly lastKnownElr: readonly number[]
  /** Broker id, or -1 for none. */
  readonly leader: number
  /** 0 recovered, 1 recovering. */
  readonly leaderRecoveryState: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
}

export interface TopicImage {
  readonly name: string
  readonly id: string
  /** By partition number. */
  readonly partitions: ReadonlyMap<number, PartitionImage>
}

export interface EndPoint {
  /** Listener name. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
  readonly securityProtocol: number
}

export interface SupportedFeature {
  readonly name: string
  readonly minSupportedVersion: number
  readonly maxSupportedVersion: number
}

export interface BrokerImage {
  readonly id: number
  readonly epoch: number
  readonly incarnationId: string
  readonly endPoints: readonly EndPoint[]
  readonly features: readonly SupportedFeature[]
  readonly rack: string | null
  readonly fenced: boolean
  readonly inControlledShutdown: boolean
  readonly isMigratingZkBroker: boolean
  /** Ids of the log directories that are online. */
  readonly directories: readonly string[]
  /** Ids of directories that take no new replicas (KIP-1066); null when the broker has said nothing about it. */
  readonly cordonedDirectories: readonly string[] | null
}

/** The quotas of one combination of user, client id or address. */
export interface QuotaEntityImage {
  readonly entity: readonly { readonly entityType: string; readonly entityName: string | null }[]
  readonly values: ReadonlyMap<string, number>
}

export interface ControllerImage {
  readonly id: number
  readonly incarnationId: string
  readonly zkMigrationReady: boolean
  readonly endPoints: readonly EndPoint[]
  readonly features: readonly SupportedFeature[]
}

/** The numbers by which requests and records name the kinds of configured things. */
export const ConfigResourceType = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const
export type ConfigResourceType = (typeof ConfigResourceType)[keyof typeof ConfigResourceType]

/** `name` is empty for the default of all brokers. */
export interface ConfigResource {
  readonly type: number
  readonly name: string
}

/** What a run of committed records changed. Complete when the publisher gets it; not changed afterwards. */
export interface MetadataDelta {
  /** True for the first one, after loading: everything there is counts as created. */
  readonly isInitial: boolean
  /** By topic id. A topic both made and removed within the run is in neither. */
  readonly topicsCreated: ReadonlyMap<string, TopicImage>
  readonly topicsDeleted: ReadonlyMap<string, TopicImage>
  /** New or changed partitions by topic id, those of created topics included; the image has their state. */
  readonly partitionsChanged: ReadonlyMap<string, ReadonlySet<number>>
  readonly configsChanged: readonly ConfigResource[]
  readonly brokersChanged: ReadonlySet<number>
  readonly featuresChanged: boolean
  readonly clientQuotasChanged: boolean
  readonly producerIdsChanged: boolean
}

/**
 * Hears of every change after it is in the image. What it does before it returns is done before any request sees the
 * change; what it promises is awaited before the change is acknowledged to whoever asked for it.
 */
export interface MetadataPublisher {
  /**
   * Whether those after it hear of a change only when this one's promise is kept, and everybody of later changes, too. By
   * then the image may be past the change, and several later ones may come as one.
   */
  readonly isAwaited?: boolean
  onMetadataChange(delta: MetadataDelta): void | Promise<void>
}
