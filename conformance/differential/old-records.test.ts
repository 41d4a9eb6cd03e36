import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildBatch } from '../../src/protocol/records/builder.ts'
import { Codec } from '../../src/protocol/records/layout.ts'
import { buildMessageSet, decodeMessageSet, type LegacyMagic } from '../../src/protocol/records/message-set.ts'
import type { Broker } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { startTarget } from '../harness/target.ts'
import { type Body, Probe } from './probe.ts'
import { baseTimestamp, makeTopic } from './scenario.ts'

/** The last Apache Kafka that knows message sets on the wire. */
const OLDER = '3.9.1'
const MAX_BYTES = 2 ** 20
const HOUR_MS = 3_600_000

let ottla: Broker
let kafka: Broker
beforeAll(async () => {
  ottla = await startTarget()
  kafka = await startOracle({ olderVersion: OLDER })
}, 300_000)
afterAll(async () => {
  await ottla?.stop()
  await kafka?.stop()
})

function set(magic: LegacyMagic, codec: Codec = Codec.none, count = 3): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({
    timestamp: baseTimestamp + i,
    key: i % 2 === 0 ? Buffer.from(`key-${i}`) : null,
    value: i % 3 === 1 ? null : Buffer.from(`value-${i}`),
  }))
  return buildMessageSet(records, { magic, codec })
}

function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[copy.length - 1]! ^= 1
  return copy
}

const sets: Readonly<Record<string, Buffer>> = {
  'magic 0': set(0),
  'magic 1': set(1),
  'magic 0, gzip': set(0, Codec.gzip),
  'magic 1, gzip': set(1, Codec.gzip),
  'magic 0, snappy': set(0, Codec.snappy),
  'magic 1, snappy': set(1, Codec.snappy),
  'magic 1, lz4': set(1, Codec.lz4),
  'a wrong CRC': damaged(set(1)),
  'a wrong CRC, compressed': damaged(set(1, Codec.gzip)),
  'a message cut off': set(1).subarray(0, -5),
  'nothing but part of a message': set(1, Codec.none, 1).subarray(0, -5),
  nothing: Buffer.alloc(0),
  'two magics': Buffer.concat([set(0), set(1)]),
  'two compressed messages': Buffer.concat([set(1, Codec.gzip), set(1, Codec.gzip)]),
  'a plain and a compressed message': Buffer.concat([set(1), set(1, Codec.gzip)]),
  'a record batch': buildBatch([{ timestamp: baseTimestamp, key: null, value: Buffer.from('x') }]),
  'a large message': buildMessageSet([{ timestamp: baseTimestamp, key: null, value: Buffer.alloc(1_100_000) }], {
    magic: 1,
  }),
}

const topicConfigs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  plain: {},
  stamped: { 'message.timestamp.type': 'LogAppendTime' },
  compacted: { 'cleanup.policy': 'compact' },
  gzipped: { 'compression.type': 'gzip' },
}

/** Tells the same to both, and holds what they said together. */
async function compared(tell: (probe: Probe) => Promise<unknown[]>): Promise<void> {
  const told: unknown[][] = []
  for (const broker of [ottla, kafka]) {
    const probe = new Probe(broker)
    told.push(await tell(probe))
    probe.close()
  }
  expect(told[0]!.length).toBeGreaterThan(0)
  expect(told[0]).toEqual(told[1])
}

/** Times that a broker made up. */
const stamp = (timestamp: number) => (timestamp > baseTimestamp + HOUR_MS / 10 ? '<now>' : timestamp - baseTimestamp)

async function produce(probe: Probe, version: number, topic: string, records: Buffer | null, acks = -1) {
  const topicData = [{ name: topic, partitionData: [{ index: 0, records: records && [records] }] }]
  const { responses } = await probe.send('Produce', version, { acks, timeoutMs: 5000, topicData })
  const { errorCode, baseOffset, logAppendTimeMs } = responses?.[0].partitionResponses[0] ?? {}
  return [errorCode, baseOffset, logAppendTimeMs > 0 ? '<now>' : logAppendTimeMs]
}

async function fetch(probe: Probe, version: number, topic: string, fetchOffset: number) {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: MAX_BYTES }]
  const body = { replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: MAX_BYTES, topics: [{ topic, partitions }] }
  const { responses } = await probe.send('Fetch', version, body)
  const { errorCode, highWatermark, records } = responses[0].partitions[0] as Body
  return { errorCode, highWatermark, decoded: decodeMessageSet(Buffer.concat(records ?? []), MAX_BYTES) }
}

/**
 * Everything from an offset on, in as many fetches as it takes: message sets are larger than what they are made of, and
 * Apache Kafka answers no more bytes than it has read.
 */
async function fetchAll(probe: Probe, version: number, topic: string, from: number): Promise<unknown> {
  const seen: unknown[] = []
  for (let offset = from; ; ) {
    const { errorCode, highWatermark, decoded } = await fetch(probe, version, topic, offset)
    if (decoded.length === 0) return { errorCode, highWatermark, seen }
    for (const { offset: at, timestamp, key, value } of decoded) {
      // The first of a compressed message may come again.
      if (at >= offset) {
        seen.push([at, timestamp === -1 ? -1 : stamp(timestamp), key?.toString(), value?.toString()])
      }
    }
    offset = decoded[decoded.length - 1]!.offset + 1
  }
}

test.each(Object.keys(topicConfigs))('message sets produced to a %s topic, and fetched', async (kind) => {
  await compared(async (probe) => {
    const topic = `sets-${kind}`
    await makeTopic(probe, topic, { configs: topicConfigs[kind]! })
    const told: unknown[] = []
    for (const version of [0, 1, 2]) {
      for (const [name, records] of Object.entries(sets)) {
        told.push([version, name, ...(await produce(probe, version, topic, records))])
      }
    }
    for (const version of [0, 1, 2, 3]) {
      for (const offset of [0, 1, 4, 20, 1000, -1]) {
        told.push([version, offset, await fetchAll(probe, version, topic, offset)])
      }
    }
    return told
  })
})

test.each([0, 1, 2])('Produce v%i: unknown topics, odd acks', async (version) => {
  await compared(async (probe) => {
    const topic = `odd-${version}`
    await makeTopic(probe, topic)
    return [
      await produce(probe, version, 'nowhere', set(1)),
      await produce(probe, version, topic, set(1), 2),
      await produce(probe, version, topic, set(1), 1),
    ]
  })
})

test('ListOffsets v0', async () => {
  await compared(async (probe) => {
    await makeTopic(probe, 'lists')
    for (let i = 0; i < 3; i++) await produce(probe, 2, 'lists', set(1))
    const told: unknown[] = []
    for (const timestamp of [-1, -2, 0, Date.now() + HOUR_MS, -3]) {
      for (const maxNumOffsets of [0, 1, 2, 10]) {
        const partitions = [0, 7].map((partitionIndex) => ({ partitionIndex, timestamp, maxNumOffsets }))
        const body = { replicaId: -1, topics: [{ name: 'lists', partitions }] }
        const { topics } = await probe.send('ListOffsets', 0, body)
        told.push([timestamp < 1 ? timestamp : '<later>', maxNumOffsets, topics?.[0].partitions])
      }
    }
    return told
  })
})
