import type { BrokerConfig } from '../config/broker-config.ts'
import { MetadataImage } from '../metadata/image.ts'
import { MetadataLoader } from '../metadata/loader.ts'
import { decodeMetadataRecord, encodeMetadataRecord, type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { snapshotRecords } from '../metadata/snapshot-records.ts'
import type { MetadataPublisher } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import type { AllocateProducerIdsRequest } from '../protocol/messages/allocate-producer-ids.ts'
import type { AlterClientQuotasRequest, AlterClientQuotasResponse } from '../protocol/messages/alter-client-quotas.ts'
import type { AlterConfigsRequest } from '../protocol/messages/alter-configs.ts'
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/messages/alter-partition.ts'
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../protocol/messages/alter-partition-reassignments.ts'
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../protocol/messages/assign-replicas-to-dirs.ts'
import type { BrokerHeartbeatRequest } from '../protocol/messages/broker-heartbeat.ts'
import type { BrokerRegistrationRequest } from '../protocol/messages/broker-registration.ts'
import type { ControllerRegistrationRequest } from '../protocol/messages/controller-registration.ts'
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '../protocol/messages/create-partitions.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts'
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/messages/delete-topics.ts'
import type { ElectLeadersRequest, ElectLeadersResponse } from '../protocol/messages/elect-leaders.ts'
import type { IncrementalAlterConfigsRequest } from '../protocol/messages/incremental-alter-configs.ts'
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/messages/update-features.ts'
import { Quorum } from '../replication/raft/quorum.ts'
import {
  type LeadershipListener,
  MetadataLogError,
  NotLeaderError,
  type VoterEndpoint,
} from '../replication/raft/types.ts'
import { activationRecords, readBootstrap } from './activation.ts'
import { allocateProducerIds, type ProducerIdBlock } from './allocate-producer-ids.ts'
import { alterConfigs, incrementalAlterConfigs, type ResourceResult } from './alter-configs.ts'
import { alterPartition } from './alter-partition.ts'
import { assignDirectories } from './assign-directories.ts'
import { balanceLeaders, electUncleanLeaders } from './background-elections.ts'
import { fenceStaleBroker, type HeartbeatReply, heartbeat, heartbeatDirectories } from './broker-heartbeat.ts'
import { createPartitions, deleteTopics } from './change-topics.ts'
import { alterClientQuotas } from './client-quotas.ts'
import { createTopics } from './create-topics.ts'
import { electLeaders } from './elect-leaders.ts'
import { PeriodicTasks } from './periodic-tasks.ts'
import type { Policies } from './policies.ts'
import { quorumOptions } from './quorum-options.ts'
import { alterReassignments } from './reassignments.ts'
import { type RegistrationContext, registerBroker } from './register-broker.ts'
import { registerController } from './register-controller.ts'
import { type Decision, type DecisionContext, MAX_RECORDS_PER_REQUEST, type MutationQuota } from './result.ts'
import { BrokerSessions } from './sessions.ts'
import { unregisterRecords } from './unregister-broker.ts'
import { updateFeatures } from './update-features.ts'

/** Of one whose connection is lost: by then a broker that lives has sent its next heartbeat by another. */
const MISSED_HEARTBEATS = 1.5

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
  /** Told why the metadata log cannot be written before the next start. */
  readonly onBrokenLog?: (why: string) => void
}

/** How long voters have to say that they know that this node leads no longer. */
const HAND_OVER_MS = 1000

