import type { Logger } from '../../platform/logger.ts'
import type { Platform } from '../../platform/platform.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { EndTxnResponseInput } from '../../protocol/messages/end-txn.ts'
import type { InitProducerIdResponseInput } from '../../protocol/messages/init-producer-id.ts'
import type { ListTransactionsResponse } from '../../protocol/messages/list-transactions.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { CoordinatorError, protocolErrorOf } from '../coordinator-error.ts'
import type { CoordinatorLog } from '../coordinator-log.ts'
import { partitionFor } from '../partitioner.ts'
import type { Result } from '../runtime/result.ts'
import { CoordinatorRuntime } from '../runtime/runtime.ts'
import type { ProducerIdAndEpoch } from './init-producer.ts'
import type { TransactionFilter } from './list-transactions.ts'
import { type MarkerTarget, MarkerWriter } from './markers.ts'
import { NO_EPOCH, NO_PRODUCER_ID, type Transaction, type TransactionPartitions } from './transaction.ts'
import type { TransactionConfig } from './transaction-config.ts'
import { transactionRecordTypes } from './transaction-records.ts'
import {
  type DescribedTransaction,
  type ShardLife,
  TransactionShard,
  undescribedTransaction,
} from './transaction-shard.ts'

/** The topic that holds transactional ids. */
export const TRANSACTION_TOPIC = '__transaction_state'

/** Where producer ids come from, a block at a time. */
export interface ProducerIdSource {
  /** undefined where a block must be fetched first. */
  next(): number | undefined
  /** Resolves when there are ids; rejects when none can be got. */
  refill(): Promise<void>
}

export interface TransactionCoordinatorOptions {
  readonly log: CoordinatorLog
  readonly config: TransactionConfig
  /** How many partitions `TRANSACTION_TOPIC` has, or will have once it is made. */
  readonly partitionCount: () => number
  /** The finalized transaction.version. */
  readonly transactionVersion: () => number
  readonly producerIds: ProducerIdSource
  readonly markers: MarkerTarget
  readonly platform: Platform
  readonly logger: Logger
}

interface Completion {
  /** In which the end was decided, or found in the log. */
  readonly life: Readonly<ShardLife>
  /** Settles when the markers are written, or need not be any more. */
  readonly done: Promise<void>
}

/**
 * The transaction APIs: who may write under a transactional id, and what is in its transaction. Protocol errors are in the
 * answers; a promise rejects only for a bug.
 */
export class TransactionCoordinator {
  readonly #options: TransactionCoordinatorOptions
  readonly #config: TransactionConfig
  readonly #runtime: CoordinatorRuntime<TransactionShard>
  readonly #markers: MarkerWriter
  /** By partition. */
  readonly #leaderEpochs = new Map<number, number>()
  /** Transactions whose markers are being written, by id. */
  readonly #completions = new Map<string, Completion>()
  /** How often an operation lacked a producer id. */
  #misses = 0
  #isClosing = false

