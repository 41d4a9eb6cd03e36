import { silentLogger } from '../platform/logger.ts'
import { MemoryDisk } from '../platform/memory-disk.ts'
import type { Random } from '../platform/random.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { BatchView } from '../protocol/records/batch.ts'
import { type BatchOptions, buildBatch, type RecordInput } from '../protocol/records/builder.ts'
import { ControlType, controlKey, endTxnMarkerValue } from '../protocol/records/control.ts'
import { decodeRecords } from '../protocol/records/cursor.ts'
import type { LogEnvironment, PartitionLogOptions } from './log-options.ts'
import { PartitionLog } from './partition-log.ts'
import { ReadBuffers } from './read-buffers.ts'
import { TailBudget } from './tail-cache.ts'
import type { FetchData, LogConfig, ReadOptions } from './types.ts'

export const NEVER = 2 ** 63

/** Apache Kafka's defaults. */
export const DEFAULT_CONFIG: LogConfig = {
  segmentBytes: 2 ** 30,
  segmentMs: 604_800_000,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 * 1024 * 1024,
  indexIntervalBytes: 4096,
  retentionMs: 604_800_000,
  retentionBytes: -1,
  cleanupDelete: true,
  cleanupCompact: false,
  deleteRetentionMs: 86_400_000,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.POSITIVE_INFINITY,
  minCleanableDirtyRatio: 0.5,
  maxMessageBytes: 1_048_588,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: NEVER,
  timestampAfterMaxMs: 3_600_000,
  compression: undefined,
  flushMessages: NEVER,
  flushMs: NEVER,
  fileDeleteDelayMs: 60_000,
}

/** Seeded, so that a failure can be had again. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  below(below: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % below
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }
}

export interface TestEnvironment extends LogEnvironment {
  readonly disk: MemoryDisk
  readonly time: VirtualTime
}

export function testEnvironment(overrides: Partial<TestEnvironment> = {}): TestEnvironment {
  return {
    disk: new MemoryDisk(),
    time: new VirtualTime(),
    random: new SeededRandom(1),
    logger: silentLogger,
    producerIdExpirationMs: 86_400_000,
    tailCacheBytes: 0,
    tailBudget: new TailBudget(2 ** 30),
    readBuffers: new ReadBuffers(),
    ...overrides,
  }
}

export const DIRECTORY = '/data/topic-0'

export function openLog(
  environment: TestEnvironment,
  config: Partial<LogConfig> = {},
  options: Partial<PartitionLogOptions> = {},
): PartitionLog {
  environment.disk.makeDirectory('/data')
  return PartitionLog.open(environment, {
    topic: 'topic',
    partition: 0,
    directory: DIRECTORY,
    config: { ...DEFAULT_CONFIG, ...config },
    ...options,
  })
}

export function record(value: string, extra: Partial<RecordInput> = {}): RecordInput {
  return { timestamp: 1_700_000_000_000, key: Buffer.from('k'), value: Buffer.from(value), ...extra }
}

/** A batch as a client sends it, one record for each value. */
export function batchOf(values: readonly string[], options: BatchOptions = {}): Buffer {
  return buildBatch(
    values.map((value) => record(value)),
    options,
  )
}

export function marker(type: 'commit' | 'abort', producerId: number, producerEpoch: number, epoch = 0): Buffer {
  return buildBatch(
    [{ timestamp: 1_700_000_000_000, key: controlKey(ControlType[type]), value: endTxnMarkerValue(epoch) }],
    { producerId, producerEpoch, isTransactional: true, isControl: true },
  )
}

export const CLIENT = { leaderEpoch: 0, origin: 'client' } as const

export const READ_ALL: ReadOptions = { maxBytes: 2 ** 20, minOneBatch: true, upTo: 'logEnd' }

/** All batches from `offset` to the end of the log, as views. */
export async function readBatches(log: PartitionLog, from = log.logStartOffset): Promise<BatchView[]> {
  const batches: BatchView[] = []
  for (let offset = from; offset < log.logEndOffset; ) {
    const data: FetchData = await log.read(offset, READ_ALL)
    if (data.sizeBytes === 0) break
    for (const buffer of data.records) {
      for (let at = 0; at < buffer.length; ) {
        const view = new BatchView(buffer, at)
        batches.push(view)
        at = view.end
      }
    }
    offset = data.nextOffset
  }
  return batches
}

/** Offset and value of every record from `offset` on. */
export async function readValues(log: PartitionLog, from = log.logStartOffset): Promise<[number, string][]> {
  const values: [number, string][] = []
  for (const batch of await readBatches(log, from)) {
    for (const { offset, value } of decodeRecords(batch, 2 ** 20)) values.push([offset, value?.toString() ?? ''])
  }
  return values
}
