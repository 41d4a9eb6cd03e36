import type { KafkaError } from '../../protocol/errors.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'

/** What an operation on a shard answers. */
export interface Result<R> {
  /** The changes it wants; none for an operation that only looked. */
  readonly records: readonly CoordinatorRecord[]
  /** Leaves when the records, and all that the operation saw, are committed. */
  readonly response: R
  /**
   * False where the state is ahead of the records already: the members of a classic group change in memory, and the
   * record is the picture of the outcome. [true]
   */
  readonly replay?: boolean
  /** False where the records may go into several batches, because each of them stands alone. [true] */
  readonly atomic?: boolean
  /** Called once, before the response leaves: undefined when the records are committed, else why they are not. */
  readonly settled?: (error: KafkaError | undefined) => void
}

const NO_RECORDS: readonly CoordinatorRecord[] = []

/** Nothing to write and nothing to answer. */
export const NOTHING: Result<void> = { records: NO_RECORDS, response: undefined }

export function answer<R>(response: R): Result<R> {
  return { records: NO_RECORDS, response }
}
