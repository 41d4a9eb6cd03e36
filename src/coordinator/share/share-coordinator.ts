import type { Logger } from '../../platform/logger.ts'
import type { Scheduled, Time } from '../../platform/time.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type {
  DeleteShareGroupStateRequest,
  DeleteShareGroupStateResponse,
} from '../../protocol/messages/delete-share-group-state.ts'
import type {
  InitializeShareGroupStateRequest,
  InitializeShareGroupStateResponse,
} from '../../protocol/messages/initialize-share-group-state.ts'
import type {
  ReadShareGroupStateRequest,
  ReadShareGroupStateResponse,
} from '../../protocol/messages/read-share-group-state.ts'
import type {
  ReadShareGroupStateSummaryRequest,
  ReadShareGroupStateSummaryResponse,
} from '../../protocol/messages/read-share-group-state-summary.ts'
import type {
  WriteShareGroupStateRequest,
  WriteShareGroupStateResponse,
} from '../../protocol/messages/write-share-group-state.ts'
import type { Codec } from '../../protocol/records/layout.ts'
import { protocolErrorOf } from '../coordinator-error.ts'
import type { CoordinatorLog } from '../coordinator-log.ts'
import { partitionFor } from '../partitioner.ts'
import { CoordinatorRuntime } from '../runtime/runtime.ts'
import type { ShareCoordinatorConfig } from './share-coordinator-config.ts'
import { type SharePartitionKey, sharePartitionName, shareRecordTypes } from './share-records.ts'
import { type PartitionCheck, ShareShard } from './share-shard.ts'

export interface ShareCoordinatorOptions {
  readonly log: CoordinatorLog
  readonly config: ShareCoordinatorConfig
  /** share.coordinator.state.topic.compression.codec */
  readonly codec: Codec
  /** How many partitions __share_group_state has, or will have once it is made. */
  readonly partitionCount: () => number
  readonly exists: PartitionCheck
  readonly time: Time
  readonly logger: Logger
}

interface Topic<P> {
  readonly topicId: string
  readonly partitions: readonly P[]
}

interface Request<P> {
  readonly groupId: string
  readonly topics: readonly Topic<P>[]
}

interface TopicAnswer<A> {
  readonly topicId: string
  partitions: A[]
}

interface Failure {
  readonly partition: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

/**
 * Keeps the state of share partitions (KIP-932): one method for each of the share state APIs, a decoded request in, a
 * promise of the response out. A request without a group or without partitions is answered with nothing, as by Apache
 * Kafka. Protocol errors are in the response; a promise rejects only for a bug.
 */
export class ShareCoordinator {
  readonly #partitionCount: () => number
  readonly #logger: Logger
  readonly #log: CoordinatorLog
  readonly #time: Time
  readonly #pruneIntervalMs: number
  readonly #runtime: CoordinatorRuntime<ShareShard>
  #pruning: Scheduled
  #isClosed = false

