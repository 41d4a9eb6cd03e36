import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Broker } from '../conformance/harness/broker.ts'
import { apis } from '../src/protocol/api-keys.ts'
import { encodeRequest } from '../src/protocol/frames.ts'
import { buildBatch } from '../src/protocol/records/builder.ts'
import { Client, createTopic } from './load.ts'

const TOPIC = 'compacted'
const RECORDS_PER_BATCH = 15
const RECORD_BYTES = 1024
const IN_FLIGHT = 5
const TOPIC_RESOURCE = 2
const OVERRIDES = { 'log.cleaner.backoff.ms': '200', 'log.cleaner.dedupe.buffer.size': '134217728' }

type Start = (options: { overrides: Record<string, string> }) => Promise<Broker>

/**
 * CPU seconds for each GB that is compacted: a topic of 1 KB records, every key twice on average, becomes a compacted one
 * when all is written.
 */
export async function measureCompaction(
  start: Start,
  totalBytes: number,
  cpuSeconds: (pid: number) => number,
): Promise<number> {
  const broker = await start({ overrides: OVERRIDES })
  const client = await Client.open(broker.port)
  await createTopic(client, TOPIC, 1)
  await configure(client, { 'segment.bytes': String(64 * 1024 * 1024), 'min.cleanable.dirty.ratio': '0.01' })
  await produceKeys(client, totalBytes)
  const before = cpuSeconds(broker.pid)
  await configure(client, { 'cleanup.policy': 'compact' })
  while (!isCompacted(broker.dataDir)) await new Promise((resolve) => setTimeout(resolve, 50))
  const seconds = cpuSeconds(broker.pid) - before
  client.close()
  await broker.stop()
  rmSync(broker.home.dir, { recursive: true, force: true })
  return seconds / (totalBytes / 1e9)
}

async function configure(client: Client, values: Record<string, string>): Promise<void> {
  const configs = Object.entries(values).map(([name, value]) => ({ name, value, configOperation: 0 }))
  const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: TOPIC, configs }]
  await client.exchange('IncrementalAlterConfigs', 0, { resources, validateOnly: false })
}

async function produceKeys(client: Client, totalBytes: number): Promise<void> {
  const batches = Math.ceil(totalBytes / (RECORDS_PER_BATCH * RECORD_BYTES))
  const keys = Math.ceil((batches * RECORDS_PER_BATCH) / 2)
  let state = 42
  const value = Buffer.alloc(RECORD_BYTES - 20, 'compaction ')
  let sent = 0
  const worker = async () => {
    while (sent < batches) {
      sent += 1
      const records = Array.from({ length: RECORDS_PER_BATCH }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
        return { timestamp: Date.now(), key: Buffer.from(`key-${(state >>> 4) % keys}`), value }
      })
      const topicData = [{ name: TOPIC, partitionData: [{ index: 0, records: [buildBatch(records)] }] }]
      const header = { correlationId: 1, clientId: 'bench' }
      const body = { acks: -1, timeoutMs: 30_000, topicData }
      await client.exchangeFrame(Buffer.concat(encodeRequest(apis.Produce, 9, header, body)).subarray(4))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

/** Whether all but the active segment is compacted. */
function isCompacted(dataDir: string): boolean {
  const file = join(dataDir, 'cleaner-offset-checkpoint')
  const line = existsSync(file) ? new RegExp(`^${TOPIC} 0 (\\d+)$`, 'm').exec(readFileSync(file, 'utf8')) : null
  const logs = readdirSync(join(dataDir, `${TOPIC}-0`)).filter((name) => name.endsWith('.log'))
  return line !== null && Number(line[1]) === Math.max(...logs.map((name) => Number(name.slice(0, 20))))
}
