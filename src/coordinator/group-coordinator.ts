import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataDelta } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../protocol/messages/consumer-group-heartbeat.ts'
import type { DeleteGroupsResponse } from '../protocol/messages/delete-groups.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../protocol/messages/heartbeat.ts'
import type { JoinGroupRequest, JoinGroupResponseInput } from '../protocol/messages/join-group.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../protocol/messages/leave-group.ts'
import type { ListGroupsRequest, ListGroupsResponse } from '../protocol/messages/list-groups.ts'
import type { OffsetCommitRequest, OffsetCommitResponse } from '../protocol/messages/offset-commit.ts'
import type { OffsetDeleteRequest, OffsetDeleteResponseInput } from '../protocol/messages/offset-delete.ts'
import type { ShareGroupHeartbeatRequest } from '../protocol/messages/share-group-heartbeat.ts'
import type { StreamsGroupHeartbeatRequest } from '../protocol/messages/streams-group-heartbeat.ts'
import type { SyncGroupRequest, SyncGroupResponseInput } from '../protocol/messages/sync-group.ts'
import type { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../protocol/messages/txn-offset-commit.ts'
import type { Codec } from '../protocol/records/layout.ts'
import { type DescribedGroup, undescribedGroup } from './classic/describe.ts'
import { type DescribedConsumerGroup, undescribedConsumerGroup } from './consumer/describe.ts'
import { validateHeartbeat } from './consumer/validate.ts'
import { errorMessageOf, protocolErrorOf } from './coordinator-error.ts'
import type { CoordinatorLog } from './coordinator-log.ts'
import type { ClientContext, GroupCoordinatorConfig } from './group-config.ts'
import { groupRecordTypes } from './group-records.ts'
import { GroupShard } from './group-shard.ts'
import { GroupMetadataView } from './modern/group-metadata-view.ts'
import type { OffsetFetchGroup, OffsetFetchGroupResponse } from './offsets/offset-operations.ts'
import { partitionFor } from './partitioner.ts'
import type { Result } from './runtime/result.ts'
import { CoordinatorRuntime } from './runtime/runtime.ts'
import type { TransactionMarker } from './runtime/shard.ts'
import { type DescribedShareGroup, type ShareHeartbeat, undescribedShareGroup } from './share/group/share-groups.ts'
import type { ShareStates } from './share/group/share-states.ts'
import type { PartitionsByTopic } from './share/group/state-partitions.ts'
import { validateShareHeartbeat } from './share/group/validate.ts'
import { type DescribedStreamsGroup, undescribedStreamsGroup } from './streams/describe.ts'
import type { StreamsHeartbeat } from './streams/heartbeat.ts'
import { validateStreamsHeartbeat } from './streams/validate.ts'

/** The topic that holds groups and their offsets. */
export const GROUP_TOPIC = '__consumer_offsets'

export interface GroupCoordinatorOptions {
  readonly log: CoordinatorLog
  readonly config: GroupCoordinatorConfig
  /** offsets.topic.compression.codec */
  readonly codec: Codec
  /** How many partitions `GROUP_TOPIC` has, or will have once it is made. */
  readonly partitionCount: () => number
  /** The topics that groups are subscribed to. */
  readonly image: MetadataImage
  readonly platform: Platform
  readonly logger: Logger
}

/**
 * The group APIs: one method each, a decoded request in, a promise of the response out. Protocol errors are in the
 * response; a promise rejects only for a bug.
 */
export class GroupCoordinator {
  readonly #config: GroupCoordinatorConfig
  readonly #partitionCount: () => number
  readonly #logger: Logger
  readonly #topics: GroupMetadataView
  readonly #runtime: CoordinatorRuntime<GroupShard>

  constructor(options: GroupCoordinatorOptions) {
    const { log, config, codec, platform, logger } = options
    this.#config = config
    this.#partitionCount = options.partitionCount
    this.#logger = logger
    this.#topics = new GroupMetadataView(options.image)
    this.#runtime = new CoordinatorRuntime({
      name: 'GroupCoordinator',
      log,
      recordTypes: groupRecordTypes,
      makeShard: (context) => new GroupShard(context, config, platform.random, this.#topics),
      time: platform.time,
      logger,
      codec,
      writeTimeoutMs: config.writeTimeoutMs,
      lingerMs: config.lingerMs,
    })
  }

  /** The partition of `GROUP_TOPIC` whose leader coordinates the group. */
  partitionFor(groupId: string): number {
    return partitionFor(groupId, this.#partitionCount())
  }

  /** This node leads the partition from `leaderEpoch` on. Resolves when its groups are loaded (or cannot be). */
  onElection(partition: number, leaderEpoch: number): Promise<void> {
    return this.#runtime.load(partition, leaderEpoch)
  }

  /** Another node leads it from `leaderEpoch` on; undefined where the partition is gone. */
  onResignation(partition: number, leaderEpoch: number | undefined): void {
    this.#runtime.unload(partition, leaderEpoch)
  }

  /** Resolves when the partition's groups are not being loaded; at once where they never were. */
  whenLoaded(partition: number): Promise<void> {
    return this.#runtime.whenLoaded(partition)
  }

  /** Whether requests for groups of the partition would be served. */
  isActive(partition: number): boolean {
    return this.#runtime.isActive(partition)
  }

  /** Writes what is pending; afterwards every request is told NOT_COORDINATOR. */
  close(): Promise<void> {
    return this.#runtime.close()
  }

  joinGroup(context: ClientContext, request: JoinGroupRequest): Promise<JoinGroupResponseInput> {
    const { groupId, memberId, sessionTimeoutMs } = request
    const refuse = (error: KafkaError) => Promise.resolve({ memberId, errorCode: error.code })
    if (groupId === '') return refuse(errors.INVALID_GROUP_ID)
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#config
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      return refuse(errors.INVALID_SESSION_TIMEOUT)
    }
    return new Promise((respond, reject) => {
      this.#runtime
        .write(this.partitionFor(groupId), (shard) => shard.join(context, request, respond))
        .catch((reason) => respond({ errorCode: this.#errorOf(reason).code }))
        .catch(reject)
    })
  }

  syncGroup(request: SyncGroupRequest): Promise<SyncGroupResponseInput> {
    const { groupId } = request
    if (groupId === '') return Promise.resolve({ errorCode: errors.INVALID_GROUP_ID.code })
    return new Promise((respond, reject) => {
      this.#runtime
        .write(this.partitionFor(groupId), (shard) => shard.sync(request, respond))
        .catch((reason) => respond({ errorCode: this.#errorOf(reason).code }))
        .catch(reject)
    })
  }

  async heartbeat(request: HeartbeatRequest): Promise<HeartbeatResponseInput> {
    const { groupId } = request
    if (groupId === '') return { errorCode: errors.INVALID_GROUP_ID.code }
    try {
      return await this.#runtime.write(this.partitionFor(groupId), (shard) => shard.heartbeat(request))
    } catch (reason) {
      const error = this.#errorOf(reason)
      // Members are not disturbed by a load: nobody's session ends before it is over.
      return { errorCode: error === errors.COORDINATOR_LOAD_IN_PROGRESS ? errors.NONE.code : error.code }
    }
  }

  /** Takes the batched form of the request (version 3 on), whatever the version. */
  async leaveGroup(request: LeaveGroupRequest): Promise<LeaveGroupResponseInput> {
    const { groupId, members } = request
    if (groupId === '') return { errorCode: errors.INVALID_GROUP_ID.code }
    try {
      return await this.#runtime.write(this.partitionFor(groupId), (shard) => shard.leave(request))
    } catch (reason) {
      const error = this.#errorOf(reason)
      if (error !== errors.UNKNOWN_MEMBER_ID) return { errorCode: error.code }
      return {
        members: members.map(({ memberId, groupInstanceId }) => ({ memberId, groupInstanceId, errorCode: error.code })),
      }
    }
  }

  /** ConsumerGroupHeartbeat (KIP-848). */
  async consumerHeartbeat(
    context: ClientContext,
    request: ConsumerGroupHeartbeatRequest,
  ): Promise<ConsumerGroupHeartbeatResponseInput> {
    try {
      validateHeartbeat(request, context.apiVersion, this.#config.consumer.assignors)
      return await this.#runtime.write(this.partitionFor(request.groupId), (shard) =>
        shard.consumers.heartbeats.heartbeat(context, request),
      )
    } catch (reason) {
      return { errorCode: this.#errorOf(reason).code, errorMessage: errorMessageOf(reason) }
    }
  }

  /** The share state of what is missing has to be made, and `ShareStates` told so. */
  async shareHeartbeat(context: ClientContext, request: ShareGroupHeartbeatRequest): Promise<ShareHeartbeat> {
    try {
      validateShareHeartbeat(request)
      return await this.#runtime.write(this.partitionFor(request.groupId), (shard) =>
        shard.shares.heartbeat(context, request),
      )
    } catch (reason) {
      const response = { errorCode: this.#errorOf(reason).code, errorMessage: errorMessageOf(reason) }
      return { response, groupEpoch: 0, missing: new Map() }
    }
  }

  /** Changes what is known of the share state of a group. Rejects with CoordinatorError. */
  changeShareState<R>(groupId: string, operation: (states: ShareStates) => Result<R>): Promise<R> {
    return this.#runtime.write(this.partitionFor(groupId), ({ shares }) => operation(shares.states))
  }

  /** Which partitions of a share group have share state. Rejects with CoordinatorError. */
  sharePartitions(groupId: string): Promise<PartitionsByTopic> {
    return this.#runtime.read(this.partitionFor(groupId), ({ shares }) => shares.states.initializedPartitions(groupId))
  }

  async describeShareGroups(groupIds: readonly string[]): Promise<DescribedShareGroup[]> {
    const named = groupIds.filter((groupId) => groupId !== '')
    const results = await this.#perPartition(named, async (partition, ids) => {
      try {
        return await this.#runtime.read(partition, (shard) => shard.shares.describe(ids))
      } catch (reason) {
        const { code } = this.#errorOf(reason)
        return ids.map((groupId) => undescribedShareGroup(groupId, code, null))
      }
    })
    const unnamed = groupIds.length - named.length
    const invalid = Array.from({ length: unnamed }, () => undescribedShareGroup('', errors.INVALID_GROUP_ID.code, null))
    return [...invalid, ...results.flat()]
  }

  /** The topics that the application lacks have to be made. */
  async streamsHeartbeat(context: ClientContext, request: StreamsGroupHeartbeatRequest): Promise<StreamsHeartbeat> {
    try {
      validateStreamsHeartbeat(request)
      return await this.#runtime.write(this.partitionFor(request.groupId), (shard) =>
        shard.streams.heartbeats.heartbeat(context, request),
      )
    } catch (reason) {
      const response = { errorCode: this.#errorOf(reason).code, errorMessage: errorMessageOf(reason) }
      return { response, topicsToCreate: [] }
    }
  }

  async describeStreamsGroups(groupIds: readonly string[]): Promise<DescribedStreamsGroup[]> {
    const named = groupIds.filter((groupId) => groupId !== '')
    const results = await this.#perPartition(named, async (partition, ids) => {
      try {
        return await this.#runtime.read(partition, (shard) => shard.streams.describe(ids))
      } catch (reason) {
        const { code } = this.#errorOf(reason)
        return ids.map((groupId) => undescribedStreamsGroup(groupId, code, null))
      }
    })
    const unnamed = groupIds.length - named.length
    const invalid = Array.from({ length: unnamed }, () =>
      undescribedStreamsGroup('', errors.INVALID_GROUP_ID.code, null),
    )
    return [...invalid, ...results.flat()]
  }

  async describeConsumerGroups(groupIds: readonly string[]): Promise<DescribedConsumerGroup[]> {
    const named = groupIds.filter((groupId) => groupId !== '')
    const results = await this.#perPartition(named, async (partition, ids) => {
      try {
        return await this.#runtime.read(partition, (shard) => shard.consumers.describe(ids))
      } catch (reason) {
        const { code } = this.#errorOf(reason)
        return ids.map((groupId) => undescribedConsumerGroup(groupId, code, null))
      }
    })
    const unnamed = groupIds.length - named.length
    const invalid = Array.from({ length: unnamed }, () =>
      undescribedConsumerGroup('', errors.INVALID_GROUP_ID.code, null),
    )
    return [...invalid, ...results.flat()]
  }

  /** The topics are known and carry both name and id. */
  async commitOffsets(context: ClientContext, request: OffsetCommitRequest): Promise<OffsetCommitResponse> {
    try {
      return await this.#runtime.write(this.partitionFor(request.groupId), (shard) =>
        shard.offsets.commit(context, request),
      )
    } catch (reason) {
      return refuseCommit(request, this.#errorOf(reason))
    }
  }

  /**
   * TxnOffsetCommit: the offsets count once the producer's transaction is committed. The topics are known.
   * `verification`: what the transaction coordinator's word was given for.
   */
  async commitTransactionalOffsets(
    request: TxnOffsetCommitRequest,
    topicIdOf: (topic: string) => string,
    verification: unknown,
  ): Promise<TxnOffsetCommitResponse> {
    const { groupId, producerId, producerEpoch } = request
    try {
      return await this.#runtime.write(
        this.partitionFor(groupId),
        (shard) => shard.offsets.commitTransactional(request, topicIdOf),
        { producerId, producerEpoch, verification },
      )
    } catch (reason) {
      return refuseTransactionalCommit(request, this.#errorOf(reason))
    }
  }

  /** Ends a transaction that has offsets in the partition; resolves with NONE once its marker is committed. */
  async endTransaction(partition: number, marker: TransactionMarker): Promise<KafkaError> {
    try {
      await this.#runtime.endTransaction(partition, marker)
      return errors.NONE
    } catch (reason) {
      return this.#errorOf(reason)
    }
  }

  async fetchOffsets(request: OffsetFetchGroup, requireStable: boolean): Promise<OffsetFetchGroupResponse> {
    const { groupId } = request
    try {
      return await this.#runtime.read(this.partitionFor(groupId), (shard) =>
        shard.offsets.fetch(request, requireStable),
      )
    } catch (reason) {
      return { groupId, topics: [], errorCode: this.#errorOf(reason).code }
    }
  }

  async deleteOffsets(request: OffsetDeleteRequest): Promise<OffsetDeleteResponseInput> {
    const { groupId } = request
    if (groupId === '') return { errorCode: errors.INVALID_GROUP_ID.code }
    try {
      return await this.#runtime.write(this.partitionFor(groupId), (shard) => shard.offsets.delete(request))
    } catch (reason) {
      return { errorCode: this.#errorOf(reason).code }
    }
  }

  async describeGroups(groupIds: readonly string[], apiVersion: number): Promise<DescribedGroup[]> {
    const results = await this.#perPartition(groupIds, async (partition, ids) => {
      try {
        return await this.#runtime.read(partition, (shard) => shard.describe(ids, apiVersion))
      } catch (reason) {
        const { code } = this.#errorOf(reason)
        return ids.map((groupId) => undescribedGroup(groupId, code))
      }
    })
    return results.flat()
  }

  /** The groups that this node coordinates. */
  async listGroups(request: ListGroupsRequest): Promise<ListGroupsResponse> {
    try {
      const groups = await this.#runtime.readAll((shard) => shard.list(request))
      return { throttleTimeMs: 0, errorCode: errors.NONE.code, groups }
    } catch (reason) {
      return { throttleTimeMs: 0, errorCode: this.#errorOf(reason).code, groups: [] }
    }
  }

  /** Each id once. */
  async deleteGroups(groupIds: readonly string[]): Promise<DeleteGroupsResponse['results']> {
    const results = await this.#perPartition(groupIds, async (partition, ids) => {
      try {
        return await this.#runtime.write(partition, (shard) => shard.deleteGroups(ids))
      } catch (reason) {
        const { code } = this.#errorOf(reason)
        return ids.map((groupId) => ({ groupId, errorCode: code }))
      }
    })
    return results.flat()
  }

  /**
   * The metadata has changed: groups look at their topics again, and committed offsets of topics that are gone go with them.
   * Resolves when they have, or could not.
   */
  async onMetadataChange(delta: MetadataDelta): Promise<void> {
    const names = this.#topics.onChange(delta)
    const deleted = delta.isInitial ? [] : [...delta.topicsDeleted.values()].map(({ id, name }) => ({ id, name }))
    const tasks: Promise<void>[] = []
    for (const partition of this.#runtime.partitions()) {
      if (!this.#runtime.isActive(partition)) continue
      if (names.size > 0) {
        tasks.push(this.#attempt(partition, 'topics are not looked at', (shard) => shard.requestRefresh(names)))
      }
      if (deleted.length > 0) {
        tasks.push(
          this.#attempt(partition, 'offsets and share state of deleted topics stay', (shard) =>
            shard.forgetTopics(deleted),
          ),
        )
      }
    }
    await Promise.all(tasks)
  }

  async #attempt(partition: number, otherwise: string, operation: (shard: GroupShard) => Result<void>): Promise<void> {
    try {
      await this.#runtime.write(partition, operation)
    } catch (reason) {
      this.#logger.error(`${otherwise} in partition ${partition}: ${this.#errorOf(reason).name}`)
    }
  }

  #perPartition<R>(
    groupIds: readonly string[],
    run: (partition: number, groupIds: readonly string[]) => Promise<R>,
  ): Promise<R[]> {
    const byPartition = new Map<number, string[]>()
    for (const groupId of groupIds) {
      const partition = this.partitionFor(groupId)
      const ids = byPartition.get(partition)
      if (ids) ids.push(groupId)
      else byPartition.set(partition, [groupId])
    }
    return Promise.all([...byPartition].map(([partition, ids]) => run(partition, ids)))
  }

  /** Rethrows what is no protocol error. */
  #errorOf(reason: unknown): KafkaError {
    const error = protocolErrorOf(reason)
    if (error === undefined) throw reason
    return error
  }
}

/** A commit of which every partition is told `error`. */
export function refuseCommit(request: OffsetCommitRequest, error: KafkaError): OffsetCommitResponse {
  return {
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: error.code })),
    })),
  }
}

/** A commit of which every partition is told `error`. */
export function refuseTransactionalCommit(request: TxnOffsetCommitRequest, error: KafkaError): TxnOffsetCommitResponse {
  return {
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: error.code })),
    })),
  }
}
