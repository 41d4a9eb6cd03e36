import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { BatchView, batchesIn, batchSizeAt } from '../../src/protocol/records/batch.ts'
import { decodeRecords } from '../../src/protocol/records/cursor.ts'
import { Codec } from '../../src/protocol/records/layout.ts'
import { buildMessageSet, type LegacyMagic } from '../../src/protocol/records/message-set.ts'
import { type Body, Probe } from '../differential/probe.ts'
import { batch, makeTopic, range, warmedUp, write } from '../differential/scenario.ts'
import { type Broker, type BrokerHome, newHome } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'

const TIME = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000
const MOVED_BATCHES = 40
const HALF_COPY = `moved-0.${'0123456789abcdef'.repeat(2)}-future`
const WHOLE_COPY = `moved-1.${'0123456789abcdef'.repeat(2)}-future`
const LOST_COPY = `gone-0.${'0123456789abcdef'.repeat(2)}-future`

function second(home: BrokerHome): string {
  return `${home.dataDir}-2`
}

function overridesOf(home: BrokerHome): Record<string, string> {
  return {
    'log.dirs': `${home.dataDir},${second(home)}`,
    'log.cleaner.backoff.ms': '100',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'log.initial.task.delay.ms': '500',
  }
}

interface OldSegment {
  readonly magic: LegacyMagic
  readonly codec: Codec
  readonly logAppendTimeMs?: number
}

const OLD_SEGMENTS: readonly OldSegment[] = [
  { magic: 0, codec: Codec.none },
  { magic: 0, codec: Codec.gzip },
  { magic: 0, codec: Codec.lz4 },
  { magic: 1, codec: Codec.none },
  { magic: 1, codec: Codec.snappy },
  { magic: 1, codec: Codec.lz4, logAppendTimeMs: TIME + 77_000 },
  { magic: 1, codec: Codec.none },
]
const RECORDS_EACH = 12
const OLD_END = OLD_SEGMENTS.length * RECORDS_EACH

/** One segment, three records in each compressed message; keys come again, and every fifth record is a tombstone. */
function oldSegment({ magic, ...options }: OldSegment, segment: number): Buffer {
  const records = range(RECORDS_EACH).map((index) => {
    const offset = segment * RECORDS_EACH + index
    const value = offset % 5 === 4 ? null : Buffer.from(`value of ${offset} `.repeat(20))
    return { offset, timestamp: TIME + offset * 1000, key: Buffer.from(`key-${offset % 7}`), value }
  })
  const messages = range(RECORDS_EACH / 3).map((index) => records.slice(index * 3, index * 3 + 3))
  return Buffer.concat(messages.map((each) => buildMessageSet(each, { magic, ...options })))
}

/** Takes away what a partition holds, and puts segments of before 0.11 there; their indexes are lost. */
function makeOld(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (/^\d{20}\./.test(name)) rmSync(join(directory, name))
  }
  for (const [index, segment] of OLD_SEGMENTS.entries()) {
    const name = `${String(index * RECORDS_EACH).padStart(20, '0')}.log`
    writeFileSync(join(directory, name), oldSegment(segment, index))
  }
}

function directoryOf(home: BrokerHome, partition: string): string {
  const found = [home.dataDir, second(home)].filter((directory) => existsSync(join(directory, partition)))
  expect(found).toHaveLength(1)
  return found[0]!
}

function otherThan(home: BrokerHome, directory: string): string {
  return directory === home.dataDir ? second(home) : home.dataDir
}

/** Copies of moves that were interrupted: one with half of a segment, one complete, one of a topic that is gone. */
function makeCopies(home: BrokerHome): void {
  for (const [partition, copy] of [
    ['moved-0', HALF_COPY],
    ['moved-1', WHOLE_COPY],
  ] as const) {
    const from = directoryOf(home, partition)
    const to = join(otherThan(home, from), copy)
    cpSync(join(from, partition), to, { recursive: true })
    if (copy === WHOLE_COPY) continue
    for (const name of readdirSync(to)) if (name !== 'partition.metadata') rmSync(join(to, name))
    const [first] = readdirSync(join(from, partition)).filter((name) => name.endsWith('.log'))
    writeFileSync(join(to, first!), readFileSync(join(from, partition, first!)).subarray(0, 30_000))
  }
  cpSync(join(directoryOf(home, 'moved-0'), 'moved-0'), join(second(home), LOST_COPY), { recursive: true })
  const metadata = 'version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAABAA'
  writeFileSync(join(second(home), LOST_COPY, 'partition.metadata'), metadata)
}

