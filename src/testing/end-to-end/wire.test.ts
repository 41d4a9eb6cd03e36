import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Logger, silentLogger } from '../../platform/logger.ts'
import { NodeNetwork } from '../../platform/node-network.ts'
import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { decodeResponse, encodeRequest } from '../../protocol/frames.ts'
import { type BatchOptions, buildBatch } from '../../protocol/records/builder.ts'
import { startTestBroker, type TestBroker } from '../test-broker.ts'
import { WireClient } from '../wire-client.ts'

const MEGABYTE = 1024 * 1024

let broker: TestBroker
let log: string[] = []
let topicCount = 0
const clients: WireClient[] = []

beforeAll(async () => {
  const logger: Logger = {
    ...silentLogger,
    info: (line) => log.push(line),
    warn: (line) => log.push(line),
    error: (line) => log.push(line),
  }
  broker = await startTestBroker({ logger, overrides: { 'socket.request.max.bytes': String(4 * MEGABYTE) } })
})

afterAll(() => broker.server.stop())

afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

function connect(): WireClient {
  const client = new WireClient(new NodeNetwork(), broker.port)
  clients.push(client)
  return client
}

async function newTopic(client: WireClient, partitions = 1): Promise<{ name: string; id: string }> {
  const name = `topic-${++topicCount}`
  const topic = { name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }
  const { topics } = await client.call(apis.CreateTopics, 7, { topics: [topic], timeoutMs: 1000, validateOnly: false })
  expect(topics[0]).toMatchObject({ errorCode: 0 })
  return { name, id: topics[0]!.topicId }
}

function batch(sizeBytes = 10, options: BatchOptions = {}): Buffer {
  return buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: Buffer.alloc(sizeBytes) }], options)
}

function produceRequest(name: string, records: Buffer, acks = -1, index = 0) {
  return {
    transactionalId: null,
    acks,
    timeoutMs: 1000,
    topicData: [{ name, partitionData: [{ index, records: [records] }] }],
  }
}

async function produce(client: WireClient, name: string, records: Buffer, acks = -1) {
  const { responses } = await client.call(apis.Produce, 12, produceRequest(name, records, acks))
  return responses[0]!.partitionResponses[0]!
}

interface Wanted {
  readonly offset?: number
  readonly partitions?: readonly number[]
  readonly minBytes?: number
  readonly maxWaitMs?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
}

function fetchRequest(topicId: string, wanted: Wanted = {}) {
  const { offset = 0, partitions = [0], minBytes = 1, maxWaitMs = 0, sessionId = 0, sessionEpoch = -1 } = wanted
  const topics = partitions.map((partition) => ({ partition, fetchOffset: offset, partitionMaxBytes: 10 * MEGABYTE }))
  return {
    maxWaitMs,
    minBytes,
    maxBytes: 50 * MEGABYTE,
    sessionId,
    sessionEpoch,
    topics: partitions.length === 0 ? [] : [{ topicId, partitions: topics }],
  }
}

