import type { Time } from '../../platform/time.ts'
import type { OffsetCommitKey } from '../../protocol/coordinator-records/offset-commit.ts'
import { errors } from '../../protocol/errors.ts'
import type { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts'
import type { OffsetDeleteRequest, OffsetDeleteResponseInput } from '../../protocol/messages/offset-delete.ts'
import type { OffsetFetchRequest, OffsetFetchResponse } from '../../protocol/messages/offset-fetch.ts'
import type { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../../protocol/messages/txn-offset-commit.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import type { Rebalancer } from '../classic/rebalancer.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { type CoordinatorRecord, coordinatorRecord, tombstone } from '../coordinator-record.ts'
import type { CommitCheck, Group } from '../group.ts'
import type { ClientContext, GroupCoordinatorConfig } from '../group-config.ts'
import { offsetCommit } from '../group-records.ts'
import type { GroupStore } from '../group-store.ts'
import type { Result } from '../runtime/result.ts'
import type { OffsetStore } from './offset-store.ts'
import type { CommittedOffset } from './offset-table.ts'

/** What 4.3.1 writes: the last version with a field for expiry where the client asked for one, else the latest. */
const VALUE_VERSION_WITH_EXPIRY = 1
const VALUE_VERSION = 4
/** From this version on a commit for an unknown group with a generation is told that there is no such group. */
const FIRST_VERSION_WITH_MISSING_GROUP = 9
const NONE = -1

export type OffsetFetchGroup = OffsetFetchRequest['groups'][number]
export type OffsetFetchGroupResponse = OffsetFetchResponse['groups'][number]
type FetchedTopic = OffsetFetchGroupResponse['topics'][number]
type FetchedPartition = FetchedTopic['partitions'][number]
type CommitPartition = Omit<OffsetCommitRequest['topics'][number]['partitions'][number], 'partitionIndex'>

export interface DeletedTopic {
  readonly id: string
  readonly name: string
}

/** What groups of every kind do with offsets. */
export class OffsetOperations {
  readonly #groups: GroupStore
  readonly #store: OffsetStore
  readonly #rebalancer: Rebalancer
  readonly #config: GroupCoordinatorConfig
  readonly #time: Time

  constructor(
    groups: GroupStore,
    store: OffsetStore,
    rebalancer: Rebalancer,
    config: GroupCoordinatorConfig,
    time: Time,
  ) {
    this.#groups = groups
    this.#store = store
    this.#rebalancer = rebalancer
    this.#config = config
    this.#time = time
  }

  /** Throws CoordinatorError when the group or the member may not commit; the topics have been checked before. */
  commit(context: ClientContext, request: OffsetCommitRequest): Result<OffsetCommitResponse> {
    const check = this.#validateCommit(context, request)
    const nowMs = this.#time.nowMs()
    const expireTimestampMs = request.retentionTimeMs === NONE ? NONE : nowMs + request.retentionTimeMs
    const records: CoordinatorRecord[] = []
    const topics = request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map((partition) => {
        const { partitionIndex } = partition
        if ((partition.committedMetadata?.length ?? 0) > this.#config.offsetMetadataMaxChars) {
          return { partitionIndex, errorCode: errors.OFFSET_METADATA_TOO_LARGE.code }
        }
        check?.(topicId, partitionIndex, name)
        const key = { group: request.groupId, topic: name, partition: partitionIndex }
        records.push(commitRecord(key, partition, topicId, nowMs, expireTimestampMs))
        return { partitionIndex, errorCode: errors.NONE.code }
      }),
    }))
    return { records, response: { throttleTimeMs: 0, topics } }
  }

  /** As `commit`, for offsets that count once the transaction has been committed. `topicIdOf`: of a topic that is known. */
  commitTransactional(
    request: TxnOffsetCommitRequest,
    topicIdOf: (topic: string) => string,
  ): Result<TxnOffsetCommitResponse> {
    try {
      return this.#commitTransactional(request, topicIdOf)
    } catch (reason) {
      if (!(reason instanceof CoordinatorError) || reason.error !== errors.STALE_MEMBER_EPOCH) throw reason
      // Producers know generations only.
      throw new CoordinatorError(errors.ILLEGAL_GENERATION)
    }
  }

  #commitTransactional(
    request: TxnOffsetCommitRequest,
    topicIdOf: (topic: string) => string,
  ): Result<TxnOffsetCommitResponse> {
    const check = this.#validateTransactionalCommit(request)
    const nowMs = this.#time.nowMs()
    const records: CoordinatorRecord[] = []
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partition) => {
        const { partitionIndex } = partition
        if ((partition.committedMetadata?.length ?? 0) > this.#config.offsetMetadataMaxChars) {
          return { partitionIndex, errorCode: errors.OFFSET_METADATA_TOO_LARGE.code }
        }
        check?.(topicIdOf(name), partitionIndex, name)
        const key = { group: request.groupId, topic: name, partition: partitionIndex }
        records.push(commitRecord(key, { ...partition, commitTimestamp: NONE }, ZERO_UUID, nowMs, NONE))
        return { partitionIndex, errorCode: errors.NONE.code }
      }),
    }))
    return { records, response: { throttleTimeMs: 0, topics } }
  }

  #validateTransactionalCommit(request: TxnOffsetCommitRequest): CommitCheck | undefined {
    const { groupId, memberId, groupInstanceId, generationId } = request
    const group: Group | undefined = this.#groups.get(groupId)
    if (group === undefined) {
      if (generationId >= 0) throw new CoordinatorError(errors.ILLEGAL_GENERATION)
      return undefined
    }
    return group.validateOffsetCommit({ memberId, groupInstanceId, generationId, isTransactional: true })
  }

  #validateCommit(context: ClientContext, request: OffsetCommitRequest): CommitCheck | undefined {
    const { apiVersion } = context
    const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request
    const group: Group | undefined = this.#groups.get(groupId)
    if (group === undefined) {
      if (generationId >= 0) {
        if (apiVersion >= FIRST_VERSION_WITH_MISSING_GROUP) this.#groups.require(groupId)
        throw new CoordinatorError(errors.ILLEGAL_GENERATION)
      }
      // The group is made by its first offset; where none is accepted there is none.
      return undefined
    }
    const identity = { memberId, groupInstanceId, generationId, isTransactional: false, apiVersion }
    const check = group.validateOffsetCommit(identity)
    // A commit is a sign of life.
    const classic = this.#groups.classic(groupId)
    const member = classic?.member(memberId)
    if (classic && member && (classic.is('Stable') || classic.is('PreparingRebalance'))) {
      this.#rebalancer.awaitHeartbeat(classic, member)
    }
    return check
  }

  /** With `topics: null`, everything that the group has committed. An unknown group has committed nothing. Throws CoordinatorError. */
  fetch(request: OffsetFetchGroup, requireStable: boolean): OffsetFetchGroupResponse {
    const { groupId } = request
    this.#groups.get(groupId)?.validateOffsetFetch(request.memberId, request.memberEpoch)
    const topics =
      request.topics === null
        ? this.#fetchAll(groupId, requireStable)
        : request.topics.map(({ name, topicId, partitionIndexes }) => ({
            name,
            topicId,
            partitions: partitionIndexes.map((partition) =>
              this.#fetchPartition(groupId, name, topicId, partition, requireStable),
            ),
          }))
    return { groupId, topics, errorCode: errors.NONE.code }
  }

  #fetchAll(groupId: string, requireStable: boolean): FetchedTopic[] {
    const topics: FetchedTopic[] = []
    for (const [name, partitions] of this.#store.ofGroup(groupId)?.entries() ?? []) {
      topics.push({
        name,
        topicId: ZERO_UUID,
        partitions: Array.from(partitions.keys(), (partition) =>
          this.#fetchPartition(groupId, name, ZERO_UUID, partition, requireStable),
        ),
      })
    }
    return topics
  }

  #fetchPartition(
    groupId: string,
    topic: string,
    topicId: string,
    partitionIndex: number,
    requireStable: boolean,
  ): FetchedPartition {
    if (requireStable && this.#store.isPending(groupId, topic, partitionIndex)) {
      return noOffset(partitionIndex, errors.UNSTABLE_OFFSET_COMMIT.code)
    }
    const committed = this.#store.get(groupId, topic, partitionIndex)
    // An offset of a topic that was deleted and made again means nothing in the new one.
    if (committed === undefined || isOfAnotherTopic(committed, topicId)) {
      return noOffset(partitionIndex, errors.NONE.code)
    }
    return {
      partitionIndex,
      committedOffset: committed.offset,
      committedLeaderEpoch: committed.leaderEpoch,
      metadata: committed.metadata,
      errorCode: errors.NONE.code,
    }
  }

  /** Throws CoordinatorError where the group forbids it as a whole. */
  delete(request: OffsetDeleteRequest): Result<OffsetDeleteResponseInput> {
    const { groupId } = request
    const group = this.#groups.require(groupId)
    group.validateOffsetDelete()
    const records: CoordinatorRecord[] = []
    const topics = request.topics.map(({ name, partitions }) => {
      const isSubscribed = group.isSubscribedTo(name)
      const errorCode = isSubscribed ? errors.GROUP_SUBSCRIBED_TO_TOPIC.code : errors.NONE.code
      for (const { partitionIndex } of isSubscribed ? [] : partitions) {
        if (this.#has(groupId, name, partitionIndex)) records.push(offsetTombstone(groupId, name, partitionIndex))
      }
      return { name, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })) }
    })
    return { records, response: { errorCode: errors.NONE.code, topics } }
  }

  #has(groupId: string, topic: string, partition: number): boolean {
    return this.#store.get(groupId, topic, partition) !== undefined || this.#store.isPending(groupId, topic, partition)
  }

  /** The tombstones of all offsets of a group, pending ones included. */
  deleteAll(groupId: string): CoordinatorRecord[] {
    const partitions = new Map<string, CoordinatorRecord>()
    const committed = this.#store.ofGroup(groupId)
    for (const topics of [...(committed ? [committed] : []), ...this.#store.pendingOfGroup(groupId)]) {
      for (const [topic, offsets] of topics.entries()) {
        for (const partition of offsets.keys()) {
          partitions.set(`${topic}/${partition}`, offsetTombstone(groupId, topic, partition))
        }
      }
    }
    return [...partitions.values()]
  }

  /** Adds the tombstones of expired offsets to `records`; true if the group has none left. */
  expire(group: Group, records: CoordinatorRecord[]): boolean {
    const hasPending = !this.#store.pendingOfGroup(group.id).next().done
    let allExpired = true
    for (const [topic, partitions] of this.#store.ofGroup(group.id)?.entries() ?? []) {
      const isSubscribed = group.isSubscribedTo(topic)
      for (const [partition, offset] of partitions.entries()) {
        if (!isSubscribed && this.#isExpired(group, offset) && !this.#store.isPending(group.id, topic, partition)) {
          records.push(offsetTombstone(group.id, topic, partition))
        } else {
          allExpired = false
        }
      }
    }
    return allExpired && !hasPending
  }

  #isExpired(group: Group, offset: CommittedOffset): boolean {
    const startMs = group.retentionStartMs(offset.commitTimestampMs)
    if (startMs === undefined) return false
    const nowMs = this.#time.nowMs()
    if (offset.expireTimestampMs !== NONE) return nowMs >= offset.expireTimestampMs
    return nowMs - startMs >= this.#config.offsetsRetentionMs
  }

  /** The tombstones of offsets in topics that are gone. */
  forgetTopics(topics: readonly DeletedTopic[]): CoordinatorRecord[] {
    const records: CoordinatorRecord[] = []
    for (const [groupId, offsets] of [...this.#store.groups(), ...this.#store.pendingGroups()]) {
      for (const { id, name } of topics) {
        for (const [partition, offset] of offsets.get(name)?.entries() ?? []) {
          if (!isOfAnotherTopic(offset, id)) records.push(offsetTombstone(groupId, name, partition))
        }
      }
    }
    return records
  }
}

