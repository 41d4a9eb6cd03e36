import type { Random } from '../platform/random.ts'
import type { OffsetCommitKey, OffsetCommitValue } from '../protocol/coordinator-records/offset-commit.ts'
import { errors } from '../protocol/errors.ts'
import type { DeleteGroupsResponse } from '../protocol/messages/delete-groups.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../protocol/messages/heartbeat.ts'
import type { JoinGroupRequest } from '../protocol/messages/join-group.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../protocol/messages/leave-group.ts'
import type { ListGroupsRequest, ListGroupsResponse } from '../protocol/messages/list-groups.ts'
import type { SyncGroupRequest } from '../protocol/messages/sync-group.ts'
import { ZERO_UUID } from '../protocol/uuid.ts'
import type { ClassicGroup } from './classic/classic-group.ts'
import { type DescribedGroup, describeClassicGroup, undescribedGroup } from './classic/describe.ts'
import { JoinOperation } from './classic/join.ts'
import type { JoinWaiter, SyncWaiter } from './classic/member.ts'
import { Membership } from './classic/membership.ts'
import { Rebalancer } from './classic/rebalancer.ts'
import { groupFromRecord } from './classic/records.ts'
import { SyncOperation } from './classic/sync.ts'
import type { ConsumerGroup } from './consumer/consumer-group.ts'
import { ConsumerGroups } from './consumer/consumer-groups.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { type CoordinatorRecord, isOf } from './coordinator-record.ts'
import type { ClientContext, GroupCoordinatorConfig } from './group-config.ts'
import { groupMetadata, legacyOffsetCommit, offsetCommit } from './group-records.ts'
import { GroupStore } from './group-store.ts'
import { EpochGroup } from './modern/epoch-group.ts'
import type { GroupMetadataView } from './modern/group-metadata-view.ts'
import { type DeletedTopic, OffsetOperations } from './offsets/offset-operations.ts'
import { OffsetStore } from './offsets/offset-store.ts'
import { NOTHING, type Result } from './runtime/result.ts'
import type { CoordinatorShard, RecordOrigin, ShardContext } from './runtime/shard.ts'
import { ShareGroupOperations } from './share/group/share-groups.ts'
import { StreamsGroups } from './streams/streams-groups.ts'

const EXPIRATION_TIMER = 'expiration'
/** DescribeGroups: later versions are told that a group is not there. */
const LATEST_WITHOUT_NOT_FOUND = 5
/** What records of the first format do not tell. */
const NO_OFFSET_DETAILS = { leaderEpoch: -1, expireTimestamp: -1, topicId: ZERO_UUID }

type ListedGroup = ListGroupsResponse['groups'][number]
type DeletionResult = DeleteGroupsResponse['results'][number]

/** The groups and offsets of one partition of __consumer_offsets. */
export class GroupShard implements CoordinatorShard {
  readonly consumers: ConsumerGroups
  readonly shares: ShareGroupOperations
  readonly streams: StreamsGroups
  readonly offsets: OffsetOperations
  readonly #context: ShardContext
  readonly #config: GroupCoordinatorConfig
  readonly #groups: GroupStore
  readonly #store: OffsetStore
  readonly #rebalancer: Rebalancer
  readonly #joins: JoinOperation
  readonly #syncs: SyncOperation
  readonly #membership: Membership

