import { buildBatch } from '../../../src/protocol/records/builder.ts'
import { crc32c } from '../../../src/protocol/records/crc.ts'
import { Codec } from '../../../src/protocol/records/layout.ts'
import { ZERO_UUID } from '../../../src/protocol/uuid.ts'
import type { Body, Probe } from '../probe.ts'
import {
  baseTimestamp,
  batch,
  makeTopic,
  produceBody,
  producerIdOf,
  records,
  type Scenario,
  write,
} from '../scenario.ts'

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAEA'

/** Changes bytes of a batch and, unless the CRC itself is to be wrong, makes its CRC right again. */
function tampered(bytes: Buffer, change: (copy: Buffer) => void, rightCrc = true): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  if (rightCrc) copy.writeUInt32BE(crc32c(copy, 21, copy.length), 17)
  return copy
}

/** Compressed records that end early, and such with a wrong byte in the middle. */
function brokenInside(codec: Codec): Array<readonly [string, () => Buffer]> {
  const whole = () => batch(20, { codec }, 300)
  const cut = () => {
    const short = Buffer.from(whole().subarray(0, -12))
    return tampered(short, (copy) => copy.writeInt32BE(copy.length - 12, 8))
  }
  const flipped = () =>
    tampered(whole(), (copy) => {
      const middle = 61 + ((copy.length - 61) >> 1)
      copy.writeUInt8(copy.readUInt8(middle) ^ 0xff, middle)
    })
  return [
    [`that ends early in codec ${codec}`, cut],
    [`with a wrong byte in codec ${codec}`, flipped],
  ]
}

/**
 * Everything that can be wrong with a batch, one by one. But for null records: Apache Kafka 4.3.1 never answers them
 * (a test of the handler says what Ottla does).
 */
const BAD_BATCHES: ReadonlyArray<readonly [string, () => Buffer]> = [
  ['empty', () => Buffer.alloc(0)],
  ['of a wrong CRC', () => tampered(batch(3), (copy) => copy.writeUInt32BE(1, 17), false)],
  ['cut off', () => batch(3).subarray(0, 90)],
  ['of a header alone', () => batch(3).subarray(0, 61)],
  ['with a magic of 3', () => tampered(batch(3), (copy) => copy.writeInt8(3, 16))],
  ['with a magic of -1', () => tampered(batch(3), (copy) => copy.writeInt8(-1, 16))],
  ['with a length too small', () => tampered(batch(3), (copy) => copy.writeInt32BE(10, 8))],
  ['with a length of half a header', () => tampered(batch(3), (copy) => copy.writeInt32BE(20, 8))],
  ['with a length below its header', () => tampered(batch(3), (copy) => copy.writeInt32BE(40, 8))],
  ['with a length too large', () => tampered(batch(3), (copy) => copy.writeInt32BE(100_000, 8))],
  ['with a negative length', () => tampered(batch(3), (copy) => copy.writeInt32BE(-5, 8))],
  ['with too high a record count', () => tampered(batch(3), (copy) => copy.writeInt32BE(4, 57))],
  ['with too low a record count', () => tampered(batch(3), (copy) => copy.writeInt32BE(2, 57))],
  ['with a negative record count', () => tampered(batch(3), (copy) => copy.writeInt32BE(-1, 57))],
  ['with no records', () => tampered(batch(3), (copy) => copy.writeInt32BE(0, 57))],
  ['with a wrong last offset delta', () => tampered(batch(3), (copy) => copy.writeInt32BE(5, 23))],
  ['with a negative last offset delta', () => tampered(batch(3), (copy) => copy.writeInt32BE(-1, 23))],
  ['with an unknown codec', () => tampered(batch(3), (copy) => copy.writeInt16BE(5, 21))],
  ['marked as gzip and not so', () => tampered(batch(3), (copy) => copy.writeInt16BE(1, 21))],
  ['marked as snappy and not so', () => tampered(batch(3), (copy) => copy.writeInt16BE(2, 21))],
  ['marked as lz4 and not so', () => tampered(batch(3), (copy) => copy.writeInt16BE(3, 21))],
  ['marked as zstd and not so', () => tampered(batch(3), (copy) => copy.writeInt16BE(4, 21))],
  ...[Codec.gzip, Codec.snappy, Codec.lz4, Codec.zstd].flatMap((codec) => brokenInside(codec)),
  ['of control records', () => batch(1, { isControl: true, producerId: 5, producerEpoch: 0, baseSequence: 0 })],
  ['with a log append time', () => batch(3, { logAppendTimeMs: baseTimestamp })],
  ['of two batches', () => Buffer.concat([batch(2), batch(1)])],
  ['with bytes behind it', () => Buffer.concat([batch(2), Buffer.from([1, 2, 3])])],
  ['with a base offset of its own', () => batch(3, { baseOffset: 77 })],
  ['with a leader epoch of its own', () => batch(3, { partitionLeaderEpoch: 9 })],
  ['with a broken first record', () => tampered(batch(3), (copy) => copy.writeInt8(-1, 61))],
  ['with a record of another length', () => tampered(batch(3), (copy) => copy.writeInt8(copy.readInt8(61) + 2, 61))],
  [
    'transactional without a transaction',
    () => batch(2, { isTransactional: true, producerId: 5, producerEpoch: 0, baseSequence: 0 }),
  ],
  ['with a producer id and no sequence', () => batch(2, { producerId: 5, producerEpoch: 0 })],
  ['with a sequence out of order', () => batch(2, { producerId: 888, producerEpoch: 0, baseSequence: 7 })],
  ['with a negative producer epoch', () => batch(2, { producerId: 889, producerEpoch: -1, baseSequence: 0 })],
]

