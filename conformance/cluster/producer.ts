import { sleep } from '../harness/process.ts'
import { type Batch, encodeBatch } from '../kill/bytes.ts'
import { LedgerClient } from '../kill/client.ts'
import type { Ledger } from '../kill/ledger.ts'

/** Errors after which the same batches are sent again, to whoever leads then. */
const RETRIABLE: ReadonlySet<number> = new Set([3, 5, 6, 7, 13, 14, 15, 16, 19, 20, 41, 56, 74, 76])
const OUT_OF_ORDER_SEQUENCE = 45
/** A broker recognises a batch that it has only among the last five of a producer in a partition. */
const MAX_IN_FLIGHT = 5
/** A broker that is stopped does not answer, and its connections stay: after this another one is looked for. */
const ANSWER_WITHIN_MS = 4_000
const MAX_WAIT_MS = 100

export interface ProducerOptions {
  readonly name: string
  readonly ledger: Ledger
  readonly random: () => number
  /** Where brokers may be found. */
  readonly ports: () => readonly number[]
  /** The longest rest between two rounds of batches. */
  readonly maxPauseMs: number
  /** Called at each acknowledgement. */
  readonly onAck?: (partition: number) => void
}

interface Identity {
  readonly producerId: number
  readonly epoch: number
}

/** Who leads the partitions of a topic, by the first broker that says so. */
export async function leadersOf(topic: string, ports: readonly number[]): Promise<Array<number | undefined>> {
  for (const port of ports) {
    const client = await LedgerClient.open(port, 2_000).catch(() => undefined)
    try {
      const leaders = await client?.leaders(topic)
      if (leaders !== undefined && leaders.length > 0) return leaders
    } catch {
      // Another one will know.
    } finally {
      client?.close()
    }
  }
  return []
}

/** The batches of one producer for one partition, on a connection of its own to its leader. */
class PartitionStream {
  isWanted = true
  private readonly partition: number
  private readonly options: ProducerOptions
  private readonly identify: () => Promise<Identity>
  private identity: Identity | undefined
  private unacked: Batch[] = []
  /** Batches that an earlier connection carried: a broker may have them. */
  private readonly sentBefore: WeakSet<Batch> = new WeakSet()
  private nextSequence = 0
  private made = 0
  private sent = 0
  private attempts = 0
  private failure: Error | undefined

  /** Partitions share an id, `identity`, until one of them has to give it up and asks for another. */
  constructor(partition: number, options: ProducerOptions, identity: Identity, identify: () => Promise<Identity>) {
    this.partition = partition
    this.options = options
    this.identity = identity
    this.identify = identify
  }

  /** Ends when nothing is wanted any more and everything is acknowledged. Rejects when an answer is wrong. */
  async run(): Promise<void> {
    while (this.isWanted || this.unacked.length > 0) {
      this.identity ??= await this.identify()
      const client = await this.connect()
      if (client === undefined) {
        await sleep(20)
        continue
      }
      try {
        await this.keepBusy(client)
      } finally {
        client.close()
      }
      if (this.failure) throw this.failure
    }
  }

  private async connect(): Promise<LedgerClient | undefined> {
    // Each attempt asks another broker first: one alone may know nothing of a new leader.
    const ports = this.options.ports()
    const turn = this.attempts++ % Math.max(1, ports.length)
    const leaders = await leadersOf(this.options.ledger.topic, [...ports.slice(turn), ...ports.slice(0, turn)])
    const port = leaders[this.partition]
    return port === undefined ? undefined : LedgerClient.open(port, ANSWER_WITHIN_MS).catch(() => undefined)
  }

  private async keepBusy(client: LedgerClient): Promise<void> {
    for (const batch of this.unacked.slice(0, this.sent)) this.sentBefore.add(batch)
    this.sent = 0
    const pending = new Set<Promise<void>>()
    while (client.open && !this.failure && this.identity) {
      while (this.isWanted && this.unacked.length < MAX_IN_FLIGHT) this.unacked.push(this.makeBatch())
      if (this.unacked.length === 0) return
      while (this.sent < this.unacked.length) {
        const sending = this.send(client, this.unacked[this.sent]!)
        this.sent += 1
        pending.add(sending)
        sending.finally(() => pending.delete(sending))
      }
      // A connection that is being closed may have nothing under way any more, and still look open.
      await Promise.race([...pending, sleep(MAX_WAIT_MS)])
      await sleep(this.options.random() * this.options.maxPauseMs)
    }
    await Promise.all(pending)
  }

