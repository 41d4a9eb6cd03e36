import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumer, Kafka, logLevel, type Message } from 'kafkajs'
import {
  bigRecord,
  bigRecordCount,
  digest,
  groupPartitionCount,
  type Report,
  recordCount,
  recordLine,
  smallRecord,
  type TestRecord,
  type TopicReport,
} from './scenario.ts'

/** kafkajs numbers its codecs as Kafka does: the three low bits of a batch's attributes. */
const codecNumbers: Record<string, number> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }
const timeoutMs = 30_000

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error(`timed out: ${what}`)
    await sleep(20)
  }
}

/** kafkajs takes a header that occurs twice as a list, and hands it back as a list. */
function toMessage(record: TestRecord, partition: number): Message {
  const headers: Record<string, Buffer[]> = {}
  for (const [name, value] of record.headers) {
    headers[name] ??= []
    headers[name].push(value)
  }
  return { key: record.key, value: record.value, partition, headers }
}

interface Received {
  key: Buffer | null
  value: Buffer | null
  headers?: Record<string, Buffer | string | Array<Buffer | string> | undefined>
}

function toRecord(message: Received): TestRecord {
  const headers: Array<[string, Buffer]> = []
  for (const [name, values] of Object.entries(message.headers ?? {})) {
    for (const value of Array.isArray(values) ? values : [values ?? '']) headers.push([name, Buffer.from(value)])
  }
  return { key: message.key, value: message.value, headers }
}

class Member {
  readonly seen: Set<string> = new Set()
  assignment: number[] = []
  private readonly consumer: Consumer
  private readonly topic: string

  constructor(kafka: Kafka, topic: string) {
    this.topic = topic
    const timing = { sessionTimeout: 10_000, heartbeatInterval: 300, maxWaitTimeInMs: 200 }
    this.consumer = kafka.consumer({ groupId: topic, ...timing })
    this.consumer.on(this.consumer.events.GROUP_JOIN, ({ payload }) => {
      this.assignment = [...(payload.memberAssignment[topic] ?? [])].sort()
    })
    this.consumer.on(this.consumer.events.REBALANCING, () => {
      this.assignment = []
    })
  }

  async join(): Promise<this> {
    await this.consumer.connect()
    await this.consumer.subscribe({ topic: this.topic, fromBeginning: true })
    await this.consumer.run({
      autoCommitInterval: 100,
      eachMessage: async ({ partition, message }) => {
        this.seen.add(`${partition}:${message.offset}`)
      },
    })
    return this
  }

  async leave(): Promise<void> {
    await this.consumer.disconnect()
  }
}

/** The round trip of scenario.ts with kafkajs. */
export class KafkajsRoundTrip {
  private readonly kafka: Kafka
  private readonly prefix: string
  private readonly codecs: readonly string[]
  private readonly startMs: number

  constructor(bootstrap: string, prefix: string, codecs: readonly string[], startMs: number) {
    this.kafka = new Kafka({ brokers: [bootstrap], clientId: 'conformance', logLevel: logLevel.NOTHING })
    this.prefix = prefix
    this.codecs = codecs
    this.startMs = startMs
  }

  async report(): Promise<Report> {
    const codecs: Record<string, TopicReport> = {}
    for (const codec of this.codecs) {
      await this.create(`${this.prefix}-${codec}`, 2)
      codecs[codec] = await this.topicReport(`${this.prefix}-${codec}`, codec, recordCount, smallRecord)
    }
    await this.create(`${this.prefix}-big`, 2, { 'max.message.bytes': '1100000' })
    const big = await this.topicReport(`${this.prefix}-big`, 'none', bigRecordCount, bigRecord, 1)
    return { codecs, big, times: await this.times(), group: await this.group() }
  }