async function readAll(probe: Probe, version: number, topic: { name: string; id: string }, offset = 0): Promise<Body> {
  return probe.send('Fetch', version, fetchBody(version, topic, { offset }))
}

interface FetchOptions {
  offset?: number
  partition?: number
  maxBytes?: number
  partitionMaxBytes?: number
  minBytes?: number
  maxWaitMs?: number
  isolation?: number
  leaderEpoch?: number
  sessionId?: number
  sessionEpoch?: number
  forgotten?: boolean
}

function fetchBody(version: number, topic: { name: string; id: string }, options: FetchOptions = {}): Body {
  const which = version >= 13 ? { topicId: topic.id } : { topic: topic.name }
  const partition = {
    partition: options.partition ?? 0,
    currentLeaderEpoch: options.leaderEpoch ?? -1,
    fetchOffset: options.offset ?? 0,
    partitionMaxBytes: options.partitionMaxBytes ?? 1_000_000,
  }
  return {
    maxWaitMs: options.maxWaitMs ?? 0,
    minBytes: options.minBytes ?? 0,
    maxBytes: options.maxBytes ?? 10_000_000,
    isolationLevel: options.isolation ?? 0,
    sessionId: options.sessionId ?? 0,
    sessionEpoch: options.sessionEpoch ?? -1,
    topics: options.forgotten ? [] : [{ ...which, partitions: [partition] }],
    ...(version >= 7 && options.forgotten ? { forgottenTopicsData: [{ ...which, partitions: [0] }] } : {}),
  }
}