describe('broken frames', () => {
  it.each([
    ['a negative size', Buffer.from([0xff, 0xff, 0xff, 0xfe])],
    ['a size over socket.request.max.bytes', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['an empty frame', Buffer.from([0, 0, 0, 0])],
    ['an API key that does not exist', Buffer.from([0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff])],
    ['a body that is cut off', Buffer.from([0, 0, 0, 12, 0, 3, 0, 8, 0, 0, 0, 1, 0xff, 0xff, 0, 0])],
    ['a version that is not served', Buffer.from([0, 0, 0, 10, 0, 3, 0x7f, 0, 0, 0, 0, 1, 0xff, 0xff])],
  ])('%s ends that connection, with one line in the log, and no other', async (_, bytes) => {
    const other = connect()
    await other.call(apis.ApiVersions, 0, {})
    log = []
    const client = connect()
    client.send(bytes)
    await client.closed()
    expect(client.frames).toEqual([])
    expect(log.filter((line) => line.startsWith('Closing connection'))).toHaveLength(1)
    expect((await other.call(apis.ApiVersions, 0, {})).errorCode).toBe(0)
  })

  it('answers what came before', async () => {
    const client = connect()
    client.request(apis.ApiVersions, 0, {})
    client.send(Buffer.from([0xff, 0xff, 0xff, 0xff]))
    await client.next()
    await client.closed()
  })
})

describe('ApiVersions', () => {
  it('answers a version from the future in version 0 (KIP-511)', async () => {
    const client = connect()
    const request = Buffer.concat(
      encodeRequest(apis.ApiVersions, 4, { correlationId: 9, clientId: 'c' }, { clientSoftwareName: 'a' }),
    )
    request.writeInt16BE(77, 6)
    client.send(request)
    const { correlationId, body } = decodeResponse(apis.ApiVersions, 0, await client.next())
    expect(correlationId).toBe(9)
    expect(body.errorCode).toBe(errors.UNSUPPORTED_VERSION.code)
    expect(body.apiKeys).toEqual([{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  })

  it('names the features of Apache Kafka 4.3', async () => {
    const client = { clientSoftwareName: 'some-client', clientSoftwareVersion: '1.0' }
    const four = await connect().call(apis.ApiVersions, 4, client)
    expect(four.supportedFeatures).toContainEqual({ name: 'metadata.version', minVersion: 7, maxVersion: 30 })
    expect(four.supportedFeatures).toContainEqual({ name: 'kraft.version', minVersion: 0, maxVersion: 1 })
    expect(four.finalizedFeatures).toContainEqual({
      name: 'metadata.version',
      minVersionLevel: 30,
      maxVersionLevel: 30,
    })
    expect(four.finalizedFeatures).toContainEqual({ name: 'kraft.version', minVersionLevel: 1, maxVersionLevel: 1 })
    expect(four.zkMigrationReady).toBe(false)
    const three = await connect().call(apis.ApiVersions, 3, client)
    expect(three.supportedFeatures.map(({ name }) => name)).toEqual(['metadata.version'])
  })

  it.each(['-abc', 'abc.', '', 'a b'])('refuses %j as the name of a client (KIP-511)', async (name) => {
    const request = { clientSoftwareName: name, clientSoftwareVersion: '1' }
    expect((await connect().call(apis.ApiVersions, 3, request)).errorCode).toBe(errors.INVALID_REQUEST.code)
  })
})

describe('pipelining', () => {
  it('answers in order, whatever takes longer', async () => {
    const client = connect()
    const topic = await newTopic(client)
    const ids = [
      client.request(apis.Fetch, 13, fetchRequest(topic.id, { maxWaitMs: 50 })),
      client.request(apis.Produce, 12, produceRequest(topic.name, batch())),
      client.request(apis.Produce, 12, produceRequest(topic.name, batch(100_000))),
      client.request(apis.Produce, 12, produceRequest(topic.name, batch())),
      client.request(apis.ApiVersions, 0, {}),
    ]
    const answered: number[] = []
    for (const _ of ids) answered.push((await client.next()).readInt32BE(0))
    expect(answered).toEqual(ids)
  })

  it('keeps the order of records within a connection', async () => {
    const client = connect()
    const { name } = await newTopic(client)
    for (let i = 0; i < 200; i++) client.request(apis.Produce, 12, produceRequest(name, batch(i * 50)))
    const offsets: number[] = []
    for (let i = 0; i < 200; i++) {
      const { body } = decodeResponse(apis.Produce, 12, await client.next())
      offsets.push(body.responses[0]!.partitionResponses[0]!.baseOffset)
    }
    expect(offsets).toEqual(Array.from({ length: 200 }, (_, index) => index))
  })
})

describe('a reader that does not read', () => {
  it('makes the broker hold one response, not all that it asked for', async () => {
    const client = connect()
    const topic = await newTopic(client)
    for (let i = 0; i < 8; i++) await produce(client, topic.name, batch(MEGABYTE - 1000))
    const slow = connect()
    await slow.call(apis.ApiVersions, 0, {})
    slow.pause()
    const count = 30
    for (let i = 0; i < count; i++) slow.request(apis.Fetch, 13, fetchRequest(topic.id))
    // Others are served meanwhile.
    for (let i = 0; i < 20; i++) await client.call(apis.ApiVersions, 0, {})
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(100 * MEGABYTE)
    slow.resume()
    for (let i = 0; i < count; i++) expect((await slow.next()).length).toBeGreaterThan(8 * (MEGABYTE - 1000))
  })
})

describe('Produce', () => {
  it.each([
    ['an unknown topic', () => produceRequest('nowhere', batch()), errors.UNKNOWN_TOPIC_OR_PARTITION],
    ['acks=2', (name: string) => produceRequest(name, batch(), 2), errors.INVALID_REQUIRED_ACKS],
    ['no batch', (name: string) => produceRequest(name, Buffer.alloc(0)), errors.INVALID_RECORD],
    ['two batches', (name: string) => produceRequest(name, Buffer.concat([batch(), batch()])), errors.INVALID_RECORD],
    ['a broken CRC', (name: string) => produceRequest(name, withByteFlipped(batch(), 70)), errors.CORRUPT_MESSAGE],
    ['an impossible size', (name: string) => produceRequest(name, withByteFlipped(batch(), 8)), errors.INVALID_RECORD],
    ['an internal topic', () => produceRequest('__consumer_offsets', batch()), errors.INVALID_TOPIC_EXCEPTION],
  ])('refuses %s', async (what, request, error) => {
    const client = connect()
    const { name } = await newTopic(client)
    if (what === 'an internal topic') await client.call(apis.FindCoordinator, 4, { coordinatorKeys: ['g'] })
    const { responses } = await client.call(apis.Produce, 12, request(name))
    expect(responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: error.code, baseOffset: -1 })
  })

  it('closes the connection when acks=0 fails, after answering what came before', async () => {
    const client = connect()
    const { name } = await newTopic(client)
    client.request(apis.Produce, 12, produceRequest(name, batch(), 0))
    client.request(apis.Produce, 12, produceRequest(name, batch()))
    const { body } = decodeResponse(apis.Produce, 12, await client.next())
    expect(body.responses[0]!.partitionResponses[0]!.baseOffset).toBe(1)
    client.request(apis.Produce, 12, produceRequest('nowhere', batch(), 0))
    await client.closed()
    expect(client.frames).toEqual([])
  })

  it('gives idempotent producers ids of their own, and knows their batches again (KIP-98)', async () => {
    const client = connect()
    const { name } = await newTopic(client)
    const ids = await Promise.all(
      [connect(), connect()].map((each) => each.call(apis.InitProducerId, 5, { transactionalId: null })),
    )
    expect(ids[0]!.producerId).not.toBe(ids[1]!.producerId)
    const { producerId, producerEpoch } = ids[0]!
    const first = { producerId, producerEpoch, baseSequence: 0 }
    expect(await produce(client, name, batch(10, first))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(await produce(client, name, batch(10, { ...first, baseSequence: 1 }))).toMatchObject({ baseOffset: 1 })
    expect(await produce(client, name, batch(10, first))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    const gap = await produce(client, name, batch(10, { ...first, baseSequence: 7 }))
    expect(gap.errorCode).toBe(errors.OUT_OF_ORDER_SEQUENCE_NUMBER.code)
  })
})

describe('Fetch', () => {
  it('waits for data and answers as soon as it is there', async () => {
    const client = connect()
    const topic = await newTopic(client)
    const reader = connect()
    const answer = reader.call(apis.Fetch, 13, fetchRequest(topic.id, { maxWaitMs: 20_000 }))
    await produce(client, topic.name, batch())
    expect((await answer).responses[0]!.partitions[0]).toMatchObject({ errorCode: 0, highWatermark: 1 })
  })

  it('forgets a waiting request whose client went away', async () => {
    const client = connect()
    const topic = await newTopic(client)
    const reader = connect()
    await reader.call(apis.ApiVersions, 0, {})
    reader.request(apis.Fetch, 13, fetchRequest(topic.id, { maxWaitMs: 2 ** 31 - 1 }))
    await client.call(apis.ApiVersions, 0, {})
    reader.close()
    await produce(client, topic.name, batch())
    const { responses } = await client.call(apis.Fetch, 13, fetchRequest(topic.id))
    expect(responses[0]!.partitions[0]!.highWatermark).toBe(1)
  })

  it('tells in a session only what is new (KIP-227)', async () => {
    const client = connect()
    const topic = await newTopic(client, 3)
    const full = await client.call(apis.Fetch, 13, fetchRequest(topic.id, { partitions: [0, 1, 2], sessionEpoch: 0 }))
    expect(full.responses[0]!.partitions).toHaveLength(3)
    const { sessionId } = full
    expect(sessionId).toBeGreaterThan(0)
    const step = (sessionEpoch: number, partitions: number[] = [], offset = 0) =>
      client.call(apis.Fetch, 13, fetchRequest(topic.id, { sessionId, sessionEpoch, partitions, offset }))
    expect((await step(1)).responses).toEqual([])
    await client.call(apis.Produce, 12, produceRequest(topic.name, batch(), -1, 1))
    const third = await step(2)
    expect(third.responses[0]!.partitions).toMatchObject([{ partitionIndex: 1, highWatermark: 1 }])
    expect((await step(3, [1], 1)).responses).toEqual([])
    expect((await step(3)).errorCode).toBe(errors.INVALID_FETCH_SESSION_EPOCH.code)
    expect(
      (await client.call(apis.Fetch, 12, { ...fetchRequest(''), sessionId, sessionEpoch: 4, topics: [] })).errorCode,
    ).toBe(errors.FETCH_SESSION_TOPIC_ID_ERROR.code)
    await step(-1)
    expect((await step(4)).errorCode).toBe(errors.FETCH_SESSION_ID_NOT_FOUND.code)
  })

  it('takes any negative leader epoch for none, and refuses an isolation level that does not exist', async () => {
    const client = connect()
    const topic = await newTopic(client)
    const request = fetchRequest(topic.id)
    const partitions = [{ ...request.topics[0]!.partitions[0]!, currentLeaderEpoch: -2, lastFetchedEpoch: -7 }]
    const { responses } = await client.call(apis.Fetch, 13, { ...request, topics: [{ topicId: topic.id, partitions }] })
    expect(responses[0]!.partitions[0]!.errorCode).toBe(0)
    const refused = await client.call(apis.Fetch, 13, { ...request, isolationLevel: 9 })
    expect(refused).toMatchObject({ errorCode: errors.UNKNOWN_SERVER_ERROR.code, responses: [] })
  })

  it('drops a partition from a session when told to', async () => {
    const client = connect()
    const topic = await newTopic(client, 2)
    const { sessionId } = await client.call(
      apis.Fetch,
      13,
      fetchRequest(topic.id, { partitions: [0, 1], sessionEpoch: 0 }),
    )
    await client.call(apis.Produce, 12, produceRequest(topic.name, batch(), -1, 0))
    await client.call(apis.Produce, 12, produceRequest(topic.name, batch(), -1, 1))
    const { responses } = await client.call(apis.Fetch, 13, {
      ...fetchRequest(topic.id, { sessionId, sessionEpoch: 1, partitions: [] }),
      forgottenTopicsData: [{ topicId: topic.id, partitions: [0] }],
    })
    expect(responses[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([1])
  })

  it('tells an unknown topic id from an unknown partition', async () => {
    const client = connect()
    const topic = await newTopic(client)
    const errorOf = async (topicId: string, partition: number) => {
      const { responses } = await client.call(apis.Fetch, 13, fetchRequest(topicId, { partitions: [partition] }))
      return responses[0]!.partitions[0]!.errorCode
    }
    expect(await errorOf('AAAAAAAAAAAAAAAAAAAABQ', 0)).toBe(errors.UNKNOWN_TOPIC_ID.code)
    expect(await errorOf(topic.id, 9)).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION.code)
  })
})

describe('ListOffsets and DeleteRecords', () => {
  it('finds the ends and a timestamp, and moves the start', async () => {
    const client = connect()
    const { name } = await newTopic(client)
    for (let i = 0; i < 3; i++) {
      await produce(client, name, buildBatch([{ timestamp: 1_700_000_000_000 + i, key: null, value: null }]))
    }
    const offsetOf = async (timestamp: number) => {
      const topics = [{ name, partitions: [{ partitionIndex: 0, timestamp }] }]
      const response = await client.call(apis.ListOffsets, 9, { replicaId: -1, topics })
      const { errorCode, offset, timestamp: found } = response.topics[0]!.partitions[0]!
      return [errorCode, offset, found]
    }
    expect(await offsetOf(-1)).toEqual([0, 3, -1])
    expect(await offsetOf(-2)).toEqual([0, 0, -1])
    expect(await offsetOf(-3)).toEqual([0, 2, 1_700_000_000_002])
    expect(await offsetOf(1_700_000_000_001)).toEqual([0, 1, 1_700_000_000_001])
    expect(await offsetOf(1_800_000_000_000)).toEqual([0, -1, -1])
    expect((await offsetOf(-9))[0]).toBe(errors.UNSUPPORTED_VERSION.code)
    const topics = [{ name, partitions: [{ partitionIndex: 0, offset: 2 }] }]
    const deleted = await client.call(apis.DeleteRecords, 2, { topics, timeoutMs: 1000 })
    expect(deleted.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, lowWatermark: 2 })
    expect(await offsetOf(-2)).toEqual([0, 2, -1])
  })
})

function withByteFlipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = copy[at]! ^ 0x01
  return copy
}
