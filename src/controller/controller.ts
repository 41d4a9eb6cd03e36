import type { BrokerConfig } from '../config/broker-config.ts'
import { bootstrapFeatureLevels } from '../metadata/features.ts'
import { MetadataImage } from '../metadata/image.ts'
import { MetadataLoader } from '../metadata/loader.ts'
import { decodeMetadataRecord, encodeMetadataRecord, type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { snapshotRecords } from '../metadata/snapshot-records.ts'
import type { MetadataPublisher } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { randomUuid } from '../platform/random.ts'
import { errors } from '../protocol/errors.ts'
import type { AlterClientQuotasRequest, AlterClientQuotasResponse } from '../protocol/messages/alter-client-quotas.ts'
import type { AlterConfigsRequest } from '../protocol/messages/alter-configs.ts'
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../protocol/messages/alter-partition-reassignments.ts'
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '../protocol/messages/create-partitions.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts'
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/messages/delete-topics.ts'
import type { ElectLeadersRequest, ElectLeadersResponse } from '../protocol/messages/elect-leaders.ts'
import type { IncrementalAlterConfigsRequest } from '../protocol/messages/incremental-alter-configs.ts'
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/messages/update-features.ts'
import { RecordCursor } from '../protocol/records/cursor.ts'
import { MAX_UNCOMPRESSED_BYTES } from '../replication/raft/batches.ts'
import { type LeadershipListener, NotLeaderError, Quorum } from '../replication/raft/quorum.ts'
import { readSnapshot } from '../replication/raft/snapshot-file.ts'
import { MetadataLogError, type VoterEndpoint } from '../replication/raft/types.ts'
import { alterConfigs, incrementalAlterConfigs, type ResourceResult } from './alter-configs.ts'
import { type DirectoryAssignment, directoryRecords } from './assign-directories.ts'
import { autoTopic } from './auto-topics.ts'
import { createPartitions, deleteTopics } from './change-topics.ts'
import { alterClientQuotas } from './client-quotas.ts'
import { createTopics } from './create-topics.ts'
import { electLeaders } from './elect-leaders.ts'
import type { Policies } from './policies.ts'
import { quorumOptions } from './quorum-options.ts'
import { alterReassignments } from './reassignments.ts'
import { activationRecords, leadershipRecords, type NodeRegistration, registrationRecords } from './registration.ts'
import {
  type Decision,
  type DecisionContext,
  MAX_RECORDS_PER_REQUEST,
  type MutationQuota,
  type Outcome,
} from './result.ts'
import { unregisterRecords } from './unregister-broker.ts'
import { updateFeatures } from './update-features.ts'

/** Producer ids that are this broker's alone. */
export interface ProducerIdBlock {
  readonly firstProducerId: number
  readonly size: number
}

/** What became of one topic that was to be made because somebody asked for it. errorCode 0: it is there now. */
export interface AutoCreation extends Outcome {
  readonly name: string
}

export interface ControllerOptions {
  readonly platform: Platform
  readonly logger: Logger
  readonly config: BrokerConfig
  readonly clusterId: string
  /** directory.id of the metadata log's directory. */
  readonly directoryId: string
  /** Where other controllers would reach this one. */
  readonly controllerEndpoints: readonly VoterEndpoint[]
  readonly policies?: Policies
}

const PRODUCER_ID_BLOCK_SIZE = 1000
const BOOTSTRAP_FILE = 'bootstrap.checkpoint'

/**
 * Decides over topics, configs and features, and writes what it decided to the metadata log. The promise of every
 * operation resolves when its records are on stable storage, in the image, and applied by the publishers: whoever has the
 * answer finds the thing. It rejects with Refusal where the request is refused as a whole, and with MetadataLogError
 * when the log cannot be written.
 */
export class Controller {
  readonly image: MetadataImage
  readonly #options: ControllerOptions
  readonly #loader: MetadataLoader
  #quorum: Quorum<MetadataRecord> | undefined
  /** The state with everything decided, also what is still on its way to the disk; undefined while another decides. */
  #head: MetadataImage | undefined
  #lastAppend: Promise<unknown> = Promise.resolve()
  /** The epoch in which this node leads the quorum; undefined where it does not. */
  #leaderEpoch: number | undefined
  #onActivation: ((error?: Error) => void) | undefined
  /** Called when another node leads the quorum than before, or none. */
  onLeaderChange: () => void = () => {}

  private constructor(options: ControllerOptions) {
    this.#options = options
    this.#loader = new MetadataLoader(options.logger)
    this.image = this.#loader.image
    this.#loader.onAborted = () => this.#resetHead()
  }

  /**
   * Loads the metadata log and takes part in its quorum. One that is alone in it leads it when this resolves; it has
   * written the first records then, where the directory is new. Rejects with MetadataLogError.
   */
  static async open(options: ControllerOptions): Promise<Controller> {
    const controller = new Controller(options)
    const activation = new Promise<void>((resolve, reject) => {
      controller.#onActivation = (error) => (error === undefined ? resolve() : reject(error))
    })
    const serde = { encode: encodeMetadataRecord, decode: decodeMetadataRecord }
    const quorum = Quorum.open(quorumOptions(options), serde, controller.#listener())
    controller.#quorum = quorum
    if (quorum.voters.isOnly({ id: options.config.nodeId, directoryId: options.directoryId })) await activation
    else controller.#onActivation = undefined
    return controller
  }

  get quorum(): Quorum<MetadataRecord> {
    return this.#quorum!
  }

  /** Whether this node decides. */
  get isActive(): boolean {
    return this.#head !== undefined
  }

  #listener(): LeadershipListener<MetadataRecord> {
    const loader = this.#loader
    return {
      onSnapshotLoad: () => loader.onSnapshotLoad(),
      onCommit: (records, position) => loader.onCommit(records, position),
      onAbort: () => {
        loader.onAbort()
        this.#onActivation?.(new MetadataLogError('the metadata log cannot be written'))
      },
      snapshotRecords: () => loader.snapshotRecords(),
      onLeaderChange: (leaderId, epoch) => {
        this.#head = undefined
        this.#leaderEpoch = leaderId === this.#options.config.nodeId ? epoch : undefined
        if (this.#leaderEpoch !== undefined) this.#activate(epoch)
        this.onLeaderChange()
      },
    }
  }

  /** This node leads, and has everything that was decided before. It decides once its first records are committed. */
  #activate(epoch: number): void {
    const { image, inTransaction } = this.#loader
    const minIsr = this.#options.config.get('min.insync.replicas')
    const first = activationRecords(image, inTransaction, readBootstrap(this.#options), minIsr)
    const activated = first.length === 0 ? Promise.resolve(0) : this.quorum.append(first)
    activated.then(
      () => {
        if (this.#leaderEpoch !== epoch) return
        this.#head = new MetadataImage()
        this.#resetHead()
        this.#onActivation?.()
      },
      (error) => this.#onActivation?.(error),
    )
  }

  #append(records: readonly MetadataRecord[]): Promise<unknown> {
    this.#lastAppend = this.quorum.append(records)
    for (const record of records) this.#head!.replay(record)
    this.#head!.takeDelta()
    return this.#lastAppend
  }

  /**
   * Registers this node with what it listens on, and takes the lead of its partitions. To be called once, when the
   * listeners are bound, before `publishTo`.
   */
  async register(node: NodeRegistration): Promise<void> {
    const { config, platform } = this.#options
    const incarnationId = randomUuid(platform.random)
    const writes = [
      this.#run(({ head, nodeId }) => ({
        records: registrationRecords(head, nodeId, incarnationId, node, this.quorum.nextOffset),
        response: undefined,
      })),
    ]
    const leadership = leadershipRecords(this.#active(), config.nodeId)
    for (let from = 0; from < leadership.length; from += MAX_RECORDS_PER_REQUEST) {
      const records = leadership.slice(from, from + MAX_RECORDS_PER_REQUEST)
      writes.push(this.#run(() => ({ records, response: undefined })))
    }
    await Promise.all(writes)
  }

  /** Tells the publishers, in this order, of all there is, then of every change. Resolves when they have applied it. */
  publishTo(publishers: readonly MetadataPublisher[]): Promise<void> {
    return this.#loader.startPublishing(publishers)
  }

  /** `mutations` limits how many partitions are made; likewise below. */
  createTopics(request: CreateTopicsRequest, mutations?: MutationQuota): Promise<CreateTopicsResponse> {
    return this.#run((context) => createTopics(context, request), mutations)
  }

  /** Up to version 2 a request is refused with another error where topics cannot be deleted. */
  deleteTopics(
    request: DeleteTopicsRequest,
    version: number,
    mutations?: MutationQuota,
  ): Promise<DeleteTopicsResponse> {
    return this.#run((context) => deleteTopics(context, request, version), mutations)
  }

  createPartitions(request: CreatePartitionsRequest, mutations?: MutationQuota): Promise<CreatePartitionsResponse> {
    return this.#run((context) => createPartitions(context, request), mutations)
  }

  /** `kind`: the listener that the request came in by. */
  alterConfigs(request: AlterConfigsRequest, kind: 'broker' | 'controller'): Promise<ResourceResult[]> {
    return this.#run((context) => alterConfigs(context, request, kind))
  }

  /** `kind`: the listener that the request came in by. */
  incrementalAlterConfigs(
    request: IncrementalAlterConfigsRequest,
    kind: 'broker' | 'controller',
  ): Promise<ResourceResult[]> {
    return this.#run((context) => incrementalAlterConfigs(context, request, kind))
  }

  /** Up to version 1 the response has a result for each feature. */
  updateFeatures(request: UpdateFeaturesRequest, version: number): Promise<UpdateFeaturesResponse> {
    return this.#run((context) => updateFeatures(context, request, version, this.quorum.kraftVersion))
  }

  electLeaders(request: ElectLeadersRequest): Promise<ElectLeadersResponse> {
    return this.#run((context) => electLeaders(context, request))
  }

  alterPartitionReassignments(
    request: AlterPartitionReassignmentsRequest,
  ): Promise<AlterPartitionReassignmentsResponse> {
    return this.#run((context) => alterReassignments(context, request))
  }

  alterClientQuotas(request: AlterClientQuotasRequest): Promise<AlterClientQuotasResponse> {
    return this.#run((context) => alterClientQuotas(context, request))
  }

  /** Writes down in which of its directories this node has replicas, where that is news. */
  assignDirectories(assignments: readonly DirectoryAssignment[]): Promise<void> {
    return this.#run((context) => ({ records: directoryRecords(context, assignments), response: undefined }))
  }

  /** Rejects with Refusal for a broker that is not registered. */
  unregisterBroker(brokerId: number): Promise<void> {
    return this.#run((context) => ({
      records: unregisterRecords(context, brokerId, this.quorum.nextOffset),
      response: undefined,
    }))
  }

  allocateProducerIds(): Promise<ProducerIdBlock> {
    return this.#run(({ head, nodeId }) => {
      const firstProducerId = Math.max(0, head.nextProducerId)
      const nextProducerId = firstProducerId + PRODUCER_ID_BLOCK_SIZE
      const brokerEpoch = head.brokers.get(nodeId)?.epoch ?? -1
      return {
        records: [metadataRecord('ProducerIds', { brokerId: nodeId, brokerEpoch, nextProducerId })],
        response: { firstProducerId, size: PRODUCER_ID_BLOCK_SIZE },
      }
    })
  }

  /**
   * Makes what is missing of `names`: internal topics (__consumer_offsets, __transaction_state, __share_group_state) with
   * their own settings, others with the broker's defaults. One answer a name, in order; a name must not come twice.
   */
  async autoCreateTopics(names: readonly string[]): Promise<AutoCreation[]> {
    const { config } = this.#options
    const topics = names.map((name) => autoTopic(name, config))
    const response = await this.createTopics({ topics, timeoutMs: 0, validateOnly: false })
    const results = new Map(response.topics.map((result) => [result.name, result]))
    return names.map((name) => {
      const { errorCode, errorMessage } = results.get(name)!
      // Somebody else was faster. The answer has waited for that creation too.
      if (errorCode === errors.TOPIC_ALREADY_EXISTS.code) return { name, errorCode: 0, errorMessage: null }
      return { name, errorCode, errorMessage }
    })
  }

  /** Ends as a crash would: nothing more is written or sent. */
  abandon(): void {
    this.#quorum?.abandon()
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    return this.quorum.close()
  }

  async #run<T>(decide: (context: DecisionContext) => Decision<T>, mutations?: MutationQuota): Promise<T> {
    const { config, platform, logger, policies } = this.#options
    const { random } = platform
    const context = { head: this.#active(), config, nodeId: config.nodeId, random, logger, policies, mutations }
    const { records, response } = decide(context)
    if (records.length > 0) this.#append(records)
    // Without records of its own, the answer may still rest on decisions that are not committed yet.
    await this.#lastAppend
    await this.#loader.applied()
    return response
  }

  /** Throws NotLeaderError. */
  #active(): MetadataImage {
    if (this.#head === undefined) throw new NotLeaderError('this node is not the active controller')
    return this.#head
  }

  #resetHead(): void {
    if (this.#head === undefined) return
    this.#head = new MetadataImage()
    for (const record of snapshotRecords(this.image)) this.#head.replay(record)
    this.#head.takeDelta()
    // What failed has been answered; later operations start from the committed state.
    this.#lastAppend = Promise.resolve()
  }
}

/** The first records of a new cluster: those that a format command left, or the features of this version. */
function readBootstrap({ platform, config }: ControllerOptions): MetadataRecord[] {
  const path = `${config.metadataLogDir}/${BOOTSTRAP_FILE}`
  if (!platform.disk.exists(path)) {
    return bootstrapFeatureLevels.map(([name, featureLevel]) => metadataRecord('FeatureLevel', { name, featureLevel }))
  }
  const records: MetadataRecord[] = []
  const cursor = new RecordCursor()
  const file = platform.disk.open(path, 'read')
  try {
    readSnapshot(file, {
      onControl: () => {},
      onData: (batch) => {
        cursor.open(batch, MAX_UNCOMPRESSED_BYTES)
        while (cursor.next()) records.push(decodeMetadataRecord(cursor.value() ?? Buffer.alloc(0)))
      },
    })
  } finally {
    file.close()
  }
  return records
}