const produce: Scenario[] = [
  {
    title: 'every codec is taken, and read back as it was sent',
    api: 'Produce',
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      for (const codec of [Codec.none, Codec.gzip, Codec.snappy, Codec.lz4, Codec.zstd]) {
        await probe.send('Produce', version, produceBody(version, topic, batch(5, { codec }, 200)))
      }
      await readAll(probe, 12, topic)
    },
  },
  {
    title: 'what is wrong with a batch decides the error',
    api: 'Produce',
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      for (const [, make] of BAD_BATCHES) await probe.send('Produce', version, produceBody(version, topic, make()))
      await readAll(probe, 12, topic)
    },
  },
  {
    title: 'unknown topics and partitions, invalid acks',
    api: 'Produce',
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      const unknown = { name: `${name}-unknown`, id: UNKNOWN_ID }
      await probe.send('Produce', version, produceBody(version, unknown, batch(1)))
      await probe.send('Produce', version, produceBody(version, topic, batch(1), { partition: 3 }))
      await probe.send('Produce', version, produceBody(version, topic, batch(1), { partition: -1 }))
      await probe.send('Produce', version, produceBody(version, { name: '', id: ZERO_UUID }, batch(1)))
      for (const acks of [1, 2, -2])
        await probe.send('Produce', version, produceBody(version, topic, batch(1), { acks }))
      await probe.send('Produce', version, { acks: -1, timeoutMs: 1000, topicData: [] })
      await readAll(probe, 12, topic)
    },
  },
  {
    title: 'too large for the topic',
    api: 'Produce',
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name, { configs: { 'max.message.bytes': '1000' } }) }
      await probe.send('Produce', version, produceBody(version, topic, batch(1, {}, 2000)))
      await probe.send('Produce', version, produceBody(version, topic, batch(1, {}, 100)))
      const segment = `${name}-segment`
      const small = { name: segment, id: await makeTopic(probe, segment, { configs: { 'segment.bytes': '1048576' } }) }
      await probe.send('Produce', version, produceBody(version, small, batch(2, {}, 520_000)))
    },
  },
  {
    title: 'null keys and compaction, timestamps and their bounds',
    api: 'Produce',
    run: async (probe, version, name) => {
      const compacted = `${name}-compacted`
      const keyed = {
        name: compacted,
        id: await makeTopic(probe, compacted, { configs: { 'cleanup.policy': 'compact' } }),
      }
      const noKey = { timestamp: baseTimestamp, key: null, value: Buffer.from('v') }
      await probe.send('Produce', version, produceBody(version, keyed, buildBatch([...records(2), noKey])))
      await probe.send('Produce', version, produceBody(version, keyed, buildBatch([noKey], { codec: Codec.gzip })))
      const bounded = `${name}-bounded`
      const configs = { 'message.timestamp.before.max.ms': '3600000', 'message.timestamp.after.max.ms': '3600000' }
      const timely = { name: bounded, id: await makeTopic(probe, bounded, { configs }) }
      for (const timestamp of [baseTimestamp, baseTimestamp - 7_200_000, baseTimestamp + 7_200_000, -1, 0]) {
        const one = { timestamp, key: null, value: Buffer.from('v') }
        await probe.send('Produce', version, produceBody(version, timely, buildBatch([one])))
      }
      const appended = `${name}-appended`
      const append = { 'message.timestamp.type': 'LogAppendTime' }
      const late = { name: appended, id: await makeTopic(probe, appended, { configs: append }) }
      await probe.send('Produce', version, produceBody(version, late, batch(2)))
    },
  },
  {
    title: 'an idempotent producer: duplicates, gaps, old epochs',
    api: 'Produce',
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      const producerId = await producerIdOf(probe)
      probe.learn(producerId, '<producer id>')
      const send = (producerEpoch: number, baseSequence: number, count = 2) => {
        const bytes = batch(count, { producerId, producerEpoch, baseSequence })
        return probe.send('Produce', version, produceBody(version, topic, bytes))
      }
      for (const sequence of [0, 2, 4, 6, 8, 10, 12]) await send(0, sequence)
      for (const sequence of [12, 10, 8, 6, 4, 2, 0, 20, 13, -1]) await send(0, sequence)
      await send(0, 14)
      await send(2, 5)
      await send(2, 0)
      await send(1, 0)
      await send(0, 16)
      await send(2, 1)
      await send(2, 2)
      await probe.send('DescribeProducers', 0, { topics: [{ name, partitionIndexes: [0, 1] }] })
    },
  },
  {
    title: 'a topic that recompresses, and one with too few replicas',
    api: 'Produce',
    run: async (probe, version, name) => {
      for (const type of ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd']) {
        const recompressed = `${name}-${type}`
        const topic = {
          name: recompressed,
          id: await makeTopic(probe, recompressed, { configs: { 'compression.type': type } }),
        }
        await probe.send('Produce', version, produceBody(version, topic, batch(3, { codec: Codec.gzip }, 100)))
        await probe.send('Produce', version, produceBody(version, topic, batch(3, {}, 100)))
      }
      const strict = `${name}-strict`
      const two = { name: strict, id: await makeTopic(probe, strict, { configs: { 'min.insync.replicas': '2' } }) }
      await probe.send('Produce', version, produceBody(version, two, batch(1)))
      await probe.send('Produce', version, produceBody(version, two, batch(1), { acks: 1 }))
    },
  },
]

