import type {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponseInput,
} from '../../protocol/messages/streams-group-heartbeat.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import { ConsumerHarness } from '../consumer/consumer.testkit.ts'
import { type CoordinatorRecord, decodeRecord } from '../coordinator-record.ts'
import type { GroupCoordinatorConfig, StreamsGroupPace } from '../group-config.ts'
import { groupRecordTypes } from '../group-records.ts'
import { testConfig } from '../harness.testkit.ts'
import type { TaskIds } from './tasks.ts'
import { internal, subtopology } from './topology/topology.testkit.ts'
import type { StreamsTopology } from './topology/types.ts'

type Overrides<T> = { readonly [K in keyof T]?: T[K] }

const CLIENT = { apiVersion: 0, clientId: 'client', clientHost: '/127.0.0.1' }
const MAX_BATCH_BYTES = 1 << 20

/** Reads `topic`, and keeps nothing. */
export const stateless: StreamsTopology = { epoch: 0, subtopologies: [subtopology('0', { sourceTopics: ['topic'] })] }
/** Reads `topic` into a store. */
export const stateful: StreamsTopology = {
  epoch: 0,
  subtopologies: [subtopology('0', { sourceTopics: ['topic'], stateChangelogTopics: [internal('changelog')] })],
}

/** Streams groups over a log in memory. */
export class StreamsHarness extends ConsumerHarness {
  static override async started(config: Overrides<GroupCoordinatorConfig> = {}): Promise<StreamsHarness> {
    const harness = new StreamsHarness(config)
    await harness.coordinator.onElection(0, 0)
    return harness
  }

  /** With a pace of its own, and `topic` of 4 partitions. */
  static async paced(pace: Partial<StreamsGroupPace> = {}, maxGroupSize = 100): Promise<StreamsHarness> {
    const { streams } = testConfig
    const paceOf = (groupId: string) => ({ ...streams.paceOf(groupId), ...pace })
    const harness = await StreamsHarness.started({ streams: { maxGroupSize, paceOf } })
    await harness.topic('topic', 4)
    return harness
  }

  async beatStreams(request: Overrides<StreamsGroupHeartbeatRequest>) {
    return this.done(this.coordinator.streamsHeartbeat(CLIENT, { ...streamsRequest(), ...request }))
  }

  async describeStreams(groupId = 'group') {
    return (await this.done(this.coordinator.describeStreamsGroups([groupId])))[0]!
  }

  /** Everything that is in the log, in order. */
  records(): CoordinatorRecord[] {
    const cursor = new RecordCursor()
    const records: CoordinatorRecord[] = []
    for (const batch of this.log.batches.get(0) ?? []) {
      cursor.open(new BatchView(batch), MAX_BATCH_BYTES)
      while (cursor.next()) records.push(decodeRecord(groupRecordTypes, cursor.key()!, cursor.value())!)
    }
    return records
  }
}

function streamsRequest(): StreamsGroupHeartbeatRequest {
  return {
    groupId: 'group',
    memberId: 'm1',
    memberEpoch: 0,
    endpointInformationEpoch: -1,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    topology: null,
    activeTasks: null,
    standbyTasks: null,
    warmupTasks: null,
    processId: null,
    userEndpoint: null,
    clientTags: null,
    taskOffsets: null,
    taskEndOffsets: null,
    shutdownApplication: false,
  }
}

/** A member that does what it is told: gives up at once what it must not have, and says what it has. */
export class Thread {
  readonly harness: StreamsHarness
  readonly memberId: string
  readonly processId: string
  readonly topology: StreamsTopology
  epoch = 0
  active: readonly TaskIds[] = []
  standby: readonly TaskIds[] = []
  /** What it was answered last. */
  heard: StreamsGroupHeartbeatResponseInput = {}

  constructor(harness: StreamsHarness, memberId: string, topology = stateless, processId = `process of ${memberId}`) {
    this.harness = harness
    this.memberId = memberId
    this.topology = topology
    this.processId = processId
  }

  /** How many active tasks it has. */
  get tasks(): number {
    return this.active.reduce((sum, { partitions }) => sum + partitions.length, 0)
  }

  /** The codes of `status`. */
  get told(): number[] {
    return (this.heard.status ?? []).map(({ statusCode }) => statusCode!)
  }

  /** One heartbeat; answers the error code. */
  async beat(more: Overrides<StreamsGroupHeartbeatRequest> = {}): Promise<number> {
    const { memberId, topology, processId } = this
    const joining = { rebalanceTimeoutMs: 30_000, topology, processId, activeTasks: [], standbyTasks: [] }
    const { response } = await this.harness.beatStreams({
      memberId,
      memberEpoch: this.epoch,
      activeTasks: this.active as TaskIds[] as never,
      standbyTasks: this.standby as TaskIds[] as never,
      warmupTasks: [],
      ...(this.epoch === 0 ? joining : {}),
      ...more,
    })
    this.heard = response
    const errorCode = response.errorCode ?? 0
    if (errorCode !== 0) return errorCode
    this.epoch = response.memberEpoch!
    this.active = (response.activeTasks as readonly TaskIds[] | null | undefined) ?? this.active
    this.standby = (response.standbyTasks as readonly TaskIds[] | null | undefined) ?? this.standby
    return 0
  }

  async leave(more: Overrides<StreamsGroupHeartbeatRequest> = {}): Promise<number> {
    const { memberId } = this
    const { response } = await this.harness.beatStreams({ memberId, memberEpoch: -1, ...more })
    this.epoch = 0
    this.active = []
    this.standby = []
    return response.errorCode ?? 0
  }
}

/** Heartbeats in turn until nobody's epoch or tasks change any more. */
export async function settleThreads(threads: readonly Thread[]): Promise<void> {
  for (let round = 1; ; round++) {
    const before = picture(threads)
    for (const thread of threads) await thread.beat()
    if (picture(threads) === before) return
    if (round > 50) throw new Error('the group does not settle')
  }
}

function picture(threads: readonly Thread[]): string {
  return JSON.stringify(threads.map(({ epoch, active, standby }) => [epoch, active, standby]))
}
