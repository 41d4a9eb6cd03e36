import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { type Client, nameOfError } from './client.ts'
import { ConnectionLost } from './connection.ts'
import type { Ledger } from './ledger.ts'

/** The highest version that names topics, so that a topic made anew is not mistaken for the one before. */
const PRODUCE_VERSION = 12
const INIT_VERSION = 5
const PRODUCE_TIMEOUT_MS = 2000

/** A topic that is written to. */
export interface WorkTopic {
  readonly name: string
  readonly partitions: number
  /** Of its own. [none] */
  readonly configs?: readonly { readonly name: string; readonly value: string }[]
}

export interface ProducerId {
  readonly id: number
  readonly epoch: number
}

/** One batch of values for one partition. */
export interface Batch {
  readonly topic: string
  readonly partition: number
  readonly values: readonly string[]
  /** Of all its values. [none] */
  readonly key?: string | undefined
  readonly producer?: ProducerId
  readonly baseSequence?: number
  readonly transactionalId?: string
  readonly acks: number
  /** [PRODUCE_VERSION] */
  readonly version?: number
}

/** What became of one attempt: an error's code, and where the batch is; 'lost' where there was no answer. */
export type Attempt = { readonly errorCode: number; readonly baseOffset: number } | 'lost'

export async function attempt(client: Client, batch: Batch): Promise<Attempt | undefined> {
  const { topic, partition, values, producer, baseSequence = -1, transactionalId = null, acks } = batch
  const { version = PRODUCE_VERSION, key } = batch
  const place = await client.placeOf(topic, partition)
  if (place === undefined) return undefined
  const timestamp = Math.floor(client.world.time.nowMs())
  const records = buildBatch(
    values.map((value) => ({ timestamp, key: key === undefined ? null : Buffer.from(key), value: Buffer.from(value) })),
    {
      producerId: producer?.id ?? -1,
      producerEpoch: producer?.epoch ?? -1,
      baseSequence,
      isTransactional: transactionalId !== null,
    },
  )
  const body = {
    transactionalId,
    acks,
    timeoutMs: PRODUCE_TIMEOUT_MS,
    topicData: [{ name: topic, partitionData: [{ index: partition, records: [records] }] }],
  }
  try {
    const response = await client.call(place.leader, apis.Produce, version, body)
    const { errorCode, baseOffset } = response.responses[0]!.partitionResponses[0]!
    if (errorCode !== 0) client.forget(topic, partition)
    return { errorCode, baseOffset }
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error
    client.forget(topic, partition)
    return 'lost'
  }
}

export function isRetriable(code: number): boolean {
  return Object.values(errors).some((error) => error.code === code && error.retriable)
}

/** A producer id that nobody else has. */
export async function initProducer(client: Client, ledger: Ledger): Promise<ProducerId | undefined> {
  const body = { transactionalId: null, transactionTimeoutMs: 60_000 }
  const response = await client.anybody(apis.InitProducerId, INIT_VERSION, body, ({ errorCode }) => errorCode === 0)
  if (response === undefined) return undefined
  ledger.gotProducerId(response.producerId)
  return { id: response.producerId, epoch: response.producerEpoch }
}

/** Writes until the run is over. */
export abstract class Writer {
  readonly client: Client
  readonly ledger: Ledger
  readonly topics: readonly WorkTopic[]
  /** Since when the network and all nodes are well, acknowledgements. */
  acks = 0
  isStopped = false
  hasEnded = false
  readonly name: string
  #count = 0

  constructor(name: string, client: Client, ledger: Ledger, topics: readonly WorkTopic[]) {
    this.name = name
    this.client = client
    this.ledger = ledger
    this.topics = topics
  }

  protected get isOver(): boolean {
    return this.isStopped || this.client.world.isOver
  }

  /** `prefix`: "once" for what may be there at most once. */
  protected nextValues(prefix: string): string[] {
    const { random } = this.client
    return Array.from({ length: random.between(1, 3) }, () => `${prefix} ${this.name} ${++this.#count}`)
  }

  protected choose(): { topic: string; partition: number } {
    const { random } = this.client
    const topic = random.pick(this.topics)
    return { topic: topic.name, partition: random.below(topic.partitions) }
  }

  protected pause(): Promise<void> {
    return this.client.world.sleep(this.client.random.below(200))
  }

  protected abstract write(): Promise<void>

  async run(): Promise<void> {
    while (!this.isOver) {
      await this.write()
      await this.pause()
    }
    this.hasEnded = true
  }
}

/** An idempotent producer, which sends a batch again until it is acknowledged, and the next only then. */
export class IdempotentProducer extends Writer {
  #producer: ProducerId | undefined
  readonly #sequences = new Map<string, number>()
  /** How many keys it has of its own; 0 where it writes without. */
  protected readonly keys: number = 0

  protected async write(): Promise<void> {
    // Now and then a new one, as of a producer that starts again.
    if (this.#producer === undefined || this.client.random.percent(2)) {
      this.#producer = await initProducer(this.client, this.ledger)
      this.#sequences.clear()
    }
    const producer = this.#producer
    if (producer === undefined) return
    const place = this.choose()
    const log = `${place.topic}-${place.partition}`
    const baseSequence = this.#sequences.get(log) ?? 0
    const values = this.nextValues('once')
    const key = this.keys === 0 ? undefined : `${this.name}/${this.client.random.below(this.keys)}`
    for (const value of values) this.ledger.wrote(value, place, { key })
    for (;;) {
      const result = await attempt(this.client, { ...place, values, key, producer, baseSequence, acks: -1 })
      if (result === undefined) return
      if (result !== 'lost' && result.errorCode === 0) {
        for (const [index, value] of values.entries()) this.ledger.acked(value, result.baseOffset + index)
        break
      }
      if (result !== 'lost' && result.errorCode === errors.DUPLICATE_SEQUENCE_NUMBER.code) break
      if (result !== 'lost' && !isRetriable(result.errorCode)) {
        const name = nameOfError(result.errorCode)
        this.client.world.fail(`${this.name} may not write sequence ${baseSequence} to ${log}: ${name}`)
        return
      }
      // A batch that was tried and given up leaves a gap in the sequences: it is tried to the end of the run.
      if (this.client.world.isOver) return
      await this.client.backOff()
    }
    this.acks++
    this.#sequences.set(log, baseSequence + values.length)
  }
}

/** Writes values of a few keys, of which the newest has to be kept. */
export class KeyedProducer extends IdempotentProducer {
  protected override readonly keys = 3
}

/** A producer without sequences: what it sends again may be there twice. `acks` 1 promises nothing. */
export class PlainProducer extends Writer {
  readonly #acks: number

  constructor(name: string, client: Client, ledger: Ledger, topics: readonly WorkTopic[], acks: number) {
    super(name, client, ledger, topics)
    this.#acks = acks
  }

  protected async write(): Promise<void> {
    const place = this.choose()
    const values = this.nextValues('plain')
    for (const value of values) this.ledger.wrote(value, place)
    const result = await attempt(this.client, { ...place, values, acks: this.#acks })
    if (result === undefined || result === 'lost' || result.errorCode !== 0) return this.client.backOff()
    this.acks++
    if (this.#acks !== -1) return
    for (const [index, value] of values.entries()) this.ledger.acked(value, result.baseOffset + index)
  }
}
