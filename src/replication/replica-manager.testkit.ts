import { PartitionLog } from '../log/partition-log.ts'
import { DEFAULT_CONFIG, type TestEnvironment, testEnvironment } from '../log/testkit.ts'
import type { PartitionLogApi } from '../log/types.ts'
import { silentLogger } from '../platform/logger.ts'
import { buildBatch } from '../protocol/records/builder.ts'
import type { FetchParams, FetchResult, FetchSpec } from './fetch-reader.ts'
import type { PartitionState } from './partition.ts'
import { type Logs, ReplicaManager, type ReplicaManagerOptions } from './replica-manager.ts'
import { partitionState } from './replication.testkit.ts'

const NODE = 1
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

class MemoryLogs implements Logs {
  readonly #environment: TestEnvironment
  readonly #logs = new Map<string, PartitionLog>()
  readonly aside: string[] = []

  constructor(environment: TestEnvironment) {
    this.#environment = environment
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#logs.get(`${topic}-${partition}`)
  }

  create(topic: string, partition: number, topicId: string): PartitionLogApi {
    const directory = `/data/${topic}-${partition}`
    this.#environment.disk.makeDirectory('/data')
    const log = PartitionLog.open(this.#environment, { topic, partition, directory, topicId, config: DEFAULT_CONFIG })
    this.#logs.set(`${topic}-${partition}`, log)
    return log
  }

  delete(topic: string, partition: number): void {
    this.#logs.delete(`${topic}-${partition}`)
    this.#environment.disk.removeTree(`/data/${topic}-${partition}`)
  }

  setAside(topic: string, partition: number): void {
    this.#logs.delete(`${topic}-${partition}`)
    this.aside.push(`${topic}-${partition}`)
  }

  all(): Iterable<PartitionLogApi> {
    return this.#logs.values()
  }
}

export function state(partition: number, change: Partial<PartitionState> = {}): PartitionState {
  return partitionState({ partition, leaderEpoch: 3, partitionEpoch: 5, ...change })
}

export function batch(values: readonly string[], baseOffset = 0): Buffer {
  const records = values.map((value) => ({ timestamp: 1_700_000_000_000, key: null, value: Buffer.from(value) }))
  return buildBatch(records, { baseOffset })
}

export function spec(partition: number, change: Partial<FetchSpec> = {}): FetchSpec {
  return {
    topic: 'topic',
    topicId: TOPIC_ID,
    partition,
    fetchOffset: 0,
    maxBytes: 1_000_000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    ...change,
  }
}

function params(change: Partial<FetchParams> = {}): FetchParams {
  return {
    replicaId: -1,
    upTo: 'highWatermark',
    mustLead: true,
    minBytes: 1,
    maxBytes: 1_000_000,
    maxWaitMs: 500,
    ...change,
  }
}

/** A broker 1 that leads partitions 0 and 1 of `topic`, in epoch 3, alone. */
export class ReplicaWorld {
  readonly environment: TestEnvironment = testEnvironment({ tailCacheBytes: 1_000_000 })
  readonly logs = new MemoryLogs(this.environment)
  minInsyncReplicas = 1
  readonly replicas: ReplicaManager
  /** Ends the waiting of the last fetch, as when its client is gone. */
  abandon: (() => void) | undefined

  constructor() {
    this.replicas = this.manager()
    this.replicas.apply([state(0), state(1)], [])
  }

  /** Another one with the same logs. */
  manager(change: Partial<ReplicaManagerOptions> = {}): ReplicaManager {
    return new ReplicaManager({
      mustVerifyTransactions: () => true,
      nodeId: NODE,
      logs: this.logs,
      time: this.environment.time,
      logger: silentLogger,
      configOf: () => ({ log: DEFAULT_CONFIG, minInsyncReplicas: this.minInsyncReplicas }),
      ...change,
    })
  }

  append(partition: number, values: readonly string[], acks = -1) {
    return this.replicas.append('topic', partition, [batch(values)], acks, 'client')
  }

  fetch(change: Partial<FetchParams>, ...specs: FetchSpec[]): FetchResult[] | Promise<FetchResult[]> {
    return this.replicas.fetch(params(change), specs, (wake) => {
      this.abandon = wake
    })
  }

  /** Results once they are there, without moving the clock. */
  async now(result: FetchResult[] | Promise<FetchResult[]>): Promise<FetchResult[] | 'waits'> {
    let settled: FetchResult[] | 'waits' = 'waits'
    void Promise.resolve(result).then((results) => {
      settled = results
    })
    await this.environment.time.advance(0)
    return settled
  }
}