  constructor(options: ShareCoordinatorOptions) {
    const { log, config, codec, exists, time, logger } = options
    this.#partitionCount = options.partitionCount
    this.#logger = logger
    this.#log = log
    this.#time = time
    this.#pruneIntervalMs = config.pruneIntervalMs
    this.#runtime = new CoordinatorRuntime({
      name: 'ShareCoordinator',
      log,
      recordTypes: shareRecordTypes,
      makeShard: (context) => new ShareShard(context, config, exists),
      time,
      logger,
      codec,
      writeTimeoutMs: config.writeTimeoutMs,
      lingerMs: config.lingerMs,
    })
    this.#pruning = this.#pruneLater()
  }

  /** This node leads the partition of the state topic from `leaderEpoch` on. Resolves when it is loaded, or cannot be. */
  onElection(partition: number, leaderEpoch: number): Promise<void> {
    return this.#runtime.load(partition, leaderEpoch)
  }

  /** Another node leads it from `leaderEpoch` on; undefined where the partition is gone. */
  onResignation(partition: number, leaderEpoch: number | undefined): void {
    this.#runtime.unload(partition, leaderEpoch)
  }

  /** Writes what is pending; afterwards every request is told NOT_COORDINATOR. */
  close(): Promise<void> {
    this.#isClosed = true
    this.#pruning.cancel()
    return this.#runtime.close()
  }

  #pruneLater(): Scheduled {
    return this.#time.after(this.#pruneIntervalMs, () => void this.#prune())
  }

  /** Records that later ones have replaced go from the beginning of each log. */
  async #prune(): Promise<void> {
    await Promise.all(this.#activePartitions().map((partition) => this.#pruneOne(partition)))
    if (!this.#isClosed) this.#pruning = this.#pruneLater()
  }

  async #pruneOne(partition: number): Promise<void> {
    try {
      // Of committed state only: what an append that fails leaves behind is still needed.
      const offset = await this.#runtime.read(partition, (shard) => shard.firstNeededOffset())
      this.#log.deleteBefore(partition, offset)
    } catch (reason) {
      const error = this.#errorOf(reason)
      if (error !== errors.NOT_COORDINATOR && error !== errors.NOT_LEADER_OR_FOLLOWER) {
        this.#logger.error(`partition ${partition} of the share state is not pruned: ${error.name}`)
      }
    }
  }

  #activePartitions(): number[] {
    return this.#runtime.partitions().filter((partition) => this.#runtime.isActive(partition))
  }

  async initialize(request: InitializeShareGroupStateRequest): Promise<InitializeShareGroupStateResponse> {
    const results = await this.#each(request, 'initialize', (key, asked) =>
      this.#runtime.write(this.#partitionFor(key), (shard) => shard.initialize(key, asked)),
    )
    return { results }
  }

  async read(request: ReadShareGroupStateRequest): Promise<ReadShareGroupStateResponse> {
    if (hasEmptyTopic(request)) return { results: [] }
    const results = await this.#each(
      request,
      'read',
      (key, asked) => this.#runtime.write(this.#partitionFor(key), (shard) => shard.read(key, asked)),
      (failure) => ({ ...failure, stateEpoch: 0, startOffset: 0, stateBatches: [] }),
    )
    return { results }
  }

  async write(request: WriteShareGroupStateRequest): Promise<WriteShareGroupStateResponse> {
    if (hasEmptyTopic(request)) return { results: [] }
    const results = await this.#each(request, 'write', (key, asked) =>
      this.#runtime.write(this.#partitionFor(key), (shard) => shard.write(key, asked)),
    )
    return { results }
  }

  async delete(request: DeleteShareGroupStateRequest): Promise<DeleteShareGroupStateResponse> {
    if (hasEmptyTopic(request)) return { results: [] }
    const results = await this.#each(request, 'delete', (key) =>
      this.#runtime.write(this.#partitionFor(key), (shard) => shard.delete(key)),
    )
    return { results }
  }

  async summarise(request: ReadShareGroupStateSummaryRequest): Promise<ReadShareGroupStateSummaryResponse> {
    if (hasEmptyTopic(request)) return { results: [] }
    const results = await this.#each(
      request,
      'summary',
      (key) => this.#runtime.read(this.#partitionFor(key), (shard) => shard.summary(key)),
      (failure) => ({ ...failure, stateEpoch: 0, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: -1 }),
    )
    return { results }
  }

  /** The state of topics that are gone goes with them. Resolves when it has, or could not. */
  async onTopicsDeleted(topicIds: ReadonlySet<string>): Promise<void> {
    if (topicIds.size === 0) return
    const forget = (partition: number) =>
      this.#runtime
        .write(partition, (shard) => shard.forgetTopics(topicIds))
        .catch((reason) => {
          const error = this.#errorOf(reason)
          this.#logger.error(`share state of deleted topics stays in partition ${partition}: ${error.name}`)
        })
    await Promise.all(this.#activePartitions().map(forget))
  }

  #partitionFor(key: SharePartitionKey): number {
    return partitionFor(sharePartitionName(key), this.#partitionCount())
  }

  /** `fill` completes the answer of a partition that failed. */
  async #each<P extends { readonly partition: number }, A>(
    { groupId, topics }: Request<P>,
    what: keyof typeof VERBS,
    run: (key: SharePartitionKey, asked: P) => Promise<A>,
    fill: (failure: Failure) => A = (failure) => failure as A,
  ): Promise<TopicAnswer<A>[]> {
    if (groupId === '') return []
    const runOne = async (topicId: string, asked: P): Promise<A> => {
      const { partition } = asked
      try {
        return await run({ groupId, topicId, partition }, asked)
      } catch (reason) {
        const error = this.#errorOf(reason)
        const errorMessage = `Unable to ${VERBS[what]}: ${error.message}`
        return fill({ partition, errorCode: error.code, errorMessage })
      }
    }
    const runTopic = async ({ topicId, partitions }: Topic<P>): Promise<TopicAnswer<A>> => ({
      topicId,
      partitions: await Promise.all(partitions.map((asked) => runOne(topicId, asked))),
    })
    return await Promise.all(topics.map(runTopic))
  }

  /** Rethrows what is no protocol error. */
  #errorOf(reason: unknown): KafkaError {
    const error = protocolErrorOf(reason)
    if (error === undefined) throw reason
    return error
  }
}

const VERBS = {
  initialize: 'initialize share group state',
  read: 'read share group state',
  write: 'write share group state',
  delete: 'delete share group state',
  summary: 'read share group state summary',
} as const

function hasEmptyTopic({ topics }: Request<unknown>): boolean {
  return topics.some(({ partitions }) => partitions.length === 0)
}
