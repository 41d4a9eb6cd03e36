import type { PartitionLog } from '../../log/partition-log.ts'
import { PartitionLog as Log } from '../../log/partition-log.ts'
import { batchOf, DEFAULT_CONFIG, type TestEnvironment, testEnvironment } from '../../log/testkit.ts'
import type { LogConfig } from '../../log/types.ts'
import type { Logger } from '../../platform/logger.ts'
import { MemoryNetwork } from '../../platform/memory-network.ts'
import type { Connection } from '../../platform/network.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { apis } from '../../protocol/api-keys.ts'
import { codecOf } from '../../protocol/codec.ts'
import { FrameDecoder } from '../../protocol/frame-decoder.ts'
import { decodeRequestHeader, encodeResponse } from '../../protocol/frames.ts'
import { FetchRequest, type FetchResponse, type FetchResponseInput } from '../../protocol/messages/fetch.ts'
import { ListOffsetsRequest, type ListOffsetsResponseInput } from '../../protocol/messages/list-offsets.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import type { BatchOptions } from '../../protocol/records/builder.ts'
import { Partition, type PartitionState } from '../partition.ts'
import { partitionContext } from '../replication.testkit.ts'
import { FetcherManager } from './fetcher-manager.ts'
import type { FetcherManagerOptions, FollowerSettings } from './follower-options.ts'

export const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
export const LEADER = 1
export const FOLLOWER = 2

export const SETTINGS: FollowerSettings = {
  fetcherCount: 1,
  waitMaxMs: 500,
  minBytes: 1,
  maxBytes: 1024 * 1024,
  responseMaxBytes: 10 * 1024 * 1024,
  backoffMs: 1000,
  socketTimeoutMs: 30_000,
}

type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number]

/** An answer for one partition. */
export function answerOf(partitionIndex: number, parts: Partial<PartitionAnswer> = {}) {
  return {
    partitionIndex,
    errorCode: 0,
    highWatermark: 0,
    lastStableOffset: -1,
    logStartOffset: 0,
    abortedTransactions: null,
    records: null,
    ...parts,
  }
}

export function responseOf(
  partitions: readonly ReturnType<typeof answerOf>[],
  parts: Partial<FetchResponseInput> = {},
): FetchResponseInput {
  const responses = partitions.length === 0 ? [] : [{ topic: '', topicId: TOPIC_ID, partitions: [...partitions] }]
  return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses, ...parts }
}

/** A batch as a leader has it in its log. */
export function leaderBatch(baseOffset: number, epoch: number, values: readonly string[], options: BatchOptions = {}) {
  const bytes = batchOf(values, options)
  const view = new BatchView(bytes)
  view.setBaseOffset(baseOffset)
  view.setPartitionLeaderEpoch(epoch)
  return bytes
}

type Respond = (body: FetchResponseInput) => void

/** A leader that answers what a test wants; what it does not want answered is held back. */
export class ScriptedLeader {
  readonly fetches: FetchRequest[] = []
  readonly fetchVersions: number[] = []
  readonly listOffsets: ListOffsetsRequest[] = []
  maxFetchVersion = 18
  connectionCount = 0
  onFetch: (request: FetchRequest, respond: Respond) => FetchResponseInput | undefined = () => undefined
  onListOffsets: (request: ListOffsetsRequest) => ListOffsetsResponseInput | undefined = () => undefined

  accept = (connection: Connection): void => {
    this.connectionCount += 1
    const decoder = new FrameDecoder(100_000_000)
    connection.handle({
      data: (chunk) => {
        decoder.push(chunk)
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) this.#answer(connection, frame)
      },
      drained() {},
      closed() {},
    })
  }

  #answer(connection: Connection, frame: Buffer): void {
    const { api, apiVersion, correlationId, reader } = decodeRequestHeader(frame)
    if (api.key === apis.ApiVersions.key) {
      const apiKeys = [
        { apiKey: apis.Fetch.key, minVersion: 4, maxVersion: this.maxFetchVersion },
        { apiKey: apis.ListOffsets.key, minVersion: 1, maxVersion: 11 },
      ]
      connection.write(
        encodeResponse(apis.ApiVersions, apiVersion, correlationId, { errorCode: 0, apiKeys, throttleTimeMs: 0 }),
      )
    } else if (api.key === apis.Fetch.key) {
      const request = codecOf(FetchRequest, apiVersion).read(reader)
      this.fetches.push(request)
      this.fetchVersions.push(apiVersion)
      const respond: Respond = (body) => connection.write(encodeResponse(apis.Fetch, apiVersion, correlationId, body))
      const body = this.onFetch(request, respond)
      if (body !== undefined) respond(body)
    } else {
      const request = codecOf(ListOffsetsRequest, apiVersion).read(reader)
      this.listOffsets.push(request)
      const body = this.onListOffsets(request)
      if (body !== undefined) connection.write(encodeResponse(apis.ListOffsets, apiVersion, correlationId, body))
    }
  }
}

export function stateOf(parts: Partial<PartitionState> = {}): PartitionState {
  return {
    topic: 'topic',
    topicId: TOPIC_ID,
    partition: 0,
    leader: LEADER,
    leaderEpoch: 5,
    partitionEpoch: 1,
    replicas: [LEADER, FOLLOWER],
    isr: [LEADER, FOLLOWER],
    leaderRecoveryState: 0,
    addingReplicas: [],
    removingReplicas: [],
    ...parts,
  }
}

/** A log in its own directory. */
export function logOf(
  environment: TestEnvironment,
  { topic, partition }: { topic: string; partition: number },
  config: Partial<LogConfig> = {},
  root = '/data',
): PartitionLog {
  environment.disk.makeDirectory(root)
  return Log.open(environment, {
    topic,
    partition,
    directory: `${root}/${topic}-${partition}`,
    config: { ...DEFAULT_CONFIG, ...config },
    topicId: TOPIC_ID,
  })
}

/** A follower with a scripted leader, in virtual time. */
export class World {
  readonly time = new VirtualTime()
  readonly network = new MemoryNetwork(this.time)
  readonly environment = testEnvironment({ time: this.time })
  readonly leader = new ScriptedLeader()
  readonly warnings: string[] = []
  readonly manager: FetcherManager
  settings = SETTINGS
  leaderPort: number | undefined = 9092

  constructor(options: Partial<FetcherManagerOptions> = {}) {
    this.network.delayMs = () => 1
    const say = (message: string) => this.warnings.push(message)
    const logger: Logger = { debug() {}, info() {}, warn: say, error: say, level: 'INFO' }
    this.manager = new FetcherManager({
      nodeId: FOLLOWER,
      network: this.network.of('follower'),
      time: this.time,
      logger,
      endpointOf: () => (this.leaderPort === undefined ? undefined : { host: 'leader', port: this.leaderPort }),
      brokerEpoch: () => 77,
      settings: () => this.settings,
      ...options,
    })
  }

  async listen(port = 9092): Promise<this> {
    await this.network.of('leader').listen({ host: 'leader', port }, this.leader.accept)
    return this
  }

  partition(parts: Partial<PartitionState> = {}, config: Partial<LogConfig> = {}): Partition {
    const state = stateOf(parts)
    const context = partitionContext(this.time, { nodeId: FOLLOWER })
    return new Partition(context, state, logOf(this.environment, state, config), 1)
  }

  /** What is on the wire now arrives, and what that sets off; less than any pause. */
  async settle(): Promise<void> {
    await this.time.advance(20)
  }
}
