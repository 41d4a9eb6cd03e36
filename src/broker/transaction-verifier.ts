import { TRANSACTION_TOPIC, type TransactionCoordinator } from '../coordinator/transactions/transaction-coordinator.ts'
import { LogError } from '../log/append-error.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import type { Partition } from '../replication/partition.ts'
import type { TransactionalAppend } from '../replication/transactional-appends.ts'
import type { TransactionQuestions } from './transaction-questions.ts'

/**
 * What a client can do. `verify`: it has added the partition itself, and knows INVALID_TXN_STATE only; `verifyAbortable`:
 * it knows TRANSACTION_ABORTABLE, too; `add`: it leaves that to the broker (KIP-890).
 */
export type TransactionSupport = 'verify' | 'verifyAbortable' | 'add'

const CLIENT_VERSION_WITH_BUMPS = 2

export interface TransactionVerifierOptions {
  readonly nodeId: number
  /** For the transactional ids that this broker coordinates. */
  readonly transactions: Pick<TransactionCoordinator, 'partitionFor' | 'addPartitions' | 'verify'>
  /** For all others. */
  readonly questions: Pick<TransactionQuestions, 'ask'>
  readonly image: MetadataImage
  /** transaction.partition.verification.enable */
  readonly mustVerify: () => boolean
}

/** Sees to it that the coordinator knows of a transaction before anything of it is written in a partition (KIP-890). */
export class TransactionVerifier {
  readonly #options: TransactionVerifierOptions

  constructor(options: TransactionVerifierOptions) {
    this.#options = options
  }

  /**
   * Resolves with the batch as it may be appended, or with why it may not be. Answers at once where the transaction is open
   * in the partition already.
   */
  verify(
    partition: Partition,
    transactionalId: string,
    batch: TransactionalAppend,
    support: TransactionSupport,
  ): TransactionalAppend | KafkaError | Promise<TransactionalAppend | KafkaError> {
    if (support !== 'add' && !this.#options.mustVerify()) return batch
    let guard: ReturnType<Partition['beginVerification']>
    try {
      guard = partition.beginVerification(batch, support === 'add')
    } catch (error) {
      if (error instanceof LogError) return error.error
      throw error
    }
    if (guard === undefined) return batch
    const asked = guard
    asked.pending ??= this.#ask(partition, transactionalId, batch, support).finally(() => {
      asked.pending = undefined
    })
    return asked.pending.then((error) => (error === errors.NONE ? { ...batch, guard: asked } : error))
  }

  async #ask(
    partition: Partition,
    transactionalId: string,
    producer: TransactionalAppend,
    support: TransactionSupport,
  ): Promise<KafkaError> {
    const { nodeId, transactions, image } = this.#options
    const coordinating = image.topics.partition(TRANSACTION_TOPIC, transactions.partitionFor(transactionalId))
    const leader = coordinating?.leader ?? -1
    if (leader < 0) return errors.COORDINATOR_NOT_AVAILABLE
    const error =
      leader === nodeId
        ? await this.#askHere(partition, transactionalId, producer, support)
        : await this.#askThere(leader, partition, transactionalId, producer, support)
    return asProduceError(error, support)
  }

  async #askHere(
    { topic, partition }: Partition,
    transactionalId: string,
    producer: TransactionalAppend,
    support: TransactionSupport,
  ): Promise<KafkaError> {
    const { transactions } = this.#options
    if (support === 'add') {
      const partitions = new Map([[topic, new Set([partition])]])
      return await transactions.addPartitions(transactionalId, producer, partitions, CLIENT_VERSION_WITH_BUMPS)
    }
    const verified = await transactions.verify(transactionalId, producer)
    if (!('partitions' in verified)) return verified
    return verified.partitions.get(topic)?.has(partition) === true ? errors.NONE : errors.TRANSACTION_ABORTABLE
  }

  #askThere(
    coordinatorId: number,
    { topic, partition }: Partition,
    transactionalId: string,
    { producerId, producerEpoch }: TransactionalAppend,
    support: TransactionSupport,
  ): Promise<KafkaError> {
    const isVerifyOnly = support !== 'add'
    const question = { transactionalId, producerId, producerEpoch, topic, partition, isVerifyOnly }
    return this.#options.questions.ask(coordinatorId, question)
  }
}

/** Producers know this error from writing; and a coordinator that is not here is looked for by nobody. */
function asProduceError(error: KafkaError, support: TransactionSupport): KafkaError {
  if (error === errors.TRANSACTION_ABORTABLE && support === 'verify') return errors.INVALID_TXN_STATE
  if (error === errors.PRODUCER_FENCED) return errors.INVALID_PRODUCER_EPOCH
  return error === errors.NOT_COORDINATOR ? errors.COORDINATOR_NOT_AVAILABLE : error
}
