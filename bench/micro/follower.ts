/**
 * What it costs a follower to copy a leader's log: CPU seconds of its process per GB, from a leader in a process of its own
 * that has everything in memory; 10 partitions, batches of 16 KB, Apache Kafka's default sizes of a fetch.
 *
 * `npx tsc -p tsconfig.bench.json && node build/bench/micro/follower.js [GIGABYTES]`; BENCH_DIR says where the logs go.
 */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PartitionLog } from '../../src/log/partition-log.ts'
import { ReadBuffers } from '../../src/log/read-buffers.ts'
import { TailBudget } from '../../src/log/tail-cache.ts'
import type { LogConfig } from '../../src/log/types.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { nodePlatform } from '../../src/platform/node-platform.ts'
import { apis } from '../../src/protocol/api-keys.ts'
import { codecOf } from '../../src/protocol/codec.ts'
import { FrameDecoder } from '../../src/protocol/frame-decoder.ts'
import { decodeRequestHeader, encodeResponse } from '../../src/protocol/frames.ts'
import { FetchRequest } from '../../src/protocol/messages/fetch.ts'
import { BatchView } from '../../src/protocol/records/batch.ts'
import { buildBatch } from '../../src/protocol/records/builder.ts'
import { FetcherManager } from '../../src/replication/follower/fetcher-manager.ts'
import { Partition } from '../../src/replication/partition.ts'

const GB = 1e9
const PARTITIONS = 10
const BATCHES_PER_FETCH = 64
const RECORDS_PER_BATCH = 16
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

const config: LogConfig = {
  segmentBytes: 2 ** 30,
  segmentMs: 604_800_000,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 * 1024 * 1024,
  indexIntervalBytes: 4096,
  retentionMs: -1,
  retentionBytes: -1,
  cleanupDelete: true,
  cleanupCompact: false,
  deleteRetentionMs: 86_400_000,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.POSITIVE_INFINITY,
  minCleanableDirtyRatio: 0.5,
  maxMessageBytes: 1_048_588,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: 2 ** 63,
  timestampAfterMaxMs: 3_600_000,
  compression: undefined,
  flushMessages: 2 ** 63,
  flushMs: 2 ** 63,
  fileDeleteDelayMs: 60_000,
}

/** Answers every fetch with as much as it may be of the offsets that are asked for. */
function lead(): void {
  const record = Buffer.alloc(1000, 'x')
  const batch = buildBatch(
    Array.from({ length: RECORDS_PER_BATCH }, () => ({ timestamp: 1_700_000_000_000, key: null, value: record })),
  )
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    const decoder = new FrameDecoder(1e8)
    socket.on('data', (chunk) => {
      decoder.push(chunk as Buffer)
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) answer(frame)
    })
    const send = (chunks: readonly Buffer[]) => {
      socket.cork()
      for (const chunk of chunks) socket.write(chunk)
      socket.uncork()
    }
    const answer = (frame: Buffer): void => {
      const { api, apiVersion, correlationId, reader } = decodeRequestHeader(frame)
      if (api.key === apis.ApiVersions.key) {
        const apiKeys = [{ apiKey: apis.Fetch.key, minVersion: 4, maxVersion: 18 }]
        send(encodeResponse(apis.ApiVersions, apiVersion, correlationId, { errorCode: 0, apiKeys, throttleTimeMs: 0 }))
        return
      }
      const request = codecOf(FetchRequest, apiVersion).read(reader)
      const partitions = request.topics
        .flatMap((topic) => topic.partitions)
        .map(({ partition, fetchOffset }) => {
          const records = Buffer.allocUnsafe(batch.length * BATCHES_PER_FETCH)
          for (let index = 0; index < BATCHES_PER_FETCH; index++) {
            const at = index * batch.length
            batch.copy(records, at)
            const view = new BatchView(records, at)
            view.setBaseOffset(fetchOffset + index * RECORDS_PER_BATCH)
            view.setPartitionLeaderEpoch(5)
          }
          const highWatermark = fetchOffset
          const empty = { lastStableOffset: -1, logStartOffset: 0, abortedTransactions: null }
          return { partitionIndex: partition, errorCode: 0, highWatermark, ...empty, records: [records] }
        })
      const responses = [{ topic: '', topicId: TOPIC_ID, partitions }]
      const body = { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses }
      send(encodeResponse(apis.Fetch, apiVersion, correlationId, body))
    }
  })
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as { port: number }).port))
}

async function follow(port: number, gigabytes: number): Promise<void> {
  const platform = nodePlatform()
  const { time, network, disk, random } = platform
  const root = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'follower-'))
  const environment = {
    disk,
    time,
    random,
    logger: silentLogger,
    producerIdExpirationMs: 86_400_000,
    tailCacheBytes: 4 * 1024 * 1024,
    tailBudget: new TailBudget(128 * 1024 * 1024),
    readBuffers: new ReadBuffers(),
  }
  const manager = new FetcherManager({
    nodeId: 2,
    network,
    time,
    logger: { ...silentLogger, warn: console.log, error: console.log },
    endpointOf: () => ({ host: '127.0.0.1', port }),
    brokerEpoch: () => 1,
    settings: () => ({
      fetcherCount: 1,
      waitMaxMs: 500,
      minBytes: 1,
      maxBytes: 1024 * 1024,
      responseMaxBytes: 10 * 1024 * 1024,
      backoffMs: 1000,
      socketTimeoutMs: 30_000,
    }),
  })
  const context = {
    nodeId: 2,
    time,
    brokers: new Map(),
    isrChanges: { submit() {}, close() {} },
    maxLagMs: () => 30_000,
    mustVerifyTransactions: () => true,
    info() {},
  }
  const logs: PartitionLog[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const directory = `${root}/topic-${partition}`
    const log = PartitionLog.open(environment, { topic: 'topic', partition, directory, config, topicId: TOPIC_ID })
    logs.push(log)
    const replicas = { replicas: [1, 2], isr: [1, 2], addingReplicas: [], removingReplicas: [] }
    const epochs = { leader: 1, leaderEpoch: 5, partitionEpoch: 1, leaderRecoveryState: 0 }
    const state = { topic: 'topic', topicId: TOPIC_ID, partition, ...epochs, ...replicas }
    manager.follow(new Partition(context, state, log, 1))
  }
  const sizeBytes = () => logs.reduce((sum, log) => sum + log.sizeBytes, 0)
  const until = async (bytes: number) => {
    while (sizeBytes() < bytes) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await until(0.2 * GB)
  const [from, startMs, cpu] = [sizeBytes(), performance.now(), process.cpuUsage()]
  await until(from + gigabytes * GB)
  const { user, system } = process.cpuUsage(cpu)
  const copied = (sizeBytes() - from) / GB
  const seconds = (performance.now() - startMs) / 1000
  const line = [`${((user + system) / 1e6 / copied).toFixed(2)} CPU s/GB`, `user ${(user / 1e6 / copied).toFixed(2)}`]
  console.log(`${line.join(', ')}, ${((copied * 1000) / seconds).toFixed(0)} MB/s`)
  await manager.close()
  for (const log of logs) log.closeFiles()
  rmSync(root, { recursive: true })
}

if (process.argv[2] === 'lead') lead()
else {
  const leader = fork(fileURLToPath(import.meta.url), ['lead'])
  leader.once('message', (port) => {
    follow(port as number, Number(process.argv[2] ?? 1)).then(
      () => leader.kill(),
      (error) => {
        console.error(error)
        leader.kill()
      },
    )
  })
}
