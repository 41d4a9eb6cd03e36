import { CompressionTypes, type Consumer, Kafka, logLevel, type Producer } from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestBroker, type TestBroker, type TestBrokerOptions } from '../test-broker.ts'

let brokers: TestBroker[] = []
let clients: { disconnect(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(clients.map((each) => each.disconnect()))
  clients = []
  await Promise.all(brokers.map(({ server }) => server.stop()))
  brokers = []
})

async function start(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = await startTestBroker(options)
  brokers.push(broker)
  return broker
}

function kafkaOf({ address }: TestBroker): Kafka {
  return new Kafka({
    clientId: 'test',
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, maxRetryTime: 200 },
  })
}

async function producerOf(broker: TestBroker, idempotent = false): Promise<Producer> {
  const producer = kafkaOf(broker).producer({ idempotent, allowAutoTopicCreation: true })
  clients.push(producer)
  await producer.connect()
  return producer
}

async function createTopic(broker: TestBroker, topic: string, numPartitions = 1): Promise<void> {
  const admin = kafkaOf(broker).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions }] })
  await admin.disconnect()
}

interface Reader {
  readonly consumer: Consumer
  readonly values: string[]
  /** Resolves when so many messages have come in all. */
  reads(count: number): Promise<string[]>
  /** Partitions that this reader has been given, whenever they change. */
  assigned(count: number): Promise<void>
}

async function read(broker: TestBroker, topic: string, groupId: string): Promise<Reader> {
  const consumer = kafkaOf(broker).consumer({
    groupId,
    sessionTimeout: 10_000,
    heartbeatInterval: 50,
    maxWaitTimeInMs: 50,
  })
  clients.push(consumer)
  const values: string[] = []
  let partitions = 0
  let wake: (() => void)[] = []
  const changed = () => {
    const waiting = wake
    wake = []
    for (const resolve of waiting) resolve()
  }
  const until = async (isDone: () => boolean) => {
    while (!isDone()) await new Promise<void>((resolve) => wake.push(resolve))
  }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    partitions = payload.memberAssignment[topic]?.length ?? 0
    changed()
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic: from, partition, message }) => {
      values.push(message.value?.toString() ?? 'null')
      await consumer.commitOffsets([{ topic: from, partition, offset: String(Number(message.offset) + 1) }])
      changed()
    },
  })
  return {
    consumer,
    values,
    reads: async (count) => {
      await until(() => values.length >= count)
      return values
    },
    assigned: (count) => until(() => partitions === count),
  }
}

async function leave(reader: Reader): Promise<void> {
  clients = clients.filter((each) => each !== reader.consumer)
  await reader.consumer.disconnect()
}

describe('kafkajs', () => {
  it('creates a topic by producing to it, and gets back keys, headers, nulls and what was compressed', async () => {
    const broker = await start()
    const producer = await producerOf(broker)
    const headers = { trace: 'abc' }
    await producer.send({ topic: 'words', messages: [{ key: 'k', value: 'one', headers }, { value: null }] })
    await producer.send({ topic: 'words', compression: CompressionTypes.GZIP, messages: [{ value: 'zipped' }] })
    const reader = await read(broker, 'words', 'readers')
    expect(await reader.reads(3)).toEqual(['one', 'null', 'zipped'])
  })

  it('produces idempotently', async () => {
    const broker = await start()
    await createTopic(broker, 'once')
    const producer = await producerOf(broker, true)
    for (const value of ['a', 'b', 'c']) await producer.send({ topic: 'once', acks: -1, messages: [{ value }] })
    const reader = await read(broker, 'once', 'readers')
    expect(await reader.reads(3)).toEqual(['a', 'b', 'c'])
  })

  it('shares partitions among the members of a group, and gives them back when one leaves', async () => {
    const broker = await start()
    await createTopic(broker, 'shared', 4)
    const first = await read(broker, 'shared', 'group')
    await first.assigned(4)
    const second = await read(broker, 'shared', 'group')
    await Promise.all([first.assigned(2), second.assigned(2)])
    const producer = await producerOf(broker)
    const messages = [0, 1, 2, 3].map((partition) => ({ partition, value: `p${partition}` }))
    await producer.send({ topic: 'shared', messages })
    await Promise.all([first.reads(2), second.reads(2)])
    expect([...first.values, ...second.values].sort()).toEqual(['p0', 'p1', 'p2', 'p3'])
    await leave(second)
    await first.assigned(4)
  })

  it('goes on where the group left off', async () => {
    const broker = await start()
    const producer = await producerOf(broker)
    await producer.send({ topic: 'log', messages: [{ value: 'a' }, { value: 'b' }] })
    const before = await read(broker, 'log', 'group')
    await before.reads(2)
    await leave(before)
    await producer.send({ topic: 'log', messages: [{ value: 'c' }] })
    const after = await read(broker, 'log', 'group')
    expect(await after.reads(1)).toEqual(['c'])
  })

  it('seeks by timestamp', async () => {
    const broker = await start()
    const producer = await producerOf(broker)
    const at = (seconds: number) => String(1_700_000_000_000 + seconds * 1000)
    const messages = [1, 2, 3].map((second) => ({ value: `s${second}`, timestamp: at(second) }))
    for (const message of messages) await producer.send({ topic: 'times', messages: [message] })
    const admin = kafkaOf(broker).admin()
    clients.push(admin)
    await admin.connect()
    const offsets = await admin.fetchTopicOffsetsByTimestamp('times', Number(at(2)))
    expect(offsets).toEqual([{ partition: 0, offset: '1' }])
    const reader = await read(broker, 'times', 'group')
    await reader.reads(3)
    reader.values.length = 0
    reader.consumer.seek({ topic: 'times', partition: 0, offset: '1' })
    expect(await reader.reads(2)).toEqual(['s2', 's3'])
  })

  it.each([
    ['a clean shutdown', (broker: TestBroker) => broker.server.stop()],
    ['a crash', (broker: TestBroker) => broker.server.abandon()],
  ])('finds records and committed offsets again after %s', async (_, end) => {
    const first = await start()
    const producer = await producerOf(first)
    await producer.send({ topic: 'kept', messages: [{ value: 'a' }, { value: 'b' }] })
    const reader = await read(first, 'kept', 'group')
    await reader.reads(2)
    await leave(reader)
    await producer.send({ topic: 'kept', messages: [{ value: 'c' }] })
    await producer.disconnect()
    brokers = []
    clients = []
    await end(first)

    const second = await start({ disk: first.disk })
    expect(second.server.clusterId).toBe(first.server.clusterId)
    const again = await read(second, 'kept', 'group')
    expect(await again.reads(1)).toEqual(['c'])
    const all = await read(second, 'kept', 'another')
    expect(await all.reads(3)).toEqual(['a', 'b', 'c'])
  })
})
