import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { startTarget } from '../harness/target.ts'
import { dumpLog, fill, fillSegments } from './fill.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startTarget()
  await fill(broker, 'dump')
  await fillSegments(broker, 'segments')
  await broker.stop()
})
afterAll(async () => {
  await broker?.stop()
})

const extensions = ['.log', '.index', '.timeindex', '.snapshot', '.txnindex', '.checkpoint']

function filesOf(partition: string, ...only: string[]): string[] {
  const names = readdirSync(join(broker.dataDir, partition)).sort()
  const wanted = names.filter((name) => (only.length > 0 ? only : extensions).some((end) => name.endsWith(end)))
  return wanted.map((name) => join(broker.dataDir, partition, name))
}

const partitions = () =>
  readdirSync(broker.dataDir)
    .filter((name) => /-\d+$/.test(name))
    .sort()

/** The offsets of the records in a dump, in its order. */
function offsetsIn(dump: string): number[] {
  return [...dump.matchAll(/^\| offset: (\d+)/gm)].map((match) => Number(match[1]))
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

test('every file of every user topic, and its records are dense', async () => {
  const topics = partitions().filter((name) => !name.startsWith('__'))
  expect(topics).toHaveLength(5 * 2 + 2 + 1 + 4 + 1)
  await dumpLog(
    topics.flatMap((name) => filesOf(name)),
    ['--print-data-log'],
  )
  for (const [topic, count] of [
    ['dump-zstd-0', 50],
    ['dump-group-3', 110],
    ['dump-times-0', 100],
  ] as const) {
    const dump = await dumpLog(filesOf(topic, '.log'), ['--print-data-log'])
    expect(offsetsIn(dump)).toEqual(upTo(count))
  }
})

test('segments follow each other without a gap, and each has its indexes', async () => {
  const logs = filesOf('segments-0', '.log')
  expect(logs.length).toBeGreaterThanOrEqual(4)
  expect(offsetsIn(await dumpLog(logs))).toEqual(upTo(4000))
  const indexed = await dumpLog(filesOf('segments-0', '.index', '.timeindex'))
  expect(indexed.match(/^offset: \d+ position: \d+/gm)!.length).toBeGreaterThan(100)
  expect(indexed.match(/^timestamp: \d+ offset: \d+/gm)!.length).toBeGreaterThan(3)
})

test('producer snapshots name the idempotent producers', async () => {
  const dump = await dumpLog(filesOf('dump-gzip-0', '.snapshot'))
  expect(dump).toMatch(/producerId: \d+ producerEpoch: 0 .*lastSequence: 49/)
})

test('committed offsets and group metadata in __consumer_offsets', async () => {
  const offsets = partitions().filter((name) => name.startsWith('__consumer_offsets-'))
  expect(offsets).toHaveLength(4)
  const dump = await dumpLog(
    offsets.flatMap((name) => filesOf(name, '.log')),
    ['--offsets-decoder'],
  )
  expect(dump).toMatch(/"group":"dump-group","topic":"dump-group","partition":3.*"offset":100/)
  expect(dump).toMatch(/"protocolType":"consumer"/)
})

test('the metadata log: topics, configs, the registration of the node, feature levels', async () => {
  const dump = await dumpLog(filesOf('__cluster_metadata-0', '.log'), ['--cluster-metadata-decoder'])
  expect(dump).toMatch(/"type":"TOPIC_RECORD".*"name":"dump-zstd"/)
  expect(dump).toMatch(/"type":"CONFIG_RECORD".*"name":"max.message.bytes","value":"1100000"/)
  expect(dump).toMatch(/"type":"REGISTER_BROKER_RECORD".*"brokerId":1/)
  const checkpoints = await dumpLog(filesOf('__cluster_metadata-0', '.checkpoint'), ['--cluster-metadata-decoder'])
  expect(checkpoints + dump).toMatch(/"type":"FEATURE_LEVEL_RECORD".*"name":"metadata.version"/)
  await dumpLog(filesOf('__cluster_metadata-0', '.index', '.timeindex', '.snapshot'))
})

test('the check itself: a flipped bit in a record and one in an index are complained of', async () => {
  const dir = freshDir('damaged')
  const [log] = filesOf('segments-0', '.log') as [string]
  for (const extension of ['.log', '.index']) {
    const file = join(dir, basename(log).replace('.log', extension))
    const bytes = readFileSync(log.replace('.log', extension))
    writeFileSync(join(dir, basename(log)), readFileSync(log))
    // In the middle of a batch's values, and in the position of an index entry.
    const at = extension === '.log' ? 5000 : 5 * 8 + 7
    bytes[at] = bytes[at]! ^ 1
    writeFileSync(file, bytes)
    await expect(dumpLog([file]), extension).rejects.toThrow()
  }
})
