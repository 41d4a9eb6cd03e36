import type { Logger } from '../../platform/logger.ts'
import type { Time } from '../../platform/time.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { Timers } from './timers.ts'
import type { UndoLog } from './undo-log.ts'

/** Whose transaction a record belongs to; `producerId` is -1 for a record outside of transactions. */
export interface RecordOrigin {
  readonly producerId: number
  readonly producerEpoch: number
}

/** What ends a producer's transaction in one partition. */
export interface TransactionMarker {
  readonly producerId: number
  readonly producerEpoch: number
  /** Of the partition of __transaction_state that the transaction belongs to. */
  readonly coordinatorEpoch: number
  readonly isCommit: boolean
  /** The transaction.version of the transaction: 2 where every end has an epoch of its own. */
  readonly transactionVersion: number
}

/** The state machine over one partition of an internal topic. */
export interface CoordinatorShard {
  /** Applies a record, when the shard is loaded and when an operation has asked for the change. */
  replay(record: CoordinatorRecord, origin: RecordOrigin): void
  /** A transaction that wrote into this partition has ended. */
  replayTransactionEnd(origin: RecordOrigin, committed: boolean): void
  /** The whole log has been replayed: timers may be set. */
  onLoaded(): void
  /** The partition is led elsewhere from now on: whoever waits must be told NOT_COORDINATOR. */
  onUnloaded(): void
}

/** What a shard is made of. */
export interface ShardContext {
  readonly partition: number
  /** Every change by replay, and every change outside of it that must go when an append fails, is noted here. */
  readonly undo: UndoLog
  readonly timers: Timers
  /** An offset of the log that the record which is replayed, and all that follow, are not before. */
  readonly position: () => number
  readonly time: Time
  readonly logger: Logger
}

export type ShardFactory<S extends CoordinatorShard> = (context: ShardContext) => S