  constructor(context: ShardContext, config: GroupCoordinatorConfig, random: Random, topics: GroupMetadataView) {
    const { undo, timers, time, logger } = context
    this.#context = context
    this.#config = config
    this.#groups = new GroupStore(undo, time)
    this.#store = new OffsetStore(undo)
    const classic = { groups: this.#groups, timers, config, random, logger }
    this.#rebalancer = new Rebalancer(classic)
    this.#joins = new JoinOperation(classic, this.#rebalancer)
    this.#syncs = new SyncOperation(classic, this.#rebalancer)
    this.#membership = new Membership(classic, this.#rebalancer)
    this.consumers = new ConsumerGroups({ ...classic, topics, time }, this.#rebalancer)
    this.shares = new ShareGroupOperations({ groups: this.#groups, topics, config: config.share, timers, time, logger })
    this.streams = new StreamsGroups({ groups: this.#groups, topics, config: config.streams, timers, time, logger })
    this.offsets = new OffsetOperations(this.#groups, this.#store, this.#rebalancer, config, time)
  }

  replay(record: CoordinatorRecord, origin: RecordOrigin): void {
    if (isOf(record, groupMetadata)) {
      const { group } = record.key
      if (record.value === null) this.#groups.delete(group)
      else this.#groups.put(groupFromRecord(group, record.value, this.#context.time))
    } else if (isOf(record, offsetCommit)) {
      this.#replayOffset(record.key, record.value, origin)
    } else if (isOf(record, legacyOffsetCommit)) {
      this.#replayOffset(record.key, record.value && { ...NO_OFFSET_DETAILS, ...record.value }, origin)
    } else {
      if (!this.consumers.replay(record) && !this.shares.replay(record)) this.streams.replay(record)
    }
  }

  #replayOffset(key: OffsetCommitKey, value: OffsetCommitValue | null, origin: RecordOrigin): void {
    if (value === null) {
      this.#store.replayTombstone(key)
      return
    }
    // Consumers that assign partitions by themselves have a group for their offsets only.
    if (this.#groups.get(key.group) === undefined) this.#groups.classicOrNew(key.group)
    this.#store.replayCommit(key, value, origin)
  }

  replayTransactionEnd(origin: RecordOrigin, committed: boolean): void {
    this.#store.replayTransactionEnd(origin.producerId, committed)
  }

  onLoaded(): void {
    for (const group of this.#classicGroups()) {
      for (const member of group.members()) this.#rebalancer.awaitHeartbeat(group, member)
      // The limit was lowered: whoever joins first again stays.
      if (group.size > this.#config.maxGroupSize) this.#rebalancer.prepare(group, 'the group is over its maximum size')
    }
    this.consumers.onLoaded()
    this.shares.onLoaded()
    this.streams.onLoaded()
    this.#scheduleExpiration()
  }

  onUnloaded(): void {
    for (const group of this.#classicGroups()) group.answerAll(errors.NOT_COORDINATOR)
  }

  /** The topics have changed: groups that are subscribed to them look at them again at the next heartbeat. */
  requestRefresh(topics: ReadonlySet<string>): Result<void> {
    for (const group of this.#groups.all()) {
      if (!(group instanceof EpochGroup)) continue
      for (const topic of topics) if (group.dependsOn(topic)) group.requestRefresh()
    }
    return NOTHING
  }

  /** JoinGroup: of a group without members, or of the classic protocol, or of a mixed one. Throws CoordinatorError. */
  join(context: ClientContext, request: JoinGroupRequest, respond: JoinWaiter): Result<void> {
    const mixed = this.#consumerWithMembers(request.groupId)
    if (mixed !== undefined) return this.consumers.classic.join(mixed, context, request, respond)
    return this.#joins.join(context, request, respond)
  }

  /** Throws CoordinatorError. */
  sync(request: SyncGroupRequest, respond: SyncWaiter): Result<void> {
    const mixed = this.#consumerWithMembers(request.groupId)
    return mixed === undefined
      ? this.#syncs.sync(request, respond)
      : this.consumers.classic.sync(mixed, request, respond)
  }

  /** Throws CoordinatorError. */
  heartbeat(request: HeartbeatRequest): Result<HeartbeatResponseInput> {
    const mixed = this.#groups.consumer(request.groupId)
    return mixed === undefined ? this.#membership.heartbeat(request) : this.consumers.classic.heartbeat(mixed, request)
  }

  /** Throws CoordinatorError. */
  leave(request: LeaveGroupRequest): Result<LeaveGroupResponseInput> {
    const mixed = this.#groups.consumer(request.groupId)
    return mixed === undefined ? this.#membership.leave(request) : this.consumers.classic.leave(mixed, request)
  }

  #consumerWithMembers(groupId: string): ConsumerGroup | undefined {
    const group = this.#groups.consumer(groupId)
    return group === undefined || group.isEmpty ? undefined : group
  }

  /** `states` and `types`: whatever case and blanks; none for all. */
  list({ statesFilter, typesFilter }: ListGroupsRequest): ListedGroup[] {
    const states = new Set(statesFilter.map((state) => state.toLowerCase().trim()))
    const types = new Set(typesFilter.map((type) => type.toLowerCase()))
    const listed: ListedGroup[] = []
    for (const group of this.#groups.all()) {
      if (states.size > 0 && !states.has(filterNameOf(group.stateName))) continue
      if (types.size > 0 && !types.has(group.type)) continue
      listed.push({
        groupId: group.id,
        protocolType: group.protocolType,
        groupState: group.stateName,
        groupType: group.type,
      })
    }
    return listed
  }

  describe(groupIds: readonly string[], apiVersion: number): DescribedGroup[] {
    return groupIds.map((groupId) => {
      const group = this.#groups.classic(groupId)
      return group === undefined ? this.#describeMissing(groupId, apiVersion) : describeClassicGroup(group)
    })
  }

  #describeMissing(groupId: string, apiVersion: number): DescribedGroup {
    const dead = { ...undescribedGroup(groupId), groupState: 'Dead' }
    // Older clients take a group that is not there for one that is dead (KIP-1043).
    if (apiVersion <= LATEST_WITHOUT_NOT_FOUND) return dead
    const isThere = this.#groups.get(groupId) !== undefined
    const errorMessage = isThere ? `Group ${groupId} is not a classic group.` : `Group ${groupId} not found.`
    return { ...dead, errorCode: errors.GROUP_ID_NOT_FOUND.code, errorMessage }
  }

  deleteGroups(groupIds: readonly string[]): Result<DeletionResult[]> {
    const records: CoordinatorRecord[] = []
    const response = groupIds.map((groupId) => {
      try {
        const group = this.#groups.require(groupId)
        group.validateDelete()
        records.push(...this.offsets.deleteAll(groupId), ...group.tombstones())
        return { groupId, errorCode: errors.NONE.code }
      } catch (reason) {
        if (!(reason instanceof CoordinatorError)) throw reason
        return { groupId, errorCode: reason.error.code }
      }
    })
    return { records, response }
  }

  forgetTopics(topics: readonly DeletedTopic[]): Result<void> {
    const states = this.shares.states.forgetTopics(new Set(topics.map(({ id }) => id)))
    return { records: [...this.offsets.forgetTopics(topics), ...states], response: undefined, atomic: false }
  }

  #classicGroups(): ClassicGroup[] {
    return [...this.#groups.all()].flatMap((group) => this.#groups.classic(group.id) ?? [])
  }

  #scheduleExpiration(): void {
    const everyMs = this.#config.offsetsRetentionCheckIntervalMs
    this.#context.timers.schedule(EXPIRATION_TIMER, everyMs, () => this.#expire(), everyMs)
  }

  /** Offsets past their retention go, and with its last offset a group without members. */
  #expire(): Result<void> {
    const records: CoordinatorRecord[] = []
    for (const group of this.#groups.all()) {
      const allExpired = this.offsets.expire(group, records)
      // A share group's state is kept elsewhere, and stays until the group is deleted.
      if (allExpired && group.isEmpty && group.type !== 'share') records.push(...group.tombstones())
    }
    this.#scheduleExpiration()
    return { records, response: undefined, atomic: false }
  }
}

/** Apache Kafka has one state that its filter knows by another name. */
function filterNameOf(stateName: string): string {
  return stateName === 'NotReady' ? 'not_ready' : stateName.toLowerCase()
}