function commitRecord(
  key: OffsetCommitKey,
  partition: CommitPartition,
  topicId: string,
  nowMs: number,
  expireTimestampMs: number,
): CoordinatorRecord {
  const version = expireTimestampMs === NONE ? VALUE_VERSION : VALUE_VERSION_WITH_EXPIRY
  return coordinatorRecord(offsetCommit, key, version, {
    offset: partition.committedOffset,
    leaderEpoch: partition.committedLeaderEpoch,
    metadata: partition.committedMetadata ?? '',
    // OffsetCommit 1 lets the client say when it was.
    commitTimestamp: partition.commitTimestamp === NONE ? nowMs : partition.commitTimestamp,
    expireTimestamp: expireTimestampMs,
    topicId,
  })
}

function offsetTombstone(group: string, topic: string, partition: number): CoordinatorRecord {
  return tombstone(offsetCommit, { group, topic, partition })
}

function isOfAnotherTopic(committed: CommittedOffset, topicId: string): boolean {
  return committed.topicId !== ZERO_UUID && topicId !== ZERO_UUID && committed.topicId !== topicId
}

function noOffset(partitionIndex: number, errorCode: number): FetchedPartition {
  return { partitionIndex, committedOffset: NONE, committedLeaderEpoch: NONE, metadata: '', errorCode }
}
