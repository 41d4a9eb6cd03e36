import type { PartitionLog } from '../../log/partition-log.ts'
import { PartitionLog as Log } from '../../log/partition-log.ts'
import { DEFAULT_CONFIG, type SeededRandom, type TestEnvironment, testEnvironment } from '../../log/testkit.ts'
import type { LogConfig } from '../../log/types.ts'
import { silentLogger } from '../../platform/logger.ts'
import { MemoryNetwork } from '../../platform/memory-network.ts'
import type { Connection } from '../../platform/network.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { apis } from '../../protocol/api-keys.ts'
import { codecOf } from '../../protocol/codec.ts'
import { errors } from '../../protocol/errors.ts'
import { FrameDecoder } from '../../protocol/frame-decoder.ts'
import { decodeRequestHeader, encodeResponse } from '../../protocol/frames.ts'
import { FetchRequest, type FetchResponseInput } from '../../protocol/messages/fetch.ts'
import { ListOffsetsRequest } from '../../protocol/messages/list-offsets.ts'
import { FetchReader, type FetchResult, type FetchSpec } from '../fetch-reader.ts'
import { Partition, type PartitionState } from '../partition.ts'
import { partitionContext } from '../replication.testkit.ts'
import { FetcherManager } from './fetcher-manager.ts'
import { SETTINGS, stateOf } from './follower.testkit.ts'

const NODES = [1, 2, 3] as const
const PORT = 9092

interface Session {
  epoch: number
  spec: FetchSpec | undefined
}

/** One broker with its replica of the partition: as a leader it answers fetches, as a follower it fetches. */
export class ReplicaNode {
  readonly id: number
  readonly environment: TestEnvironment
  readonly #cluster: ReplicaCluster
  readonly #config: Partial<LogConfig>
  partition!: Partition
  #manager!: FetcherManager
  #reader!: FetchReader
  #sessions = new Map<number, Session>()
  #lastSession = 0
  isUp = false
  /** The checkpoints, as a broker writes them now and then. */
  #checkpoint = { recoveryPoint: 0, logStartOffset: 0, highWatermark: 0 }

  constructor(cluster: ReplicaCluster, id: number, config: Partial<LogConfig>) {
    this.id = id
    this.#cluster = cluster
    this.#config = config
    this.environment = testEnvironment({ time: cluster.time, tailCacheBytes: id === 2 ? 0 : 2000 })
    this.environment.disk.makeDirectory('/data')
  }

  get log(): PartitionLog {
    return this.partition.log as PartitionLog
  }

  get host(): string {
    return `node${this.id}`
  }

  async start(state: PartitionState): Promise<void> {
    const { time, network } = this.#cluster
    const log = Log.open(this.environment, {
      topic: 'topic',
      partition: 0,
      directory: '/data/topic-0',
      config: { ...DEFAULT_CONFIG, ...this.#config },
      topicId: state.topicId,
      onTruncated: () => this.checkpoint(),
      ...this.#checkpoint,
    })
    const brokers = new Map(NODES.map((id) => [id, { epoch: 100 + id, fenced: false, inControlledShutdown: false }]))
    const context = partitionContext(time, { nodeId: this.id, brokers, maxLagMs: () => 1e9 })
    this.partition = new Partition(context, state, log, 1)
    this.#reader = new FetchReader({ get: () => this.partition }, time, silentLogger)
    this.#sessions.clear()
    this.#manager = new FetcherManager({
      nodeId: this.id,
      network: network.of(this.host),
      time,
      logger: silentLogger,
      endpointOf: (id) => ({ host: `node${id}`, port: PORT }),
      brokerEpoch: () => 100 + this.id,
      settings: () => ({ ...SETTINGS, maxBytes: 700, socketTimeoutMs: 1500 }),
    })
    await network.of(this.host).listen({ host: this.host, port: PORT }, (connection) => this.#serve(connection))
    this.isUp = true
    this.apply(state)
  }

  /** What the metadata says. */
  apply(state: PartitionState): void {
    this.partition.update(state)
    if (this.partition.isLeader) this.#manager.stop(this.partition)
    else this.#manager.follow(this.partition)
  }

  checkpoint(): void {
    const { recoveryPoint, logStartOffset, highWatermark } = this.log
    this.#checkpoint = { recoveryPoint, logStartOffset, highWatermark }
  }

  /** The process is gone; with it, after a power failure, what was not synced. */
  kill(isPowerFailure: boolean): void {
    this.isUp = false
    this.partition.end(errors.NOT_LEADER_OR_FOLLOWER)
    this.#reader.stopWaiting()
    void this.#manager.close()
    this.#cluster.network.crash(this.host)
    this.log.closeFiles()
    if (isPowerFailure) this.environment.disk.crash()
  }

