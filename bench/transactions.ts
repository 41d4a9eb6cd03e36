import type { Broker } from '../conformance/harness/broker.ts'
import { apis } from '../src/protocol/api-keys.ts'
import { decodeResponse } from '../src/protocol/frames.ts'
import { buildBatch } from '../src/protocol/records/builder.ts'
import { Client, createTopic } from './load.ts'

const TOPIC = 'transactions'
const PRODUCERS = 20
const PER_SECOND = 1000
const WARM_UP_MS = 15_000
const MEASURED_MS = 10_000
const CONCURRENT_TRANSACTIONS = 51
/** The pause of Kafka's producer where the transaction before is not through yet. */
const RETRY_MS = 20
const COORDINATOR_RETRY_MS = 100

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, durationMs)))

/** A producer as Kafka's is under transaction.version 2: one record, one partition, then the end. */
class TransactionalProducer {
  readonly #client: Client
  readonly #partition: number
  readonly #transactionalId: string
  #producerId = -1
  #producerEpoch = -1

  constructor(client: Client, index: number) {
    this.#client = client
    this.#partition = index
    this.#transactionalId = `bench-${index}`
  }

  async init(): Promise<void> {
    const transactionalId = this.#transactionalId
    for (;;) {
      await this.#client.exchange('FindCoordinator', 4, { keyType: 1, coordinatorKeys: [transactionalId] })
      const body = { transactionalId, transactionTimeoutMs: 60_000 }
      const response = decodeResponse(
        apis.InitProducerId,
        5,
        await this.#client.exchange('InitProducerId', 5, body),
      ).body
      this.#producerId = response.producerId
      this.#producerEpoch = response.producerEpoch
      if (response.errorCode === 0) return
      await pause(COORDINATOR_RETRY_MS)
    }
  }

  async transact(): Promise<void> {
    const producer = { producerId: this.#producerId, producerEpoch: this.#producerEpoch }
    const record = { timestamp: Date.now(), key: null, value: Buffer.alloc(100, 'x') }
    const batch = buildBatch([record], { ...producer, baseSequence: 0, isTransactional: true })
    const transactionalId = this.#transactionalId
    const topicData = [{ name: TOPIC, partitionData: [{ index: this.#partition, records: [batch] }] }]
    const body = { transactionalId, acks: -1, timeoutMs: 30_000, topicData }
    for (;;) {
      const response = decodeResponse(apis.Produce, 12, await this.#client.exchange('Produce', 12, body)).body
      const { errorCode } = response.responses[0]!.partitionResponses[0]!
      if (errorCode === 0) break
      if (errorCode !== CONCURRENT_TRANSACTIONS) throw new Error(`produce: error ${errorCode}`)
      await pause(RETRY_MS)
    }
    const end = { transactionalId, ...producer, committed: true }
    const ended = decodeResponse(apis.EndTxn, 5, await this.#client.exchange('EndTxn', 5, end)).body
    if (ended.errorCode !== 0) throw new Error(`end: error ${ended.errorCode}`)
    this.#producerId = ended.producerId
    this.#producerEpoch = ended.producerEpoch
  }

  close(): void {
    this.#client.close()
  }
}

/** CPU seconds for 1,000 small transactions, of one partition each, at `PER_SECOND`. */
export async function measureTransactions(
  start: (options: object) => Promise<Broker>,
  cpuSeconds: (pid: number) => number,
): Promise<number> {
  const broker = await start({})
  const setup = await Client.open(broker.port)
  await createTopic(setup, TOPIC, PRODUCERS)
  setup.close()
  const producers: TransactionalProducer[] = []
  for (let index = 0; index < PRODUCERS; index++) {
    const producer = new TransactionalProducer(await Client.open(broker.port), index)
    await producer.init()
    producers.push(producer)
  }
  await run(producers, WARM_UP_MS)
  const before = cpuSeconds(broker.pid)
  const count = await run(producers, MEASURED_MS)
  const seconds = cpuSeconds(broker.pid) - before
  for (const producer of producers) producer.close()
  await broker.stop()
  if (count < (0.9 * PER_SECOND * MEASURED_MS) / 1000) console.error(`only ${count} transactions in ${MEASURED_MS} ms`)
  return seconds / (count / 1000)
}

/** All producers in step with the clock; answers how many transactions there were. */
async function run(producers: readonly TransactionalProducer[], durationMs: number): Promise<number> {
  const startMs = performance.now()
  const everyMs = (1000 * producers.length) / PER_SECOND
  let count = 0
  const work = async (producer: TransactionalProducer, offsetMs: number) => {
    for (let dueMs = startMs + offsetMs; dueMs < startMs + durationMs; dueMs += everyMs) {
      await pause(dueMs - performance.now())
      await producer.transact()
      count += 1
    }
  }
  await Promise.all(producers.map((producer, index) => work(producer, (everyMs * index) / producers.length)))
  return count
}