  constructor(options: TransactionCoordinatorOptions) {
    const { log, config, transactionVersion, markers, platform, logger } = options
    const { time } = platform
    this.#options = options
    this.#config = config
    this.#markers = new MarkerWriter(markers, time, logger)
    const shardOptions = {
      config,
      transactionVersion,
      takeProducerId: () => this.#takeProducerId(),
      onPrepared: (life: Readonly<ShardLife>, transaction: Transaction) => this.#complete(life, transaction),
    }
    this.#runtime = new CoordinatorRuntime({
      name: 'TransactionCoordinator',
      log,
      recordTypes: transactionRecordTypes,
      makeShard: (context) => new TransactionShard(context, shardOptions),
      time,
      logger,
      codec: Codec.none,
      writeTimeoutMs: config.writeTimeoutMs,
    })
  }

  /** The partition of `TRANSACTION_TOPIC` whose leader coordinates the id. */
  partitionFor(transactionalId: string): number {
    return partitionFor(transactionalId, this.#options.partitionCount())
  }

  /** This node leads the partition from `leaderEpoch` on. Resolves when its ids are loaded (or cannot be). */
  onElection(partition: number, leaderEpoch: number): Promise<void> {
    this.#leaderEpochs.set(partition, Math.max(leaderEpoch, this.#leaderEpochs.get(partition) ?? 0))
    return this.#runtime.load(partition, leaderEpoch)
  }

  /** Another node leads it from `leaderEpoch` on; undefined where the partition is gone. */
  onResignation(partition: number, leaderEpoch: number | undefined): void {
    this.#runtime.unload(partition, leaderEpoch)
    if (leaderEpoch === undefined) this.#leaderEpochs.delete(partition)
  }

  /** Resolves when the partition's ids are not being loaded; at once where they never were. */
  whenLoaded(partition: number): Promise<void> {
    return this.#runtime.whenLoaded(partition)
  }

  /** Whether requests for ids of the partition would be served. */
  isActive(partition: number): boolean {
    return this.#runtime.isActive(partition)
  }

  /** Writes what is pending; afterwards every request is told NOT_COORDINATOR. Markers that are left are for the next. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#runtime.close()
  }

  /** `expected`: what the producer had before, where it goes on after an error (KIP-360). */
  async initProducerId(
    transactionalId: string,
    timeoutMs: number,
    expected: ProducerIdAndEpoch | undefined,
  ): Promise<InitProducerIdResponseInput> {
    if (transactionalId === '') return noProducer(errors.INVALID_REQUEST)
    if (timeoutMs <= 0 || timeoutMs > this.#config.maxTimeoutMs) return noProducer(errors.INVALID_TRANSACTION_TIMEOUT)
    try {
      const producer = await this.#write(transactionalId, (shard) =>
        shard.initProducer(transactionalId, timeoutMs, expected),
      )
      // The producer before was in the middle of something that has to be undone first.
      return producer ?? noProducer(errors.CONCURRENT_TRANSACTIONS)
    } catch (reason) {
      return noProducer(this.#errorOf(reason))
    }
  }

  /** Waits a little where the transaction before is only just being completed. */
  async addPartitions(
    transactionalId: string,
    producer: ProducerIdAndEpoch,
    partitions: TransactionPartitions,
    clientVersion: number,
  ): Promise<KafkaError> {
    if (transactionalId === '') return errors.INVALID_REQUEST
    const { time } = this.#options.platform
    const deadlineMs = time.monotonicMs() + this.#config.maxRetryMs
    for (;;) {
      const error = await this.#addOnce(transactionalId, producer, partitions, clientVersion)
      if (error !== errors.CONCURRENT_TRANSACTIONS || time.monotonicMs() >= deadlineMs) return error
      await this.#whenCompleted(transactionalId)
    }
  }

  async #addOnce(
    transactionalId: string,
    producer: ProducerIdAndEpoch,
    partitions: TransactionPartitions,
    clientVersion: number,
  ): Promise<KafkaError> {
    try {
      await this.#write(transactionalId, (shard) =>
        shard.addPartitions(transactionalId, producer, partitions, clientVersion),
      )
      return errors.NONE
    } catch (reason) {
      return this.#errorOf(reason)
    }
  }

  /** Resolves when the markers of the transaction are written, or after the pause between two attempts. */
  async #whenCompleted(transactionalId: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const timeout = this.#options.platform.time.after(this.#config.retryBackoffMs, resolve)
      const completion = this.#completions.get(transactionalId)
      void completion?.done.then(() => {
        timeout.cancel()
        resolve()
      })
    })
  }

  /** The transaction that the producer may write in, which tells by its partitions where; or why it may not. */
  async verify(transactionalId: string, producer: ProducerIdAndEpoch): Promise<Transaction | KafkaError> {
    if (transactionalId === '') return errors.INVALID_REQUEST
    try {
      return await this.#runtime.read(this.partitionFor(transactionalId), (shard) =>
        shard.verify(transactionalId, producer),
      )
    } catch (reason) {
      return this.#errorOf(reason)
    }
  }

  /** `clientVersion`: 2 for a producer that takes a new epoch with every end (EndTxn 5+), else 0. */
  async endTransaction(
    transactionalId: string,
    producer: ProducerIdAndEpoch,
    commit: boolean,
    clientVersion: number,
  ): Promise<EndTxnResponseInput> {
    if (transactionalId === '') return noProducer(errors.INVALID_REQUEST)
    try {
      return await this.#write(transactionalId, (shard) => shard.end(transactionalId, producer, commit, clientVersion))
    } catch (reason) {
      return noProducer(this.#errorOf(reason))
    }
  }

  async describe(transactionalId: string): Promise<DescribedTransaction> {
    if (transactionalId === '') return undescribedTransaction('', errors.INVALID_REQUEST.code)
    try {
      return await this.#runtime.read(this.partitionFor(transactionalId), (shard) => shard.describe(transactionalId))
    } catch (reason) {
      return undescribedTransaction(transactionalId, this.#errorOf(reason).code)
    }
  }

  /** The ids that this node coordinates. */
  async list(isWanted: TransactionFilter): Promise<Pick<ListTransactionsResponse, 'errorCode' | 'transactionStates'>> {
    const nowMs = this.#options.platform.time.nowMs()
    try {
      const transactionStates = await this.#runtime.readAll((shard) => shard.list(isWanted, nowMs))
      return { errorCode: errors.NONE.code, transactionStates }
    } catch (reason) {
      return { errorCode: this.#errorOf(reason).code, transactionStates: [] }
    }
  }

  /** Runs an operation, again once there are producer ids where it lacked one. */
  async #write<R>(transactionalId: string, operation: (shard: TransactionShard) => Result<R>): Promise<R> {
    for (;;) {
      const misses = this.#misses
      const outcome = this.#runtime.write(this.partitionFor(transactionalId), operation)
      if (this.#misses === misses) return outcome
      await outcome.catch(() => {})
      await this.#refill()
    }
  }

  async #refill(): Promise<void> {
    try {
      await this.#options.producerIds.refill()
    } catch (error) {
      this.#options.logger.warn(`No new block of producer ids: ${String(error)}`)
      throw new CoordinatorError(errors.COORDINATOR_LOAD_IN_PROGRESS)
    }
  }

  #takeProducerId(): number {
    const producerId = this.#options.producerIds.next()
    if (producerId !== undefined) return producerId
    this.#misses++
    this.#refill().catch(() => {})
    throw new CoordinatorError(errors.COORDINATOR_LOAD_IN_PROGRESS)
  }

  /** Where this broker has ceased to lead since, and leads again, it begins anew, under the epoch that it has now. */
  #complete(life: Readonly<ShardLife>, transaction: Transaction): void {
    const { transactionalId } = transaction
    if (this.#completions.get(transactionalId)?.life === life) return
    const done = this.#writeMarkers(life, transaction)
      .catch((error) =>
        this.#options.logger.error(`Transaction of ${transactionalId} is not completed: ${String(error)}`),
      )
      .finally(() => {
        if (this.#completions.get(transactionalId)?.life === life) this.#completions.delete(transactionalId)
      })
    this.#completions.set(transactionalId, { life, done })
  }

  async #writeMarkers(life: Readonly<ShardLife>, transaction: Transaction): Promise<void> {
    const { partition } = life
    const coordinatorEpoch = this.#leaderEpochs.get(partition) ?? 0
    const isWanted = () => !this.#isClosing && !life.isOver
    if (!(await this.#markers.write(transaction, coordinatorEpoch, isWanted))) return
    if (!isWanted()) return
    // Where this fails, the look for transactions that ran too long finds it again.
    await this.#runtime.write(partition, (shard) => shard.complete(transaction))
  }

  /** Rethrows what is no protocol error. */
  #errorOf(reason: unknown): KafkaError {
    const error = protocolErrorOf(reason)
    if (error === undefined) throw reason
    return error
  }
}

function noProducer(error: KafkaError) {
  return { errorCode: error.code, producerId: NO_PRODUCER_ID, producerEpoch: NO_EPOCH }
}
