import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { kcat } from '../harness/kcat.ts'
import { startOracle } from '../harness/oracle.ts'
import { type Daemon, eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { type PrintedRecord, parseRecords, topicRecords } from './lines.ts'
import { launchConnect, propertiesFile, settleMs } from './worker.ts'

const overrides = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500' }

/** Apache Kafka is A, the broker under test is B. */
let brokers: { A: Broker; B: Broker }
let mirrorMaker: Daemon | undefined
let properties: string

type Side = keyof typeof brokers

beforeAll(async () => {
  const [A, B] = await Promise.all([startOracle({ overrides }), startTarget({ overrides })])
  brokers = { A, B }
  properties = propertiesFile(freshDir('mirror'), 'mm2', mirrorProperties())
})
afterAll(async () => {
  await mirrorMaker?.end('SIGKILL', 10_000)
  await Promise.all(Object.values(brokers ?? {}).map((broker) => broker.stop()))
})

function mirrorProperties(): Record<string, string> {
  const common = {
    clusters: 'A, B',
    'plugin.discovery': 'service_load',
    'sync.group.offsets.enabled': 'true',
    'offset.lag.max': '0',
  }
  const intervals = ['refresh.topics', 'refresh.groups', 'sync.topic.configs', 'sync.group.offsets', 'emit.checkpoints']
  const replication = ['', 'checkpoints.topic.', 'heartbeats.topic.', 'offset-syncs.topic.']
  const storage = ['config', 'offset', 'status'].map((name) => `${name}.storage.`)
  const entries = [
    ...intervals.map((name) => [`${name}.interval.seconds`, '1']),
    ...[...replication, ...storage].map((name) => [`${name}replication.factor`, '1']),
    ...['offset', 'status'].map((name) => [`${name}.storage.partitions`, '1']),
    ...(['A', 'B'] as const).flatMap((side) => [
      [`${side}.bootstrap.servers`, brokers[side].bootstrap],
      [`${side}.plugin.discovery`, 'service_load'],
      [`${side}.scheduled.rebalance.max.delay.ms`, '0'],
      [`${side}.session.timeout.ms`, '6000'],
      [`${side}.heartbeat.interval.ms`, '500'],
      // In transactions: whatever happens to MirrorMaker, every record is there once.
      [`${side}.exactly.once.source.support`, 'enabled'],
      // As long as a transaction that a killed MirrorMaker left is open, the next one waits for the end of its offsets.
      [`${side}.producer.transaction.timeout.ms`, '20000'],
    ]),
    ...['A->B', 'B->A'].map((flow) => [`${flow}.enabled`, 'true']),
    ...['A->B', 'B->A'].map((flow) => [`${flow}.topics`, 'orders, payments, heartbeats']),
  ]
  return { ...common, ...Object.fromEntries(entries) }
}

async function launch(): Promise<void> {
  mirrorMaker = await launchConnect('org.apache.kafka.connect.mirror.MirrorMaker', [properties])
}

function client(side: Side): Kafka {
  return new Kafka({ brokers: [brokers[side].bootstrap], clientId: 'mirror', logLevel: logLevel.NOTHING })
}

/** Headers, times of years ago, null values, and a key in every third record. */
async function produce(side: Side, topic: string, tag: string, partition: number, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, index) => ({
    partition,
    key: index % 3 === 0 ? `key-${index}` : null,
    value: index % 7 === 6 ? null : `${tag} ${partition} ${index}`,
    headers: { tag, list: ['one', String(index)], empty: '' },
    timestamp: String(Date.now() - 100 * index),
  }))
  const producer = client(side).producer()
  await producer.connect()
  await producer.send({ topic, messages })
  await producer.disconnect()
}

/** The configs that were set on the topic itself. */
async function ownConfigs(side: Side, topic: string): Promise<Record<string, string>> {
  const admin = client(side).admin()
  await admin.connect()
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: topic }],
  })
  await admin.disconnect()
  // 1 is a topic's own.
  const own = resources[0]!.configEntries.filter(({ configSource }) => Number(configSource) === 1)
  return Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]))
}

const byPosition = (a: PrintedRecord, b: PrintedRecord) => a.partition - b.partition || a.offset - b.offset

/** What is in a topic, without the offsets: markers of transactions take some. */
async function contents(side: Side, topic: string): Promise<Array<Omit<PrintedRecord, 'offset'>>> {
  const records = (await topicRecords(brokers[side], topic)).sort(byPosition)
  return records.map(({ partition, ts, key, payload, headers }) => ({ partition, ts, key, payload, headers }))
}

/** Waits until `to` has as many records as `from`, then compares them. */
async function mirrored(from: [Side, string], to: [Side, string]): Promise<void> {
  const expected = await contents(...from)
  await eventually(`${expected.length} records in ${to.join(' ')}`, settleMs, async () => {
    if (!mirrorMaker!.running) throw new Error(mirrorMaker!.output().slice(-4000))
    return (await contents(...to)).length >= expected.length || undefined
  })
  expect(await contents(...to)).toEqual(expected)
}

/** A member of a group reads on from what is committed: so many records, or all there are. It commits and leaves. */
async function consume(side: Side, group: string, topic: string, count?: number): Promise<PrintedRecord[]> {
  const args = ['-b', brokers[side].bootstrap, '-J', '-q', '-X', 'auto.offset.reset=earliest']
  const until = count === undefined ? ['-e'] : ['-c', String(count)]
  const timing = ['-X', 'session.timeout.ms=10000', '-X', 'heartbeat.interval.ms=300']
  return parseRecords(await kcat([...args, ...timing, ...until, '-G', group, topic]))
}

