import type { BrokerConfig } from '../config/broker-config.ts'
import type { TransactionCoordinator } from '../coordinator/transactions/transaction-coordinator.ts'
import { LogError } from '../log/append-error.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import type { Partition, TransactionalAppend } from '../replication/partition.ts'

/**
 * What a client can do. `verify`: it has added the partition itself, and knows INVALID_TXN_STATE only; `verifyAbortable`:
 * it knows TRANSACTION_ABORTABLE, too; `add`: it leaves that to the broker (KIP-890).
 */
export type TransactionSupport = 'verify' | 'verifyAbortable' | 'add'

const CLIENT_VERSION_WITH_BUMPS = 2

/** Sees to it that the coordinator knows of a transaction before anything of it is written in a partition (KIP-890). */
export class TransactionVerifier {
  readonly #transactions: TransactionCoordinator
  readonly #config: BrokerConfig

  constructor(transactions: TransactionCoordinator, config: BrokerConfig) {
    this.#transactions = transactions
    this.#config = config
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
    if (support !== 'add' && !this.#config.get('transaction.partition.verification.enable')) return batch
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
    { topic, partition }: Partition,
    transactionalId: string,
    producer: TransactionalAppend,
    support: TransactionSupport,
  ): Promise<KafkaError> {
    if (support === 'add') {
      const partitions = new Map([[topic, new Set([partition])]])
      return asProduceError(
        await this.#transactions.addPartitions(transactionalId, producer, partitions, CLIENT_VERSION_WITH_BUMPS),
      )
    }
    const verified = await this.#transactions.verify(transactionalId, producer)
    if (!('partitions' in verified)) return asProduceError(verified)
    if (verified.partitions.get(topic)?.has(partition) === true) return errors.NONE
    return support === 'verify' ? errors.INVALID_TXN_STATE : errors.TRANSACTION_ABORTABLE
  }
}

/** Producers know this error from writing; and a coordinator that is not here is looked for by nobody. */
function asProduceError(error: KafkaError): KafkaError {
  if (error === errors.PRODUCER_FENCED) return errors.INVALID_PRODUCER_EPOCH
  return error === errors.NOT_COORDINATOR ? errors.COORDINATOR_NOT_AVAILABLE : error
}
