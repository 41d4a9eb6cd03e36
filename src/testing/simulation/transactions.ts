import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { type Client, TRANSACTION } from './client.ts'
import { ConnectionLost } from './connection.ts'
import type { Ledger, LedgerTransaction } from './ledger.ts'
import { attempt, isRetriable, type ProducerId, type WorkTopic, Writer } from './producers.ts'

const INIT_VERSION = 5
const ADD_PARTITIONS_VERSION = 3
/** With these a partition is part of the transaction once something is written to it (KIP-890), and before with those. */
const MODERN = { produce: 12, endTxn: 5 }
const CLASSIC = { produce: 11, endTxn: 3 }
const TRANSACTION_TIMEOUT_MS = 20_000

/** Answers after which the same is asked again, besides those that are retriable anyway. */
const AGAIN: readonly number[] = [errors.CONCURRENT_TRANSACTIONS.code, errors.NOT_COORDINATOR.code]

/** Writes transactions, of which it commits most, and starts anew where one goes wrong. */
export class TransactionalProducer extends Writer {
  readonly #versions: typeof MODERN
  readonly #id: string
  #producer: ProducerId | undefined
  #sequences = new Map<string, number>()

  constructor(name: string, client: Client, ledger: Ledger, topics: readonly WorkTopic[], isModern: boolean) {
    super(name, client, ledger, topics)
    this.#versions = isModern ? MODERN : CLASSIC
    this.#id = `transactional-${name}`
  }

  protected async write(): Promise<void> {
    this.#producer ??= await this.#init()
    if (this.#producer === undefined) return
    const transaction = this.ledger.begin(`${this.name}/${this.ledger.transactions.length}`)
    const isWritten = await this.#writeBatches(transaction)
    if (this.client.world.isOver) return
    if (!isWritten) {
      // What is open is aborted when the producer starts anew.
      transaction.fate = 'aborted'
      this.#producer = undefined
      return
    }
    const isCommit = this.client.random.percent(70)
    transaction.fate = isCommit ? 'unknown' : 'aborted'
    if (await this.#end(isCommit)) {
      if (isCommit) transaction.fate = 'committed'
      this.acks++
    } else this.#producer = undefined
  }

  async #init(): Promise<ProducerId | undefined> {
    const body = { transactionalId: this.#id, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS }
    const response = await this.#ask((coordinator) =>
      this.client.call(coordinator, apis.InitProducerId, INIT_VERSION, body),
    )
    this.#sequences = new Map()
    return response?.errorCode === 0 ? { id: response.producerId, epoch: response.producerEpoch } : undefined
  }

  /** Asks the coordinator until it answers something that lasts; undefined once the run is over. */
  async #ask<Response extends { readonly errorCode: number }>(
    request: (coordinator: number) => Promise<Response>,
  ): Promise<Response | undefined> {
    while (!this.client.world.isOver) {
      const coordinator = await this.client.coordinatorOf(this.#id, TRANSACTION)
      if (coordinator === undefined) return undefined
      try {
        const response = await request(coordinator)
        const { errorCode } = response
        if (errorCode === 0 || !(isRetriable(errorCode) || AGAIN.includes(errorCode))) return response
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
      this.client.forgetCoordinator(this.#id, TRANSACTION)
      await this.client.backOff()
    }
    return undefined
  }

  async #writeBatches(transaction: LedgerTransaction): Promise<boolean> {
    for (let count = this.client.random.between(1, 3); count > 0; count--) {
      const place = this.choose()
      if (this.#versions === CLASSIC && !(await this.#addPartition(place.topic, place.partition))) return false
      if (!(await this.#writeOne(place, transaction))) return false
    }
    return true
  }

  async #addPartition(topic: string, partition: number): Promise<boolean> {
    const { id, epoch } = this.#producer!
    const response = await this.#ask(async (coordinator) => {
      const { resultsByTopicV3AndBelow: results } = await this.client.call(
        coordinator,
        apis.AddPartitionsToTxn,
        ADD_PARTITIONS_VERSION,
        {
          v3AndBelowTransactionalId: this.#id,
          v3AndBelowProducerId: id,
          v3AndBelowProducerEpoch: epoch,
          v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
        },
      )
      return { errorCode: results[0]!.resultsByPartition[0]!.partitionErrorCode }
    })
    return response?.errorCode === 0
  }

  async #writeOne(place: { topic: string; partition: number }, transaction: LedgerTransaction): Promise<boolean> {
    const key = `${place.topic}-${place.partition}`
    const producer = this.#producer!
    const baseSequence = this.#sequences.get(key) ?? 0
    const values = this.nextValues('once')
    for (const value of values) this.ledger.wrote(value, place, { transaction })
    const batch = { ...place, values, producer, baseSequence, transactionalId: this.#id, acks: -1 }
    for (;;) {
      const result = await attempt(this.client, { ...batch, version: this.#versions.produce })
      if (result === undefined || this.client.world.isOver) return false
      if (result !== 'lost' && result.errorCode === 0) {
        for (const [index, value] of values.entries()) this.ledger.acked(value, result.baseOffset + index)
        break
      }
      if (result !== 'lost' && !isRetriable(result.errorCode) && !AGAIN.includes(result.errorCode)) return false
      await this.client.backOff()
    }
    this.#sequences.set(key, baseSequence + values.length)
    return true
  }

  async #end(committed: boolean): Promise<boolean> {
    const { id, epoch } = this.#producer!
    const body = { transactionalId: this.#id, producerId: id, producerEpoch: epoch, committed }
    const version = this.#versions.endTxn
    const response = await this.#ask((coordinator) => this.client.call(coordinator, apis.EndTxn, version, body))
    if (response?.errorCode !== 0) return false
    if (version >= MODERN.endTxn) {
      this.#producer = { id: response.producerId, epoch: response.producerEpoch }
      this.#sequences = new Map()
    }
    return true
  }
}
