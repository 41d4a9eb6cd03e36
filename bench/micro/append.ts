/**
 * Appends with acks=all to a partition that nobody else has a replica of, on a disk in memory: what the way through
 * replication and log costs, without the disk and the wire.
 *
 * `npx tsc -p tsconfig.bench.json && node build/bench/micro/append.js`. The best of several rounds, since the machine may
 * be shared, in CPU time of all threads.
 */

import { PartitionLog } from '../../src/log/partition-log.ts'
import { DEFAULT_CONFIG, testEnvironment } from '../../src/log/testkit.ts'
import type { PartitionLogApi } from '../../src/log/types.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { buildBatch } from '../../src/protocol/records/builder.ts'
import { ReplicaManager } from '../../src/replication/replica-manager.ts'
import { partitionState } from '../../src/replication/replication.testkit.ts'

const ROUNDS = 12
const APPENDS = 20_000
const IN_FLIGHT = 32

const environment = testEnvironment({ tailCacheBytes: 1_000_000 })
environment.disk.makeDirectory('/data')

let log: PartitionLogApi | undefined
const replicas = new ReplicaManager({
  nodeId: 1,
  logs: {
    get: () => log,
    create: (topic, partition, topicId) => {
      const config = { ...DEFAULT_CONFIG, segmentBytes: 16 * 1024 * 1024, retentionBytes: 16 * 1024 * 1024 }
      log = PartitionLog.open(environment, { topic, partition, directory: '/data/topic-0', topicId, config })
      return log
    },
    delete: () => {},
    setAside: () => {},
    all: () => [],
  },
  time: environment.time,
  logger: silentLogger,
  configOf: () => ({ log: DEFAULT_CONFIG, minInsyncReplicas: 1 }),
  mustVerifyTransactions: () => true,
})
replicas.apply([partitionState()], [])

const batch = buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: Buffer.alloc(100) }])

async function producer(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await replicas.append('topic', 0, [Buffer.from(batch)], -1, 'client')
}

let best = Number.POSITIVE_INFINITY
for (let round = 0; round < ROUNDS; round++) {
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: IN_FLIGHT }, () => producer(APPENDS / IN_FLIGHT)))
  const { user, system } = process.cpuUsage(before)
  best = Math.min(best, (user + system) / APPENDS)
  log?.retire()
  await environment.time.advance(60_000)
}
console.log(`append, acks=all, alone: ${best.toFixed(2)} us of CPU each`)
