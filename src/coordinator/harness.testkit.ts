import { MetadataImage } from '../metadata/image.ts'
import { silentLogger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import type { JoinGroupRequest, JoinGroupResponseInput } from '../protocol/messages/join-group.ts'
import type { LeaveGroupRequest } from '../protocol/messages/leave-group.ts'
import type { OffsetCommitRequest } from '../protocol/messages/offset-commit.ts'
import type { SyncGroupRequest, SyncGroupResponseInput } from '../protocol/messages/sync-group.ts'
import { ZERO_UUID } from '../protocol/uuid.ts'
import type { GroupCoordinatorConfig } from './group-config.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { MemoryCoordinatorLog } from './memory-log.testkit.ts'

export const testConfig: GroupCoordinatorConfig = {
  minSessionTimeoutMs: 100,
  maxSessionTimeoutMs: 60_000,
  maxGroupSize: 100,
  initialRebalanceDelayMs: 3000,
  offsetMetadataMaxChars: 10,
  offsetsRetentionMs: 1_000_000,
  offsetsRetentionCheckIntervalMs: 100_000,
  writeTimeoutMs: 5000,
  lingerMs: -1,
  consumer: {
    maxGroupSize: 100,
    assignors: ['uniform', 'range'],
    migrationPolicy: 'bidirectional',
    regexRefreshIntervalMs: 600_000,
    paceOf: () => ({ sessionTimeoutMs: 45_000, heartbeatIntervalMs: 5000, assignmentIntervalMs: 0 }),
  },
  share: {
    maxGroupSize: 3,
    initializeRetryIntervalMs: 30_000,
    paceOf: () => ({ sessionTimeoutMs: 45_000, heartbeatIntervalMs: 5000, assignmentIntervalMs: 0 }),
  },
  streams: {
    maxGroupSize: 100,
    paceOf: () => ({
      sessionTimeoutMs: 45_000,
      heartbeatIntervalMs: 5000,
      assignmentIntervalMs: 0,
      initialRebalanceDelayMs: 0,
      standbyReplicas: 0,
    }),
  },
}

type Overrides<T> = { readonly [K in keyof T]?: T[K] }

/** Watches a promise without waiting for it. */
export class Outcome<T> {
  value: T | undefined
  isSettled = false
  error: unknown

  constructor(promise: Promise<T>) {
    promise.then(
      (value) => {
        this.value = value
        this.isSettled = true
      },
      (error) => {
        this.error = error
        this.isSettled = true
      },
    )
  }

  get required(): T {
    if (this.error !== undefined) throw this.error
    if (!this.isSettled) throw new Error('there is no answer yet')
    return this.value as T
  }
}

/** A group coordinator over a log in memory, and a clock that stands still. One partition holds all groups. */
export class Harness {
  readonly time = new VirtualTime()
  readonly log: MemoryCoordinatorLog
  readonly config: GroupCoordinatorConfig
  readonly image = new MetadataImage()
  coordinator: GroupCoordinator
  #seed = 1
  #leaderEpoch = 0

  constructor(config: Overrides<GroupCoordinatorConfig> = {}, log = new MemoryCoordinatorLog()) {
    this.config = { ...testConfig, ...config }
    this.log = log
    this.coordinator = this.#make()
  }

  static async started(config: Overrides<GroupCoordinatorConfig> = {}): Promise<Harness> {
    const harness = new Harness(config)
    await harness.coordinator.onElection(0, 0)
    return harness
  }

  #make(): GroupCoordinator {
    const random = {
      bytes: (length: number) => {
        const bytes = Buffer.alloc(length)
        bytes.writeUInt32BE(this.#seed++, length - 4)
        return bytes
      },
      below: () => 0,
    }
    return new GroupCoordinator({
      log: this.log,
      config: this.config,
      codec: 0,
      partitionCount: () => 1,
      image: this.image,
      platform: { time: this.time, random } as unknown as Platform,
      logger: silentLogger,
    })
  }

  /** Another coordinator over the same log; the old one goes on unless told otherwise. */
  async reloaded(): Promise<GroupCoordinator> {
    const fresh = this.#make()
    await fresh.onElection(0, ++this.#leaderEpoch)
    return fresh
  }

  /** The coordinator ends and another one takes over. */
  async restart(): Promise<void> {
    this.coordinator.onResignation(0, this.#leaderEpoch + 1)
    this.coordinator = await this.reloaded()
  }

  async pass(durationMs: number): Promise<void> {
    await this.time.advance(durationMs)
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await this.time.advance(0)
  }

  async done<T>(promise: Promise<T>): Promise<T> {
    const outcome = new Outcome(promise)
    await this.settle()
    return outcome.required
  }

  join(request: Overrides<JoinGroupRequest>, apiVersion = 9): Outcome<JoinGroupResponseInput> {
    return new Outcome(
      this.coordinator.joinGroup(
        { apiVersion, clientId: 'client', clientHost: '/127.0.0.1' },
        {
          groupId: 'group',
          sessionTimeoutMs: 10_000,
          rebalanceTimeoutMs: 30_000,
          memberId: '',
          groupInstanceId: null,
          protocolType: 'consumer',
          protocols: [{ name: 'range', metadata: subscription('topic') }],
          reason: null,
          ...request,
        },
      ),
    )
  }

  sync(request: Overrides<SyncGroupRequest>): Outcome<SyncGroupResponseInput> {
    return new Outcome(
      this.coordinator.syncGroup({
        groupId: 'group',
        generationId: 1,
        memberId: '',
        groupInstanceId: null,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [],
        ...request,
      }),
    )
  }

  async heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null): Promise<number> {
    const request = { groupId: 'group', memberId, generationId, groupInstanceId }
    return (await this.done(this.coordinator.heartbeat(request))).errorCode ?? 0
  }

  leave(...members: Overrides<LeaveGroupRequest['members'][number]>[]) {
    const full = members.map((member) => ({ memberId: '', groupInstanceId: null, reason: null, ...member }))
    return this.done(this.coordinator.leaveGroup({ groupId: 'group', memberId: '', members: full }))
  }

  /** Commits `offset` for partition 0 of `topic`; answers the error code. */
  async commit(offset: number, request: Overrides<OffsetCommitRequest> = {}, apiVersion = 9): Promise<number> {
    return (await this.commitOutcome(offset, request, apiVersion)).required.topics[0]!.partitions[0]!.errorCode
  }

  async commitOutcome(offset: number, request: Overrides<OffsetCommitRequest> = {}, apiVersion = 9) {
    const outcome = new Outcome(
      this.coordinator.commitOffsets(
        { apiVersion, clientId: 'client', clientHost: '/127.0.0.1' },
        commitRequest(offset, request),
      ),
    )
    await this.settle()
    return outcome
  }

  /** The offset that is committed for a partition, -1 for none. */
  async fetch(topic = 'topic', partition = 0, groupId = 'group'): Promise<number> {
    const topics = [{ name: topic, topicId: ZERO_UUID, partitionIndexes: [partition] }]
    const request = { groupId, memberId: null, memberEpoch: -1, topics }
    return (await this.done(this.coordinator.fetchOffsets(request, false))).topics[0]!.partitions[0]!.committedOffset
  }

  async describe(groupId = 'group', apiVersion = 6) {
    return (await this.done(this.coordinator.describeGroups([groupId], apiVersion)))[0]!
  }

  async list(statesFilter: string[] = [], typesFilter: string[] = []) {
    return (await this.done(this.coordinator.listGroups({ statesFilter, typesFilter }))).groups
  }

  /** A dynamic member that has been given its id. */
  async newMemberId(request: Overrides<JoinGroupRequest> = {}): Promise<string> {
    const outcome = this.join(request)
    await this.settle()
    return outcome.required.memberId!
  }

  /** A stable group of `count` dynamic members; the first one leads. Everybody is assigned its own member id. */
  async stableGroup(count: number): Promise<{ memberIds: string[]; generationId: number }> {
    const memberIds: string[] = []
    for (let i = 0; i < count; i++) memberIds.push(await this.newMemberId())
    const joins = memberIds.map((memberId) => this.join({ memberId }))
    await this.pass(2 * this.config.initialRebalanceDelayMs)
    const generationId = joins[0]!.required.generationId!
    await this.assign(memberIds, joins[0]!.required.leader!, generationId)
    return { memberIds, generationId }
  }

  /** All members sync; the leader gives each its member id as assignment. */
  async assign(memberIds: readonly string[], leader: string, generationId: number) {
    const assignments = memberIds.map((memberId) => ({ memberId, assignment: Buffer.from(memberId) }))
    const syncs = memberIds.map((memberId) =>
      this.sync({ memberId, generationId, assignments: memberId === leader ? assignments : [] }),
    )
    await this.settle()
    return syncs
  }
}

export function commitRequest(offset: number, request: Overrides<OffsetCommitRequest> = {}): OffsetCommitRequest {
  return {
    groupId: 'group',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1,
    topics: [{ name: 'topic', topicId: ZERO_UUID, partitions: [commitPartition(0, offset)] }],
    ...request,
  }
}

export function commitPartition(
  partitionIndex: number,
  committedOffset: number,
  committedMetadata: string | null = null,
) {
  return { partitionIndex, committedOffset, committedLeaderEpoch: -1, commitTimestamp: -1, committedMetadata }
}

/** A consumer's subscription, version 0. */
export function subscription(...topics: string[]): Buffer {
  const names = topics.map((topic) => {
    const name = Buffer.from(topic)
    const size = Buffer.alloc(2)
    size.writeInt16BE(name.length)
    return Buffer.concat([size, name])
  })
  const head = Buffer.alloc(6)
  head.writeInt32BE(topics.length, 2)
  return Buffer.concat([head, ...names, Buffer.from([0xff, 0xff, 0xff, 0xff])])
}
