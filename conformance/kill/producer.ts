import { type Batch, encodeBatch } from './bytes.ts'
import { LedgerClient } from './client.ts'
import type { Ledger } from './ledger.ts'

/** Errors that mean "not yet", as after a start: the same batches are sent again. */
const retriable: ReadonlySet<number> = new Set([3, 5, 6, 7, 13, 14, 15, 16, 19, 56])
const outOfOrderSequence = 45
/** A broker recognises a batch that it has only among the last five of a producer in a partition. */
const maxInFlight = 5

interface PartitionState {
  nextSequence: number
  /** Sent or to be sent, in the order of their sequences; the first `sent` of them are on the way. */
  unacked: Batch[]
  sent: number
}

/**
 * An idempotent producer. It keeps up to five batches in flight in each partition, notes every acknowledgement in the
 * ledger, and after a lost connection sends what was not acknowledged again, in order and with the same sequences.
 */
export class LedgerProducer {
  readonly name: string
  private readonly ledger: Ledger
  private readonly random: () => number
  private readonly partitions: PartitionState[]
  /** Batches that an earlier connection carried: the broker may have them. */
  private readonly sentBefore: WeakSet<Batch> = new WeakSet()
  private identity: { producerId: number; epoch: number } | undefined
  private wanted = false
  private failure: Error | undefined

  constructor(name: string, ledger: Ledger, random: () => number) {
    this.name = name
    this.ledger = ledger
    this.random = random
    this.partitions = Array.from({ length: ledger.partitionCount }, () => ({ nextSequence: 0, unacked: [], sent: 0 }))
  }

  get unackedCount(): number {
    return this.partitions.reduce((sum, { unacked }) => sum + unacked.length, 0)
  }

  /**
   * Produces on a new connection until it is lost or, with `onlyUnacked`, until nothing is unacknowledged. Never
   * rejects because of a lost connection; rejects when the broker gives a wrong answer.
   */
  async run(port: number, onlyUnacked = false): Promise<void> {
    const client = await LedgerClient.open(port).catch(() => undefined)
    if (!client) return
    this.wanted = !onlyUnacked
    for (const state of this.partitions) {
      for (const batch of state.unacked.slice(0, state.sent)) this.sentBefore.add(batch)
      state.sent = 0
    }
    try {
      if (await this.identify(client)) await Promise.all(this.partitions.map((_, p) => this.keepBusy(client, p)))
    } finally {
      client.close()
    }
    if (this.failure) throw this.failure
  }

  private async identify(client: LedgerClient): Promise<boolean> {
    while (!this.identity && client.open) {
      const answer = await client.initProducerId().catch(() => undefined)
      if (!answer) return false
      if (answer.error === 0) this.identity = answer
      else if (!retriable.has(answer.error)) throw new Error(`${this.name}: InitProducerId gave error ${answer.error}`)
    }
    return client.open
  }

  private async keepBusy(client: LedgerClient, partition: number): Promise<void> {
    const state = this.partitions[partition]!
    const pending = new Set<Promise<void>>()
    while (client.open && !this.failure) {
      while (this.wanted && state.unacked.length < maxInFlight) state.unacked.push(this.makeBatch(partition))
      if (state.unacked.length === 0) return
      while (state.sent < state.unacked.length) {
        const sending = this.send(client, partition, state.unacked[state.sent]!)
        state.sent += 1
        pending.add(sending)
        sending.finally(() => pending.delete(sending))
      }
      await Promise.race(pending)
    }
    await Promise.all(pending)
  }

  private makeBatch(partition: number): Batch {
    const state = this.partitions[partition]!
    const values = Array.from({ length: 1 + Math.floor(this.random() * 10) }, (_, i) => {
      const padding = 'x'.repeat(Math.floor(this.random() * 400))
      return Buffer.from(`${this.name}/${partition}/${state.nextSequence + i} ${padding}`)
    })
    const { producerId, epoch } = this.identity!
    const batch = { producerId, producerEpoch: epoch, baseSequence: state.nextSequence, values }
    state.nextSequence += values.length
    return batch
  }

  private async send(client: LedgerClient, partition: number, batch: Batch): Promise<void> {
    const answer = await client
      .produce(this.ledger.topic, partition, encodeBatch(batch, Date.now()))
      .catch((error: Error) => this.onLost(client, error))
    if (!answer || this.failure) return
    const state = this.partitions[partition]!
    const { error, baseOffset } = answer
    if (error === 0 && state.unacked[0] === batch) {
      this.settle(state, () => this.ledger.acknowledge(partition, baseOffset, batch.values))
      return
    }
    // At each start and each new segment Apache Kafka forgets all but the newest batch of a producer (its snapshots have
    // no room for more), and answers this when an older one comes again. Then it has that batch, which the ledger checks.
    if (error === outOfOrderSequence && state.unacked[0] === batch && this.sentBefore.has(batch)) {
      this.settle(state, () => this.ledger.acknowledgeSomewhere(partition, batch.values))
      return
    }
    const what = `${this.name}: partition ${partition}, sequence ${batch.baseSequence}: error ${error}, offset ${baseOffset}`
    // After a "not yet" those behind it are out of order: all of them go again, on a new connection.
    if (retriable.has(error) || state.unacked[0] !== batch) client.close()
    else this.failure = new Error(what)
  }

  /** The oldest batch of a partition is done with. */
  private settle(state: PartitionState, note: () => void): void {
    state.unacked.shift()
    state.sent -= 1
    try {
      note()
    } catch (wrong) {
      this.failure = wrong as Error
    }
  }

  /** A lost connection is the point of the test; an answer that makes no sense is not. */
  private onLost(client: LedgerClient, error: Error): undefined {
    if (client.open) this.failure = error
    return undefined
  }
}