/** The offsets that a group has committed for a topic, by partition; -1 is none. */
async function committed(side: Side, group: string, topic: string): Promise<number[]> {
  const admin = client(side).admin()
  await admin.connect()
  const [{ partitions } = { partitions: [] }] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  await admin.disconnect()
  return [...partitions].sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset))
}

test('topics come with their configs and records to the other side, both ways', async () => {
  for (const [side, topic] of [
    ['A', 'orders'],
    ['B', 'payments'],
  ] as const) {
    const admin = client(side).admin()
    await admin.connect()
    const configEntries = [
      { name: 'retention.ms', value: '86400000' },
      { name: 'max.message.bytes', value: '900000' },
      { name: 'compression.type', value: 'gzip' },
    ]
    await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }] })
    await admin.disconnect()
    await produce(side, topic, 'first', 0, 200)
    await produce(side, topic, 'first', 1, 70)
  }
  await launch()
  await mirrored(['A', 'orders'], ['B', 'A.orders'])
  await mirrored(['B', 'payments'], ['A', 'B.payments'])
  expect(await ownConfigs('B', 'A.orders')).toEqual(await ownConfigs('A', 'orders'))
  expect(await ownConfigs('A', 'B.payments')).toEqual(await ownConfigs('B', 'payments'))
})

test('configs that change and partitions that are added arrive too', async () => {
  for (const [side, topic, other] of [
    ['A', 'orders', 'B'],
    ['B', 'payments', 'A'],
  ] as const) {
    const admin = client(side).admin()
    await admin.connect()
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: topic, configEntries: [{ name: 'retention.ms', value: '43200000' }] }],
    })
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    await admin.disconnect()
    await produce(side, topic, 'second', 2, 50)
    await mirrored([side, topic], [other, `${side}.${topic}`])
    await eventually(`configs of ${side}.${topic}`, settleMs, async () => {
      const { 'retention.ms': retention } = await ownConfigs(other, `${side}.${topic}`)
      return retention === '43200000' || undefined
    })
  }
})

const identity = ({ partition, ts, payload }: PrintedRecord) => `${partition} ${ts} ${payload}`

/** In each partition the offset after its last record. */
async function ends(side: Side, topic: string): Promise<number[]> {
  const found: number[] = []
  for (const { partition, offset } of (await topicRecords(brokers[side], topic)).sort(byPosition)) {
    found[partition] = offset + 1
  }
  return found
}

test.each([
  ['A', 'B', 'orders'],
  ['B', 'A', 'payments'],
] as const)('groups that move from %s to %s go on there: no record of %s is missed', async (from, to, topic) => {
  const remote = `${from}.${topic}`
  // What is mirrored while checkpoints are made has its offsets translated.
  for (const partition of [0, 1, 2]) await produce(from, topic, 'third', partition, 30)
  await mirrored([from, topic], [to, remote])
  const old = (await topicRecords(brokers[from], topic)).length
  const [done, half] = [`done-${topic}`, `half-${topic}`]
  expect(await consume(from, done, topic)).toHaveLength(old)
  const seen = (await consume(from, half, topic, old - 60)).map(identity)
  const last = await ends(to, remote)
  await eventually('offsets on the other side', settleMs, async () => {
    const isThere = (await committed(to, half, remote)).some((offset) => offset > 0)
    const offsets = await committed(to, done, remote)
    return (isThere && last.every((end, partition) => offsets[partition]! >= end)) || undefined
  })
  await produce(from, topic, 'fourth', 1, 40)
  await mirrored([from, topic], [to, remote])
  // Who had read everything goes on with what is new; who had not may get some of it again.
  const all = (await topicRecords(brokers[to], remote)).sort(byPosition)
  const fresh = all.filter(({ headers }) => headers?.includes('fourth'))
  expect(fresh).toHaveLength(40)
  expect(await consume(to, done, remote)).toEqual(fresh)
  const rest = (await consume(to, half, remote)).map(identity)
  expect(new Set([...seen, ...rest])).toEqual(new Set(all.map(identity)))
  expect(rest.length).toBeLessThan(all.length)
})

test('MirrorMaker is killed, then the broker: every record is on the other side once', async () => {
  const more = async (tag: string) => {
    await produce('A', 'orders', tag, 0, 1000)
    await produce('B', 'payments', tag, 0, 1000)
  }
  const flowing = async (tag: string) => {
    await eventually(`${tag} flows`, settleMs, async () => {
      const records = await topicRecords(brokers.B, 'A.orders')
      return records.some(({ headers }) => headers?.includes(tag)) || undefined
    })
  }
  await more('fifth')
  await flowing('fifth')
  await mirrorMaker!.end('SIGKILL', 10_000)
  await more('sixth')
  await launch()
  await flowing('sixth')
  await brokers.B.kill()
  await produce('A', 'orders', 'seventh', 1, 500)
  brokers.B = await startTarget({ home: brokers.B.home, overrides })
  await mirrored(['A', 'orders'], ['B', 'A.orders'])
  await mirrored(['B', 'payments'], ['A', 'B.payments'])
})
