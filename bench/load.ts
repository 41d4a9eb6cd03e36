import { RawConnection } from '../conformance/harness/wire.ts'
import { apis } from '../src/protocol/api-keys.ts'
import { decodeResponse, encodeRequest } from '../src/protocol/frames.ts'
import { buildBatch, type RecordInput } from '../src/protocol/records/builder.ts'

export const PARTITIONS = 4
/** What a producer with the default batch.size of 16 KiB puts in a batch of 1 KB records. */
const RECORDS_PER_BATCH = 15
const RECORD_BYTES = 1024
/** Requests that a producer keeps under way by default (max.in.flight.requests.per.connection). */
const IN_FLIGHT = 5

/** Unknown topic, no leader, not the leader: of a broker that has not heard yet of what is new. */
const PASSING: ReadonlySet<number> = new Set([3, 5, 6])
const RETRY_MS = 20

/** One connection on which requests are answered in order. */
export class Client {
  readonly #connection: RawConnection
  #correlationId = 0

  private constructor(connection: RawConnection) {
    this.#connection = connection
  }

  static async open(port: number): Promise<Client> {
    return new Client(await RawConnection.open('127.0.0.1', port))
  }

  /** Sends a request and answers its response frame. */
  exchange(name: keyof typeof apis, version: number, body: object): Promise<Buffer> {
    const header = { correlationId: ++this.#correlationId, clientId: 'bench' }
    const frame = Buffer.concat(encodeRequest(apis[name] as (typeof apis)['Metadata'], version, header, body))
    return this.#connection.exchange(frame.subarray(4), 60_000)
  }

  exchangeFrame(frame: Buffer): Promise<Buffer> {
    return this.#connection.exchange(frame, 60_000)
  }

  close(): void {
    this.#connection.close()
  }
}

export async function createTopic(client: Client, name: string, partitions: number): Promise<void> {
  const topics = [{ name, numPartitions: partitions, replicationFactor: 1 }]
  await client.exchange('CreateTopics', 5, { topics, timeoutMs: 10_000 })
  for (;;) {
    const frame = await client.exchange('Metadata', 8, { topics: [{ name }], allowAutoTopicCreation: false })
    const { body } = decodeResponse(apis.Metadata, 8, frame)
    const led = body.topics[0]?.partitions.filter((partition) => partition.leaderId >= 0 && partition.errorCode === 0)
    if (led?.length === partitions) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Values that compress about as badly as real ones; the seed is fixed, so both brokers get the same bytes. */
function sampleBatch(): Buffer {
  let state = 42
  const records: RecordInput[] = []
  for (let index = 0; index < RECORDS_PER_BATCH; index++) {
    const value = Buffer.alloc(RECORD_BYTES)
    for (let at = 0; at < RECORD_BYTES; at++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      value[at] = 32 + ((state >>> 16) % 90)
    }
    records.push({ timestamp: Date.now(), key: null, value })
  }
  return buildBatch(records)
}

/** Writes about `totalBytes` of records to all partitions of `topic`, acks=all; answers the bytes of record values written. */
export async function produce(port: number, topic: string, totalBytes: number): Promise<number> {
  const client = await Client.open(port)
  const batch = sampleBatch()
  const partitionData = Array.from({ length: PARTITIONS }, (_, index) => ({ index, records: [batch] }))
  const body = { acks: -1, timeoutMs: 30_000, topicData: [{ name: topic, partitionData }] }
  const header = { correlationId: 1, clientId: 'bench' }
  const frame = Buffer.concat(encodeRequest(apis.Produce, 9, header, body)).subarray(4)
  const perRequest = PARTITIONS * RECORDS_PER_BATCH * RECORD_BYTES
  const requests = Math.ceil(totalBytes / perRequest)
  let sent = 0
  const worker = async () => {
    while (sent < requests) {
      sent += 1
      const response = decodeResponse(apis.Produce, 9, await client.exchangeFrame(frame)).body
      const failed = response.responses
        .flatMap((entry) => entry.partitionResponses)
        .find((entry) => entry.errorCode !== 0)
      if (failed !== undefined && PASSING.has(failed.errorCode)) {
        sent -= 1
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      } else if (failed) throw new Error(`produce: error ${failed.errorCode} ${failed.errorMessage}`)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  client.close()
  return requests * perRequest
}

/** Reads all of `topic` from the start with a consumer's default limits; answers the bytes of batches read. */
export async function consume(port: number, topic: string, untilOffset: number): Promise<number> {
  const client = await Client.open(port)
  const offsets = new Array<number>(PARTITIONS).fill(0)
  let bytes = 0
  while (offsets.some((offset) => offset < untilOffset)) {
    const partitions = offsets.map((fetchOffset, partition) => ({ partition, fetchOffset, partitionMaxBytes: 1 << 20 }))
    const wanted = partitions.filter((entry) => entry.fetchOffset < untilOffset)
    const body = { maxWaitMs: 500, minBytes: 1, maxBytes: 50 << 20, topics: [{ topic, partitions: wanted }] }
    const response = decodeResponse(apis.Fetch, 11, await client.exchange('Fetch', 11, body)).body
    for (const entry of response.responses[0]?.partitions ?? []) {
      if (entry.errorCode !== 0) throw new Error(`fetch: error ${entry.errorCode}`)
      const records = entry.records?.[0] ?? Buffer.alloc(0)
      bytes += records.length
      offsets[entry.partitionIndex] = offsetAfter(records) ?? offsets[entry.partitionIndex]!
    }
  }
  client.close()
  return bytes
}

/** The offset after the last whole batch, walking headers only. */
function offsetAfter(records: Buffer): number | undefined {
  let next: number | undefined
  for (let at = 0; at + 61 <= records.length; ) {
    const sizeBytes = 12 + records.readInt32BE(at + 8)
    if (at + sizeBytes > records.length) break
    next = Number(records.readBigInt64BE(at)) + records.readInt32BE(at + 23) + 1
    at += sizeBytes
  }
  return next
}

/** One past the last offset of partition 0. */
export async function endOffset(port: number, topic: string): Promise<number> {
  const client = await Client.open(port)
  const topics = [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1 }] }]
  const frame = await client.exchange('ListOffsets', 5, { replicaId: -1, topics })
  client.close()
  return decodeResponse(apis.ListOffsets, 5, frame).body.topics[0]!.partitions[0]!.offset
}