  #serve(connection: Connection): void {
    const decoder = new FrameDecoder(10_000_000)
    connection.handle({
      data: (chunk) => {
        decoder.push(chunk)
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next())
          void this.#answer(connection, frame)
      },
      drained() {},
      closed() {},
    })
  }

  async #answer(connection: Connection, frame: Buffer): Promise<void> {
    const { api, apiVersion, correlationId, reader } = decodeRequestHeader(frame)
    if (api.key === apis.ApiVersions.key) {
      const apiKeys = [apis.Fetch, apis.ListOffsets].map(({ key }) => ({ apiKey: key, minVersion: 4, maxVersion: 11 }))
      apiKeys[0]!.maxVersion = 18
      const body = { errorCode: 0, apiKeys, throttleTimeMs: 0 }
      connection.write(encodeResponse(apis.ApiVersions, apiVersion, correlationId, body))
    } else if (api.key === apis.Fetch.key) {
      const body = await this.#fetch(codecOf(FetchRequest, apiVersion).read(reader))
      if (this.isUp) connection.write(encodeResponse(apis.Fetch, apiVersion, correlationId, body))
    } else {
      const { topics } = codecOf(ListOffsetsRequest, apiVersion).read(reader)
      const { timestamp, currentLeaderEpoch } = topics[0]!.partitions[0]!
      const refusal = this.partition.refusal(currentLeaderEpoch, true)
      const offset = timestamp === -1 ? this.log.logEndOffset : this.log.logStartOffset
      const answer = { partitionIndex: 0, errorCode: refusal?.code ?? 0, timestamp: -1, offset, leaderEpoch: -1 }
      const body = { throttleTimeMs: 0, topics: [{ name: 'topic', partitions: [answer] }] }
      connection.write(encodeResponse(apis.ListOffsets, apiVersion, correlationId, body))
    }
  }

  async #fetch(request: FetchRequest): Promise<FetchResponseInput> {
    const failure = (code: number) => ({ throttleTimeMs: 0, errorCode: code, sessionId: 0, responses: [] })
    let id = request.sessionId
    let session = this.#sessions.get(id)
    if (request.sessionEpoch > 0) {
      if (session === undefined) return failure(errors.FETCH_SESSION_ID_NOT_FOUND.code)
      if (session.epoch !== request.sessionEpoch) return failure(errors.INVALID_FETCH_SESSION_EPOCH.code)
    } else {
      this.#sessions.delete(id)
      id = ++this.#lastSession
      session = { epoch: 0, spec: undefined }
      // Every third request gets none, as where there are too many.
      if (id % 3 === 0) id = 0
      else this.#sessions.set(id, session)
    }
    session.epoch += 1
    for (const { partitions, topicId } of request.topics) {
      for (const { partitionMaxBytes: maxBytes, ...asked } of partitions) {
        session.spec = { topic: 'topic', topicId, maxBytes, ...asked, partition: 0 }
      }
    }
    if (request.topics.length === 0 && request.forgottenTopicsData.length > 0) session.spec = undefined
    if (session.spec === undefined) return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [] }
    const { minBytes, maxBytes, maxWaitMs, replicaState } = request
    const { replicaId, replicaEpoch } = replicaState
    const params = { replicaId, replicaEpoch, upTo: 'logEnd' as const, mustLead: true, minBytes, maxBytes, maxWaitMs }
    const [result] = await this.#reader.fetch(params, [session.spec], () => {})
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      sessionId: id,
      responses: this.#responses(session.spec.topicId!, result!),
    }
  }

  #responses(topicId: string, result: FetchResult): NonNullable<FetchResponseInput['responses']> {
    const { error, highWatermark, lastStableOffset, logStartOffset, divergingEpoch, records } = result
    const answer = {
      partitionIndex: 0,
      errorCode: error.code,
      highWatermark,
      lastStableOffset,
      logStartOffset,
      abortedTransactions: null,
      records: [...records],
      ...(divergingEpoch === undefined ? {} : { divergingEpoch }),
    }
    return [{ topic: 'topic', topicId, partitions: [answer] }]
  }
}

/** A partition with three replicas, all of which count as in sync. */
export class ReplicaCluster {
  readonly time = new VirtualTime()
  readonly network = new MemoryNetwork(this.time)
  readonly nodes: readonly ReplicaNode[]
  state: PartitionState = stateOf({ leader: 1, leaderEpoch: 1, replicas: [...NODES], isr: [...NODES] })

  constructor(random: SeededRandom, config: Partial<LogConfig>) {
    this.network.delayMs = () => random.below(4)
    this.nodes = NODES.map((id) => new ReplicaNode(this, id, config))
  }

  async start(): Promise<void> {
    for (const node of this.nodes) await node.start(this.state)
  }

  node(id: number): ReplicaNode {
    return this.nodes[id - 1]!
  }
}
