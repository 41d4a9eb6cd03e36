import {
  TransactionLogKey,
  TransactionLogValue,
  type TransactionLogValue as TransactionValue,
} from '../../protocol/coordinator-records/transaction-log.ts'
import { DecodeError } from '../../protocol/wire.ts'
import {
  type CoordinatorRecord,
  coordinatorRecord,
  type RecordType,
  recordType,
  tombstone,
} from '../coordinator-record.ts'
import { NO_EPOCH, NO_PARTITIONS, stateNames, type Transaction, TransactionState } from './transaction.ts'

/** The one kind of record in __transaction_state. */
const transactionLog = recordType(TransactionLogKey, TransactionLogValue)

export const transactionRecordTypes: ReadonlyMap<number, RecordType> = new Map([
  [transactionLog.id, transactionLog as unknown as RecordType],
])

/** The whole of what is known of the id. `transactionVersion`: the finalized transaction.version, 1 and up allow tags. */
export function transactionRecord(transaction: Transaction, transactionVersion: number): CoordinatorRecord {
  const { transactionalId, partitions, state } = transaction
  const transactionPartitions =
    state === TransactionState.empty
      ? null
      : [...partitions].map(([topic, numbers]) => ({ topic, partitionIds: [...numbers] }))
  const hasTags = transactionVersion >= 1
  return coordinatorRecord(transactionLog, { transactionalId }, hasTags ? 1 : 0, {
    producerId: transaction.producerId,
    previousProducerId: hasTags ? transaction.previousProducerId : -1,
    nextProducerId: hasTags ? transaction.nextProducerId : -1,
    producerEpoch: transaction.producerEpoch,
    nextProducerEpoch: NO_EPOCH,
    transactionTimeoutMs: transaction.timeoutMs,
    transactionStatus: state,
    transactionPartitions,
    transactionLastUpdateTimestampMs: transaction.lastUpdateMs,
    transactionStartTimestampMs: transaction.startMs,
    clientTransactionVersion: hasTags ? transaction.clientVersion : 0,
  })
}

export function transactionTombstone(transactionalId: string): CoordinatorRecord {
  return tombstone(transactionLog, { transactionalId })
}

/** The id that a record is about, and its state after it; undefined where the id is gone. Throws DecodeError. */
export function readTransaction(record: CoordinatorRecord): [string, Transaction | undefined] {
  const { transactionalId } = record.key as unknown as { transactionalId: string }
  const value = record.value as unknown as TransactionValue | null
  return [transactionalId, value === null ? undefined : transactionOf(transactionalId, value)]
}

function transactionOf(transactionalId: string, value: TransactionValue): Transaction {
  const state = value.transactionStatus
  if (state < TransactionState.empty || state > TransactionState.completeAbort) {
    throw new DecodeError(`transactional id ${transactionalId} in state ${stateNames[state] ?? state}`)
  }
  const partitions =
    state === TransactionState.empty || value.transactionPartitions === null
      ? NO_PARTITIONS
      : new Map(value.transactionPartitions.map(({ topic, partitionIds }) => [topic, new Set(partitionIds)]))
  return {
    transactionalId,
    producerId: value.producerId,
    previousProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    producerEpoch: value.producerEpoch,
    lastProducerEpoch: NO_EPOCH,
    timeoutMs: value.transactionTimeoutMs,
    state: state as TransactionState,
    partitions,
    startMs: value.transactionStartTimestampMs,
    lastUpdateMs: value.transactionLastUpdateTimestampMs,
    clientVersion: value.clientTransactionVersion,
  }
}