async function filled(
  probe: Probe,
  name: string,
  configs: Record<string, string> = {},
): Promise<{ name: string; id: string }> {
  const id = await makeTopic(probe, name, { partitions: 2, configs })
  for (let index = 0; index < 4; index++) await write(probe, name, batch(5, {}, 300))
  return { name, id }
}

const fetch: Scenario[] = [
  {
    title: 'offsets inside, at the end and out of range',
    api: 'Fetch',
    run: async (probe, version, name) => {
      const topic = await filled(probe, name)
      for (const offset of [0, 3, 7, 19, 20, 21, -1, 1_000_000]) await readAll(probe, version, topic, offset)
      await probe.send('Fetch', version, fetchBody(version, topic, { partition: 1 }))
      await probe.send('Fetch', version, fetchBody(version, topic, { partition: 9 }))
      await probe.send('Fetch', version, fetchBody(version, topic, { isolation: 1 }))
      await probe.send('Fetch', version, fetchBody(version, { name: `${name}-no`, id: UNKNOWN_ID }))
    },
  },
  {
    title: 'byte limits',
    api: 'Fetch',
    run: async (probe, version, name) => {
      const topic = await filled(probe, name)
      for (const partitionMaxBytes of [0, 1, 2000, 3800]) {
        await probe.send('Fetch', version, fetchBody(version, topic, { partitionMaxBytes }))
      }
      for (const maxBytes of [0, 1, 2000, 3800])
        await probe.send('Fetch', version, fetchBody(version, topic, { maxBytes }))
      await probe.send('Fetch', version, fetchBody(version, topic, { offset: 20, minBytes: 1, maxWaitMs: 30 }))
    },
  },
  {
    title: 'leader epochs',
    api: 'Fetch',
    from: 9,
    run: async (probe, version, name) => {
      const topic = await filled(probe, name)
      for (const leaderEpoch of [0, 1, 100])
        await probe.send('Fetch', version, fetchBody(version, topic, { leaderEpoch }))
    },
  },
  {
    title: 'sessions',
    api: 'Fetch',
    from: 7,
    run: async (probe, version, name) => {
      const topic = await filled(probe, name)
      const first = await probe.send('Fetch', version, fetchBody(version, topic, { sessionEpoch: 0 }))
      const { sessionId } = first
      await probe.send('Fetch', version, fetchBody(version, topic, { sessionId, sessionEpoch: 1, offset: 20 }))
      await probe.send('Fetch', version, fetchBody(version, topic, { sessionId, sessionEpoch: 2, offset: 10 }))
      await probe.send('Fetch', version, { ...fetchBody(version, topic, { sessionId, sessionEpoch: 3 }), topics: [] })
      await probe.send('Fetch', version, fetchBody(version, topic, { sessionId, sessionEpoch: 9 }))
      await probe.send('Fetch', version, fetchBody(version, topic, { sessionId, sessionEpoch: 4, forgotten: true }))
      await probe.send('Fetch', version, fetchBody(version, topic, { sessionId: 123456, sessionEpoch: 1 }))
      await probe.send('Fetch', version, fetchBody(version, topic, { sessionId, sessionEpoch: -1 }))
      await probe.send('Fetch', version, fetchBody(version, topic, { sessionId, sessionEpoch: 5 }))
    },
  },
]