  private async create(topic: string, numPartitions: number, configs: Record<string, string> = {}): Promise<void> {
    const admin = this.kafka.admin()
    await admin.connect()
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }] })
    await admin.disconnect()
  }

  /** Sends the messages, `perRequest` at a time; returns the lines `i:partition:offset`. */
  private async produce(topic: string, codec: string, messages: Message[], perRequest = 1000): Promise<string[]> {
    const producer = this.kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    const lines: string[] = []
    await producer.connect()
    for (let from = 0; from < messages.length; from += perRequest) {
      const chunk = messages.slice(from, from + perRequest)
      const acks = await producer.send({ topic, messages: chunk, acks: -1, compression: codecNumbers[codec]! })
      // One acknowledgement per partition, with the offset of its first record.
      const next = new Map(acks.map((ack) => [ack.partition, Number(ack.baseOffset)]))
      for (const [index, message] of chunk.entries()) {
        const offset = next.get(message.partition!) ?? Number.NaN
        next.set(message.partition!, offset + 1)
        lines.push(`${from + index}:${message.partition}:${offset}\n`)
      }
    }
    await producer.disconnect()
    return lines
  }

  private async topicReport(
    topic: string,
    codec: string,
    count: number,
    make: (i: number) => TestRecord,
    perRequest = count,
  ): Promise<TopicReport> {
    const messages = Array.from({ length: count }, (_, i) => toMessage(make(i), i % 2))
    const acked = await this.produce(topic, codec, messages, perRequest)
    const lines: string[][] = [[], []]
    const consumer = this.kafka.consumer({ groupId: `${topic}-reader`, maxWaitTimeInMs: 200 })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        lines[partition]!.push(recordLine(Number(message.offset), toRecord(message)))
      },
    })
    await until(`all records of ${topic}`, () => lines[0]!.length + lines[1]!.length >= count)
    await consumer.disconnect()
    const partitions = lines.map((partition, p) => [p, { count: partition.length, sha: digest(partition) }])
    return { acked: digest(acked), partitions: Object.fromEntries(partitions) }
  }

  private async times(): Promise<Report['times']> {
    const topic = `${this.prefix}-times`
    await this.create(topic, 1)
    const messages = Array.from({ length: recordCount }, (_, i) => {
      return { value: 'v', partition: 0, timestamp: String(this.startMs + 1000 * i) }
    })
    await this.produce(topic, this.codecs.at(-1)!, messages)
    const admin = this.kafka.admin()
    await admin.connect()
    // Where no record is that late, kafkajs answers with the end offset.
    const lookUp = async (timestampMs: number) => {
      const offset = Number((await admin.fetchTopicOffsetsByTimestamp(topic, timestampMs))[0]!.offset)
      return offset === recordCount ? null : offset
    }
    const first = await lookUp(this.startMs)
    const middle = await lookUp(this.startMs + 49_500)
    const after = await lookUp(this.startMs + 100_000)
    await admin.disconnect()
    return { first, middle, after, sought: await this.readFrom(topic, middle!) }
  }

  private async readFrom(topic: string, offset: number): Promise<string> {
    const received: string[] = []
    const consumer = this.kafka.consumer({ groupId: `${topic}-reader`, maxWaitTimeInMs: 200 })
    await consumer.connect()
    await consumer.subscribe({ topic })
    const run = consumer.run({
      eachMessage: async ({ message }) => {
        received.push(`${message.offset}:${Number(message.timestamp) - this.startMs}`)
      },
    })
    consumer.seek({ topic, partition: 0, offset: String(offset) })
    await run
    await until('the sought record', () => received.length > 0)
    await consumer.disconnect()
    return received[0]!
  }

  private async group(): Promise<Report['group']> {
    const topic = `${this.prefix}-group`
    const batch = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ key: `key-${i}`, value: 'v', partition: i % groupPartitionCount }))
    await this.create(topic, groupPartitionCount)
    await this.produce(topic, 'none', batch(200))
    const a = await new Member(this.kafka, topic).join()
    await until('A alone', () => a.assignment.length === 4)
    const alone = a.assignment
    const b = await new Member(this.kafka, topic).join()
    await until('A and B', () => a.assignment.length === 2 && b.assignment.length === 2)
    const together = [a.assignment, b.assignment]
    await this.produce(topic, 'none', batch(200))
    const seen = () => [...new Set([...a.seen, ...b.seen])].sort()
    await until('all records', () => seen().length === 400)
    await b.leave()
    await until('A after B', () => a.assignment.length === 4)
    const left = a.assignment
    await a.leave()
    const committed = await this.committed(topic)
    await this.produce(topic, 'none', batch(40))
    const c = await new Member(this.kafka, topic).join()
    await until('resumed', () => c.seen.size >= 40)
    await c.leave()
    const resumed = [...c.seen].sort()
    return { alone, together, left, seen: digest(seen().map((entry) => `${entry}\n`)), committed, resumed }
  }

  private async committed(topic: string): Promise<Record<string, number>> {
    const admin = this.kafka.admin()
    await admin.connect()
    const [offsets] = await admin.fetchOffsets({ groupId: topic, topics: [topic] })
    await admin.disconnect()
    return Object.fromEntries(offsets!.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
  }
}