  private makeBatch(): Batch {
    const { name, random } = this.options
    const values = Array.from({ length: 1 + Math.floor(random() * 10) }, (_, i) => {
      const padding = 'x'.repeat(Math.floor(random() * 400))
      return Buffer.from(`${name}/${this.partition}/${this.made + i} ${padding}`)
    })
    const { producerId, epoch } = this.identity!
    const batch = { producerId, producerEpoch: epoch, baseSequence: this.nextSequence, values }
    this.nextSequence += values.length
    this.made += values.length
    return batch
  }

  private async send(client: LedgerClient, batch: Batch): Promise<void> {
    const { ledger, name } = this.options
    const answer = await client
      .produce(ledger.topic, this.partition, encodeBatch(batch, Date.now()))
      .catch(() => client.close())
    if (!answer || this.failure) return
    const { error, baseOffset } = answer
    const isOldest = this.unacked[0] === batch
    if (error === 0 && isOldest) this.settle(() => ledger.acknowledge(this.partition, baseOffset, batch.values))
    else if (error === OUT_OF_ORDER_SEQUENCE && isOldest && this.sentBefore.has(batch)) this.giveUp(client)
    // After a "not now" those behind it are out of order: all of them go again, on a new connection.
    else if (RETRIABLE.has(error) || !isOldest) client.close()
    else {
      const what = `${name}: partition ${this.partition}, sequence ${batch.baseSequence}`
      this.failure = new Error(`${what}: error ${error}, offset ${baseOffset}`)
      client.close()
    }
  }

  /**
   * A broker of Apache Kafka that restarted knows only the newest batch of a producer, and refuses an older one that comes
   * again. It has that batch then, but whether the others will, nobody knows: what was sent is left as it is, and what
   * follows has another producer id.
   */
  private giveUp(client: LedgerClient): void {
    for (const batch of this.unacked) this.options.ledger.allow(this.partition, batch.values)
    this.unacked = []
    this.sent = 0
    this.nextSequence = 0
    this.identity = undefined
    client.close()
  }

  /** The oldest batch is done with. */
  private settle(note: () => void): void {
    this.unacked.shift()
    this.sent -= 1
    try {
      note()
      this.options.onAck?.(this.partition)
    } catch (wrong) {
      this.failure = wrong as Error
    }
  }
}

/**
 * An idempotent producer on a cluster. It keeps up to five batches in flight in each partition, notes every
 * acknowledgement in the ledger, and after any trouble sends what was not acknowledged again, in order and with the same
 * sequences, to whoever leads then.
 */
export class ClusterProducer {
  private readonly options: ProducerOptions
  private streams: PartitionStream[] = []
  private ended: Promise<void> | undefined
  private failure: Error | undefined

  constructor(options: ProducerOptions) {
    this.options = options
  }

  async start(): Promise<void> {
    const identity = await this.identify()
    const { partitionCount } = this.options.ledger
    this.streams = Array.from(
      { length: partitionCount },
      (_, p) => new PartitionStream(p, this.options, identity, () => this.identify()),
    )
    this.ended = Promise.all(this.streams.map((stream) => stream.run())).then(() => {})
    this.ended.catch((error) => {
      this.failure = error
    })
  }

  /** Throws when a broker gave a wrong answer. */
  check(): void {
    if (this.failure) throw this.failure
  }

  /** Makes no more records and waits until all are acknowledged. Rejects when a broker gave a wrong answer. */
  async finish(timeoutMs = 300_000): Promise<void> {
    for (const stream of this.streams) stream.isWanted = false
    let timer: NodeJS.Timeout | undefined
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.options.name}: not drained in ${timeoutMs} ms`)), timeoutMs)
    })
    await Promise.race([this.ended, expiry]).finally(() => clearTimeout(timer))
  }

  private async identify(): Promise<Identity> {
    for (let attempt = 0; attempt < 500; attempt++) {
      for (const port of this.options.ports()) {
        const client = await LedgerClient.open(port, ANSWER_WITHIN_MS).catch(() => undefined)
        const answer = await client?.initProducerId().catch(() => undefined)
        client?.close()
        if (answer?.error === 0) return answer
      }
      await sleep(50)
    }
    throw new Error(`${this.options.name}: no producer id`)
  }
}