/** How many times in a session it is looked whether one has expired: what is found late is led by nobody for longer. */
const SESSION_CHECKS = 64
/** A controller that itself stood still for this part of a session does not hold that against others. */
const EXCUSED_PART = 8

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
  /** Whether anything of that may not be in `image` yet. */
  #isHeadAhead = false
  #lastAppend: Promise<unknown> = Promise.resolve()
  /** There while this node decides. */
  #sessions: BrokerSessions | undefined
  readonly #tasks: PeriodicTasks
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
    this.#tasks = new PeriodicTasks(options.platform.time)
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
      onSnapshotEnd: () => loader.onSnapshotEnd(),
      onCommit: (records, position) => loader.onCommit(records, position),
      onAbort: () => {
        loader.onAbort()
        this.#onActivation?.(new MetadataLogError('the metadata log cannot be written'))
      },
      snapshotRecords: () => loader.snapshotRecords(),
      onLeaderChange: (leaderId, epoch) => {
        this.#deactivate()
        this.#leaderEpoch = leaderId === this.#options.config.nodeId ? epoch : undefined
        if (this.#leaderEpoch !== undefined) this.#activate(epoch)
        this.onLeaderChange()
      },
    }
  }

  /** This node leads, and has everything that was decided before. It decides once its first records are committed. */
  #activate(epoch: number): void {
    const { image, inTransaction } = this.#loader
    const { platform, config } = this.#options
    const minIsr = config.get('min.insync.replicas')
    let first: MetadataRecord[]
    try {
      first = activationRecords(image, inTransaction, () => readBootstrap(platform, config.metadataLogDir), minIsr)
    } catch (error) {
      if (!(error instanceof MetadataLogError)) throw error
      this.#options.onBrokenLog?.(error.message)
      return
    }
    const activated = first.length === 0 ? Promise.resolve(0) : this.quorum.append(first)
    activated.then(
      () => {
        if (this.#leaderEpoch !== epoch) return
        this.#beginAtImage()
        this.#startSessions()
        this.#startElections()
        this.#startNoOps()
        this.#onActivation?.()
      },
      (error) => this.#onActivation?.(error),
    )
  }

  #deactivate(): void {
    this.#head = undefined
    this.#sessions = undefined
    this.#tasks.stop()
  }

  /**
   * Nobody knows when the controller before has last heard of whom: everybody gets a full session. Not so the broker of a
   * process that is gone, as the one that led before often is: only as long as one that has lost its connection.
   */
  #startSessions(): void {
    const { config, platform } = this.#options
    const timeoutMs = config.get('broker.session.timeout.ms')
    const sessions = new BrokerSessions(timeoutMs, this.image.offset)
    const nowMs = platform.time.monotonicMs()
    for (const { id, epoch, fenced } of this.#head!.brokers.values()) {
      if (fenced) continue
      sessions.heard(id, epoch, nowMs)
      if (this.quorum.isRefusedBy(id)) sessions.shorten(id, nowMs, this.#graceMs)
    }
    this.#sessions = sessions
    const periodMs = Math.max(1, timeoutMs / SESSION_CHECKS)
    this.#tasks.start(periodMs, (lateMs) => {
      if (lateMs > timeoutMs / EXCUSED_PART) sessions.excuse(lateMs, platform.time.monotonicMs())
      return this.#inBackground(this.#decide(fenceStaleBroker), false)
    })
  }

  get #graceMs(): number {
    return MISSED_HEARTBEATS * this.#options.config.get('broker.heartbeat.interval.ms')
  }

  #startElections(): void {
    const { config } = this.#options
    const repeat = (periodMs: number, decide: (context: DecisionContext) => Decision<boolean>) =>
      this.#tasks.start(periodMs, () => this.#inBackground(this.#decide(decide), false))
    if (config.get('auto.leader.rebalance.enable')) {
      repeat(config.get('leader.imbalance.check.interval.seconds') * 1000, balanceLeaders)
    }
    repeat(config.get('unclean.leader.election.interval.ms'), electUncleanLeaders)
  }

  /** Who follows the log can tell by them that it has what is newest, also when nothing happens (KIP-835). */
  #startNoOps(): void {
    const periodMs = this.#options.config.get('metadata.max.idle.interval.ms')
    if (periodMs === 0) return
    const decide = () => ({ records: [metadataRecord('NoOp', {})], response: false })
    this.#tasks.start(periodMs, () => this.#inBackground(this.#decide(decide), false))
  }

  /** A decision that nobody waits for: where the leadership or the log is lost, whoever leads next decides it again. */
  async #inBackground<T>(decision: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await decision
    } catch (error) {
      if (error instanceof NotLeaderError || error instanceof MetadataLogError) return otherwise
      throw error
    }
  }

  /** What is more than one write takes is written as several: decisions with so many records need not be atomic. */
  #append(records: readonly MetadataRecord[]): void {
    for (let from = 0; from < records.length; from += MAX_RECORDS_PER_REQUEST) {
      const isAll = records.length <= MAX_RECORDS_PER_REQUEST
      this.#appendBatch(isAll ? records : records.slice(from, from + MAX_RECORDS_PER_REQUEST))
    }
  }

  #appendBatch(records: readonly MetadataRecord[]): void {
    const before = this.#lastAppend
    const appended = this.quorum.append(records)
    // Where one write fails, so do those after it, and only the last one's outcome is looked at.
    before.catch(() => {})
    this.#lastAppend = appended
    for (const record of records) this.#head!.replay(record)
    this.#isHeadAhead ||= records.some(({ name }) => name !== 'NoOp')
    this.#head!.takeDelta()
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
    return this.#run((context) => updateFeatures(context, request, version, this.quorum))
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

  alterPartition(request: AlterPartitionRequest, version: number): Promise<AlterPartitionResponse> {
    return this.#decide((context) => alterPartition(context, request, version))
  }

  assignDirectories(request: AssignReplicasToDirsRequest): Promise<AssignReplicasToDirsResponse> {
    return this.#decide((context) => assignDirectories(context, request))
  }

  /** Resolves with the broker's epoch. `isOwn`: it is the broker of this process, so that no earlier one lives. */
  registerBroker(request: BrokerRegistrationRequest, version: number, isOwn = false): Promise<number> {
    return this.#decide((context) => registerBroker(context, request, version, isOwn))
  }

  /**
   * What a broker is from now on; the promise resolves when that is committed, not when it is applied. `connectionId`: of
   * the connection it came by, undefined for none.
   */
  async brokerHeartbeat(request: BrokerHeartbeatRequest, connectionId?: number): Promise<HeartbeatReply> {
    const directories = this.#decide((context) => ({
      records: heartbeatDirectories(context, request),
      response: undefined,
    }))
    const replying = this.#decide((context) => heartbeat(context, request))
    if (connectionId !== undefined) this.#sessions?.heardBy(request.brokerId, connectionId)
    const [, reply] = await Promise.all([directories, replying])
    return reply
  }

  /** A connection by which heartbeats of a broker came has ended. */
  heartbeatsEnded(brokerId: number, connectionId: number): void {
    const nowMs = this.#options.platform.time.monotonicMs()
    this.#sessions?.disconnected(brokerId, connectionId, nowMs, this.#graceMs)
  }

  registerController(request: ControllerRegistrationRequest): Promise<void> {
    return this.#decide(({ head }) => ({ records: [registerController(head, request)], response: undefined }))
  }

  /** Rejects with Refusal for a broker that is not registered. */
  unregisterBroker(brokerId: number): Promise<void> {
    return this.#run((context) => ({
      records: unregisterRecords(context, brokerId),
      response: undefined,
    }))
  }

  allocateProducerIds(request: AllocateProducerIdsRequest): Promise<ProducerIdBlock> {
    return this.#decide((context) => allocateProducerIds(context, request))
  }

  /**
   * Lets another node decide, if there is any that could: what waits here to be committed fails, and is asked of that one.
   * Resolves when the others know, or do not answer.
   */
  handOver(): Promise<void> {
    return this.quorum.handOver(HAND_OVER_MS)
  }

  /** Ends as a crash would: nothing more is written or sent. */
  abandon(): void {
    this.#tasks.stop()
    this.#quorum?.abandon()
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    this.#tasks.stop()
    return this.quorum.close()
  }

  /** Decides; resolves when it is in force on this node. */
  async #run<T>(decide: (context: RegistrationContext) => Decision<T>, mutations?: MutationQuota): Promise<T> {
    const response = await this.#decide(decide, mutations)
    await this.#loader.applied()
    return response
  }

  /** Decides; resolves when it is committed. */
  async #decide<T>(decide: (context: RegistrationContext) => Decision<T>, mutations?: MutationQuota): Promise<T> {
    const { records, response } = decide(this.#context(mutations))
    this.#append(records)
    // Without records of its own, the answer may still rest on decisions that are not committed yet.
    await this.#lastAppend
    return response
  }

  #context(mutations: MutationQuota | undefined): RegistrationContext {
    const { config, platform, logger, policies, clusterId } = this.#options
    return {
      head: this.#active(),
      config,
      nodeId: config.nodeId,
      random: platform.random,
      logger,
      policies,
      mutations,
      clusterId,
      sessions: this.#sessions!,
      nowMs: platform.time.monotonicMs(),
      nextOffset: this.quorum.nextOffset,
      kraftVersion: this.quorum.kraftVersion,
    }
  }

  /** Throws NotLeaderError. */
  #active(): MetadataImage {
    if (this.#head === undefined) throw new NotLeaderError(whoIsActive(this.quorum.leaderId))
    return this.#head
  }

  /** What failed has been answered; later operations start from the committed state. */
  #resetHead(): void {
    if (this.#head === undefined) return
    // On a full disk no-op records fail one after the other.
    if (this.#isHeadAhead) this.#beginAtImage()
    else this.#lastAppend = Promise.resolve()
  }

  #beginAtImage(): void {
    const head = new MetadataImage()
    for (const record of snapshotRecords(this.image)) head.replay(record)
    head.takeDelta()
    this.#head = head
    this.#isHeadAhead = false
    this.#lastAppend = Promise.resolve()
  }
}

function whoIsActive(leaderId: number): string {
  return leaderId < 0 ? 'No controller appears to be active.' : `The active controller appears to be node ${leaderId}.`
}
