import type { AppendInfo, AppendOptions, AppendOrigin, PartitionLogApi, ProducerInfo } from '../log/types.ts'
import { type VerificationGuard, VerificationGuards } from './verification.ts'

/** Who says nothing of a transaction does not open one. */
const refuse = () => false
const accept = () => true

/** What is special about an append that belongs to a transaction. */
export interface TransactionalAppend {
  readonly producerId: number
  readonly producerEpoch: number
  /** Of a batch of records: -1 for none. */
  readonly baseSequence: number
  /** What the coordinator's word was given for; undefined where the transaction is open, or nobody was asked. */
  readonly guard?: VerificationGuard | undefined
  /** The transaction.version under which a marker is written; left out for records. */
  readonly markerVersion?: number
}

/** Whether a batch of the producer came between: one that is refused, or a repeated one, leaves everything as it is. */
function hasWritten(before: ProducerInfo | undefined, after: ProducerInfo): boolean {
  return before?.lastSequence !== after.lastSequence || before.producerEpoch !== after.producerEpoch
}

/** Appends to the log of one partition, of which those that open a transaction were verified before (KIP-890). */
export class TransactionalAppends {
  /** transaction.partition.verification.enable */
  readonly #mustVerify: () => boolean
  readonly #guards = new VerificationGuards()
  readonly #openingTransaction = (producerId: number) => this.#guards.get(producerId)

  constructor(mustVerify: () => boolean) {
    this.#mustVerify = mustVerify
  }

  /**
   * What a batch of these needs before it is appended; undefined where the transaction is open already. Throws LogError
   * INVALID_PRODUCER_EPOCH.
   */
  begin(log: PartitionLogApi, batch: TransactionalAppend, bumpsEpochs: boolean): VerificationGuard | undefined {
    const { producerId, producerEpoch, baseSequence } = batch
    return this.#guards.begin(producerId, producerEpoch, baseSequence, bumpsEpochs, log.producer(producerId))
  }

  /** As the log's own `append`; `transaction`: what is in the records, where that opens a transaction, or ends one. */
  append(
    log: PartitionLogApi,
    records: readonly Buffer[],
    leaderEpoch: number,
    origin: AppendOrigin,
    transaction: TransactionalAppend | undefined,
  ): Promise<AppendInfo> {
    const isTransactionVerified = this.#mustVerify() ? refuse : accept
    const options = { leaderEpoch, origin, isTransactionVerified, openingTransaction: this.#openingTransaction }
    if (transaction === undefined) return log.append(records, options)
    return transaction.markerVersion === undefined
      ? this.#appendRecords(log, records, options, transaction)
      : this.#appendMarker(log, records, { ...options, transactionVersion: transaction.markerVersion }, transaction)
  }

  #appendMarker(
    log: PartitionLogApi,
    records: readonly Buffer[],
    options: AppendOptions,
    { producerId, producerEpoch }: TransactionalAppend,
  ): Promise<AppendInfo> {
    const written = log.append(records, options)
    const now = log.producer(producerId)
    if (now?.producerEpoch === producerEpoch && now.currentTxnStartOffset < 0) {
      this.#guards.ended(producerId, producerEpoch)
    }
    return written
  }

  #appendRecords(
    log: PartitionLogApi,
    records: readonly Buffer[],
    options: AppendOptions,
    { producerId, guard }: TransactionalAppend,
  ): Promise<AppendInfo> {
    const isTransactionVerified = () => guard !== undefined && this.#guards.get(producerId) === guard
    const before = this.#guards.get(producerId) && log.producer(producerId)
    const written = log.append(records, this.#mustVerify() ? { ...options, isTransactionVerified } : options)
    const after = this.#guards.get(producerId) && log.producer(producerId)
    if (after !== undefined && hasWritten(before, after)) this.#guards.used(producerId)
    return written
  }

  /** What was verified before counts no more. */
  clear(): void {
    this.#guards.clear()
  }
}
