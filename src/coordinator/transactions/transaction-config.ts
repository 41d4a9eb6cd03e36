import type { BrokerConfig } from '../../config/broker-config.ts'

/** The settings of the transaction coordinator; see `transaction.*`. Times in ms. */
export interface TransactionConfig {
  /** transaction.max.timeout.ms */
  readonly maxTimeoutMs: number
  /** transaction.abort.timed.out.transaction.cleanup.interval.ms */
  readonly abortIntervalMs: number
  /** transactional.id.expiration.ms */
  readonly idExpirationMs: number
  /** transaction.remove.expired.transaction.cleanup.interval.ms */
  readonly expirationIntervalMs: number
  /** add.partitions.to.txn.retry.backoff.ms */
  readonly retryBackoffMs: number
  /** add.partitions.to.txn.retry.backoff.max.ms */
  readonly maxRetryMs: number
  /** request.timeout.ms: how long an answer waits for its record to be written */
  readonly writeTimeoutMs: number
}

/** The settings in force when the broker starts: none of them can be changed while it runs. */
export function transactionConfig(config: BrokerConfig): TransactionConfig {
  return {
    maxTimeoutMs: config.get('transaction.max.timeout.ms'),
    abortIntervalMs: config.get('transaction.abort.timed.out.transaction.cleanup.interval.ms'),
    idExpirationMs: config.get('transactional.id.expiration.ms'),
    expirationIntervalMs: config.get('transaction.remove.expired.transaction.cleanup.interval.ms'),
    retryBackoffMs: config.get('add.partitions.to.txn.retry.backoff.ms'),
    maxRetryMs: config.get('add.partitions.to.txn.retry.backoff.max.ms'),
    writeTimeoutMs: config.get('request.timeout.ms'),
  }
}