/** A cleanly stopped broker's directories, with things in them that older releases and interrupted moves leave. */
async function prepare(home: BrokerHome): Promise<void> {
  const broker = await startTarget({ home, overrides: overridesOf(home) })
  onTestFinished(async () => {
    await broker.kill()
  })
  const probe = new Probe(broker)
  await warmedUp(probe)
  await makeTopic(probe, 'old', { configs: { 'retention.ms': '-1' } })
  const configs = {
    'cleanup.policy': 'compact',
    'min.cleanable.dirty.ratio': '0.01',
    'delete.retention.ms': '86400000',
  }
  await makeTopic(probe, 'compacted', { configs })
  await makeTopic(probe, 'moved', { partitions: 2, configs: { 'segment.bytes': '1048576' } })
  for (const partition of [0, 1]) {
    for (let index = 0; index < MOVED_BATCHES; index++) await write(probe, 'moved', batch(4, {}, 10_000), partition)
  }
  probe.close()
  await broker.stop()
  for (const topic of ['old-0', 'compacted-0']) makeOld(join(directoryOf(home, topic), topic))
  makeCopies(home)
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

async function fetchAt(probe: Probe, topic: string, partition: number, fetchOffset: number, maxBytes = 1000) {
  const partitions = [{ partition, fetchOffset, partitionMaxBytes: maxBytes }]
  const body = { maxWaitMs: 0, minBytes: 0, topics: [{ topic, partitions }] }
  const [data] = (await probe.quietly('Fetch', 12, body)).responses[0].partitions
  return { ...data, records: wholeOf(Buffer.concat(data.records ?? [])) }
}

/** Apache Kafka sends part of what lies at the limit, too. */
function wholeOf(bytes: Buffer): Buffer {
  let end = 0
  for (let size = 0; ; end += size) {
    size = batchSizeAt(bytes, end, bytes.length)
    if (size === 0) return bytes.subarray(0, end)
  }
}

async function listOffset(probe: Probe, timestamp: number): Promise<unknown> {
  const topics = [{ name: 'old', partitions: [{ partitionIndex: 0, timestamp }] }]
  const answer = await probe.quietly('ListOffsets', 10, { replicaId: -1, topics, timeoutMs: 5000 })
  const [{ leaderEpoch, ...found }] = answer.topics[0].partitions
  // Apache Kafka takes more than one epoch to start.
  return { ...found, leaderEpoch: Math.min(leaderEpoch, 0) }
}

/** What a broker says of the old topic, before and after it has written to it. */
async function storyOfOld(probe: Probe): Promise<unknown[]> {
  const story: unknown[] = []
  const look = async () => {
    for (const offset of [0, 1, 5, 12, 16, 20, 25, 35, 36, 48, 50, 63, 71, 72, 83, 84, 86, 99]) {
      const data = await fetchAt(probe, 'old', 0, offset)
      story.push([offset, { ...data, records: [data.records.length, hashOf(data.records)] }])
    }
    for (const timestamp of [-1, -2, -3, 0, TIME, TIME + 36_000, TIME + 50_000, TIME + 70_000, TIME + 77_000]) {
      story.push([timestamp, await listOffset(probe, timestamp)])
    }
    const asked = [{ partition: 0, leaderEpoch: 0, currentLeaderEpoch: -1 }]
    const topics = [{ topic: 'old', partitions: asked }]
    story.push(await probe.quietly('OffsetForLeaderEpoch', 4, { replicaId: -1, topics }))
  }
  await look()
  // Not among the answers: what is written is stamped with the broker's leader epoch.
  expect(await write(probe, 'old', batch(3))).toBe(OLD_END)
  for (const offset of [0, 60, 83, 84]) {
    const { records } = await fetchAt(probe, 'old', 0, offset, 100_000)
    story.push([offset, records.length])
  }
  return story
}

/** The compacted topic, once all but its last segment are compacted: its batches, but for the times of deletion. */
async function storyOfCompacted(broker: Broker, probe: Probe): Promise<unknown[]> {
  await eventually('the old segments are compacted', 60_000, async () => {
    const files = [broker.home.dataDir, second(broker.home)].map((dir) => join(dir, 'cleaner-offset-checkpoint'))
    const lines = files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')).join('\n')
    return new RegExp(`^compacted 0 ${OLD_END - RECORDS_EACH}$`, 'm').test(lines) ? true : undefined
  })
  const story: unknown[] = []
  const { records } = await fetchAt(probe, 'compacted', 0, 0, 1_000_000)
  const last = OLD_SEGMENTS.length - 1
  const tail = await fetchAt(probe, 'compacted', 0, last * RECORDS_EACH, 1_000_000)
  expect(tail.records.equals(oldSegment(OLD_SEGMENTS[last]!, last))).toBe(true)
  for (const view of batchesIn(records)) {
    const { baseOffset, lastOffset, codecId, attributes, maxTimestamp, hasDeleteHorizon } = view
    story.push({ baseOffset, lastOffset, codecId, attributes, maxTimestamp, hasDeleteHorizon })
    for (const record of decodeRecords(new BatchView(view.buffer, view.position), 1_000_000)) {
      story.push([record.offset, record.timestamp, String(record.key), record.value && hashOf(record.value)])
    }
  }
  return story
}

/** Where the partitions of interrupted moves are in the end, and what is in them. */
async function storyOfMoves(broker: Broker, probe: Probe): Promise<unknown[]> {
  const { home } = broker
  const names = () => [home.dataDir, second(home)].map((directory) => readdirSync(directory))
  await eventually('the moves end', 60_000, async () =>
    names()
      .flat()
      .some((name) => name.endsWith('-future'))
      ? undefined
      : true,
  )
  const story: unknown[] = names().map((each) =>
    each
      .filter((name) => /^(moved|gone)/.test(name) && !/-delete$/.test(name))
      .map((name) => name.replace(/\.\w+/, '')),
  )
  const topics = [{ topic: 'moved', partitions: [0, 1] }]
  const { results } = await probe.quietly('DescribeLogDirs', 4, { topics })
  for (const { logDir, topics: found } of results as Body[]) story.push([basename(logDir), found])
  for (const partition of [0, 1]) {
    const { records, highWatermark } = await fetchAt(probe, 'moved', partition, 0, 10_000_000)
    story.push([highWatermark, records.length, hashOf(records)])
    expect(await write(probe, 'moved', batch(1), partition)).toBe(MOVED_BATCHES * 4)
  }
  return story
}

async function toldBy(start: typeof startTarget, home: BrokerHome): Promise<unknown> {
  const broker = await start({ home, overrides: overridesOf(home) })
  onTestFinished(async () => {
    await broker.kill()
  })
  const probe = new Probe(broker)
  await warmedUp(probe)
  const story = {
    old: await storyOfOld(probe),
    compacted: await storyOfCompacted(broker, probe),
    moves: await storyOfMoves(broker, probe),
  }
  probe.close()
  await broker.stop()
  return story
}

test('old message formats and interrupted moves: found by Ottla and by Apache Kafka, they come to the same', async () => {
  const home = await newHome('left-behind')
  await prepare(home)
  const saved = join(home.dir, 'saved')
  mkdirSync(saved)
  for (const directory of [home.dataDir, second(home)]) {
    cpSync(directory, join(saved, basename(directory)), { recursive: true, preserveTimestamps: true })
  }
  const byOttla = await toldBy(startTarget, home)
  for (const directory of [home.dataDir, second(home)]) {
    rmSync(directory, { recursive: true })
    renameSync(join(saved, basename(directory)), directory)
  }
  expect(byOttla).toEqual(await toldBy(startOracle, home))
})