const offsets: Scenario[] = [
  {
    title: 'by timestamp and by name',
    api: 'ListOffsets',
    run: async (probe, version, name) => {
      await filled(probe, name)
      const stamps = [-1, -2, baseTimestamp, baseTimestamp + 15, baseTimestamp + 40, baseTimestamp + 1e6, 0, -9]
      if (version >= 7) stamps.push(-3)
      if (version >= 8) stamps.push(-4)
      if (version >= 9) stamps.push(-5)
      for (const timestamp of stamps) {
        const partitions = [0, 1, 5].map((partitionIndex) => ({ partitionIndex, timestamp, currentLeaderEpoch: -1 }))
        await probe.send('ListOffsets', version, { replicaId: -1, topics: [{ name, partitions }] })
      }
      const partitions = [{ partitionIndex: 0, timestamp: -1 }]
      await probe.send('ListOffsets', version, { replicaId: -1, topics: [{ name: `${name}-no`, partitions }] })
      await probe.send('ListOffsets', version, {
        replicaId: -1,
        topics: [{ name, partitions: [...partitions, ...partitions] }],
      })
    },
  },
  {
    title: 'leader epochs',
    api: 'ListOffsets',
    from: 4,
    run: async (probe, version, name) => {
      await filled(probe, name)
      for (const currentLeaderEpoch of [0, 1, 50]) {
        const partitions = [{ partitionIndex: 0, timestamp: -1, currentLeaderEpoch }]
        await probe.send('ListOffsets', version, { replicaId: -1, topics: [{ name, partitions }] })
      }
    },
  },
  {
    title: 'the end of an epoch',
    api: 'OffsetForLeaderEpoch',
    run: async (probe, version, name) => {
      await filled(probe, name)
      for (const leaderEpoch of [0, 1, -1, 40]) {
        for (const currentLeaderEpoch of [-1, 0, 3]) {
          const partitions = [0, 7].map((partition) => ({ partition, leaderEpoch, currentLeaderEpoch }))
          await probe.send('OffsetForLeaderEpoch', version, { topics: [{ topic: name, partitions }] })
        }
      }
      const partitions = [{ partition: 0, leaderEpoch: 0 }]
      await probe.send('OffsetForLeaderEpoch', version, { topics: [{ topic: `${name}-no`, partitions }] })
    },
  },
  {
    title: 'records are deleted up to an offset',
    api: 'DeleteRecords',
    run: async (probe, version, name) => {
      const topic = await filled(probe, name)
      for (const offset of [3, 2, 10, 21, -2, -1]) {
        await probe.send('DeleteRecords', version, {
          topics: [{ name, partitions: [{ partitionIndex: 0, offset }] }],
          timeoutMs: 5000,
        })
        await probe.send('ListOffsets', 5, {
          replicaId: -1,
          topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
        })
      }
      await readAll(probe, 12, topic, 5)
      const unknown = [
        { name, partitions: [{ partitionIndex: 8, offset: 1 }] },
        { name: `${name}-no`, partitions: [{ partitionIndex: 0, offset: 1 }] },
      ]
      await probe.send('DeleteRecords', version, { topics: unknown, timeoutMs: 5000 })
      const compacted = `${name}-compacted`
      await makeTopic(probe, compacted, { configs: { 'cleanup.policy': 'compact' } })
      await probe.send('DeleteRecords', version, {
        topics: [{ name: compacted, partitions: [{ partitionIndex: 0, offset: 0 }] }],
        timeoutMs: 5000,
      })
    },
  },
  {
    title: 'ids for idempotent producers',
    api: 'InitProducerId',
    run: async (probe, version) => {
      const ask = async (body: Body) => {
        const answer = await probe.send('InitProducerId', version, body)
        if (answer.producerId > 0) probe.learn(answer.producerId, '<producer id>')
      }
      await ask({ transactionalId: null, transactionTimeoutMs: 60_000 })
      await ask({ transactionalId: null, transactionTimeoutMs: 0 })
      await ask({ transactionalId: null, transactionTimeoutMs: 2_000_000_000 })
      await ask({ transactionalId: '', transactionTimeoutMs: 60_000 })
      if (version >= 3)
        await ask({ transactionalId: null, transactionTimeoutMs: 60_000, producerId: 5, producerEpoch: 0 })
      if (version >= 3) await ask({ transactionalId: null, transactionTimeoutMs: 60_000, producerId: 5 })
    },
  },
  {
    title: 'producers of a partition',
    api: 'DescribeProducers',
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      await write(probe, name, batch(3, { producerId: 4242, producerEpoch: 3, baseSequence: 0 }))
      await probe.send('DescribeProducers', version, { topics: [{ name, partitionIndexes: [0, 4] }] })
      await probe.send('DescribeProducers', version, { topics: [{ name: `${name}-no`, partitionIndexes: [0] }] })
      await probe.send('DescribeProducers', version, { topics: [{ name: 'not/valid', partitionIndexes: [0] }] })
    },
  },
]

export const recordScenarios: readonly Scenario[] = [...produce, ...fetch, ...offsets]
