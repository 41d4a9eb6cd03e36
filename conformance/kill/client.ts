import { RawConnection } from '../harness/wire.ts'
import { decodeBatches, Reader, type StoredBatch, Writer } from './bytes.ts'

/** A connection that speaks the ledger's few requests, any number of them in flight. */
export class LedgerClient {
  private readonly connection: RawConnection
  private readonly answerWithinMs: number
  private correlationId = 0

  private constructor(connection: RawConnection, answerWithinMs: number) {
    this.connection = connection
    this.answerWithinMs = answerWithinMs
  }

  static async open(port: number, answerWithinMs = 30_000): Promise<LedgerClient> {
    return new LedgerClient(await RawConnection.open('127.0.0.1', port), answerWithinMs)
  }

  get open(): boolean {
    return this.connection.open
  }

  close(): void {
    this.connection.close()
  }

  async initProducerId(): Promise<{ error: number; producerId: number; epoch: number }> {
    const response = await this.call(22, 1, new Writer().string(null).int32(60_000))
    response.int32()
    return { error: response.int16(), producerId: response.int64(), epoch: response.int16() }
  }

  async createTopic(name: string, partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<number> {
    const body = new Writer().int32(1).string(name).int32(partitions).int16(1).int32(0)
    body.list(Object.entries(configs), ([key, value]) => body.string(key).string(value))
    const response = await this.call(19, 2, body.int32(30_000).int8(0))
    response.int32()
    response.int32()
    response.string()
    return response.int16()
  }

  /** The port of the leader of each partition of a topic; undefined where there is none. */
  async leaders(topic: string): Promise<Array<number | undefined>> {
    const response = await this.call(3, 1, new Writer().int32(1).string(topic))
    const brokers = response.list(() => {
      const id = response.int32()
      response.string()
      const port = response.int32()
      response.string()
      return [id, port] as const
    })
    const ports = new Map(brokers)
    response.int32()
    const leaders: Array<number | undefined> = []
    response.list(() => {
      response.int16()
      response.string()
      response.int8()
      response.list(() => {
        response.int16()
        leaders[response.int32()] = ports.get(response.int32())
        response.list(() => response.int32())
        response.list(() => response.int32())
      })
    })
    return leaders
  }

  async topicNames(): Promise<string[]> {
    const response = await this.call(3, 1, new Writer().int32(-1))
    response.list(() => [response.int32(), response.string(), response.int32(), response.string()])
    response.int32()
    const topics = response.list(() => {
      response.int16()
      const name = response.string()!
      response.int8()
      response.list(() => {
        response.raw(2 + 4 + 4)
        response.list(() => response.int32())
        response.list(() => response.int32())
      })
      return name
    })
    return topics.sort()
  }

  async produce(topic: string, partition: number, batch: Buffer): Promise<{ error: number; baseOffset: number }> {
    const body = new Writer().string(null).int16(-1).int32(30_000)
    body.int32(1).string(topic).int32(1).int32(partition).bytes(batch)
    const response = await this.call(0, 7, body)
    response.int32()
    response.string()
    response.int32()
    response.int32()
    return { error: response.int16(), baseOffset: response.int64() }
  }

  async fetch(topic: string, partition: number, offset: number): Promise<{ error: number; batches: StoredBatch[] }> {
    const mebi = 1 << 20
    const body = new Writer()
      .int32(-1)
      .int32(0)
      .int32(0)
      .int32(8 * mebi)
      .int8(0)
    body
      .int32(1)
      .string(topic)
      .int32(1)
      .int32(partition)
      .int64(offset)
      .int32(4 * mebi)
    const response = await this.call(1, 4, body)
    response.int32()
    response.int32()
    response.string()
    response.raw(4 + 4)
    const error = response.int16()
    response.raw(8 + 8)
    response.list(() => response.raw(8 + 8))
    return { error, batches: decodeBatches(response.bytes()) }
  }

  /** The end offset of a partition. */
  async endOffset(topic: string, partition: number): Promise<{ error: number; offset: number }> {
    const body = new Writer().int32(-1).int32(1).string(topic).int32(1).int32(partition).int64(-1)
    const response = await this.call(2, 1, body)
    response.int32()
    response.string()
    response.raw(4 + 4)
    const error = response.int16()
    response.int64()
    return { error, offset: response.int64() }
  }

  async findCoordinator(group: string): Promise<number> {
    const response = await this.call(10, 1, new Writer().string(group).int8(0))
    response.int32()
    return response.int16()
  }

  /** Commits as one who is in no group generation, which an empty group allows. */
  async commitOffset(group: string, topic: string, partition: number, offset: number): Promise<number> {
    const body = new Writer().string(group).int32(-1).string('').int64(-1)
    body.int32(1).string(topic).int32(1).int32(partition).int64(offset).string(`at ${offset}`)
    const response = await this.call(8, 2, body)
    response.int32()
    response.string()
    response.raw(4 + 4)
    return response.int16()
  }

  async committedOffset(
    group: string,
    topic: string,
    partition: number,
  ): Promise<{ error: number; offset: number; metadata: string | null }> {
    const body = new Writer().string(group).int32(1).string(topic).int32(1).int32(partition)
    const response = await this.call(9, 1, body)
    response.int32()
    response.string()
    response.raw(4 + 4)
    const offset = response.int64()
    const metadata = response.string()
    return { error: response.int16(), offset, metadata }
  }

  private async call(apiKey: number, version: number, body: Writer): Promise<Reader> {
    const correlationId = this.correlationId++
    const header = new Writer().int16(apiKey).int16(version).int32(correlationId).string('ledger')
    this.connection.send(header.raw(body.end()).end())
    const response = new Reader(await this.connection.receive(this.answerWithinMs))
    if (response.int32() !== correlationId) throw new Error(`answers are out of order at request ${correlationId}`)
    return response
  }
}
