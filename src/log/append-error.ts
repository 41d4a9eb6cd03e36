import { type ErrorName, errors, type KafkaError } from '../protocol/errors.ts'
import type { RecordError } from './types.ts'

const NO_RECORD_ERRORS: readonly RecordError[] = []

/** Why an append, a read or another operation on a log was refused. */
export class LogError extends Error {
  readonly error: KafkaError

  constructor(name: ErrorName, message: string) {
    super(message)
    this.name = 'LogError'
    this.error = errors[name]
  }
}

/** A refused append. Nothing of it is in the log. */
export class AppendError extends LogError {
  /**
   * The records that were at fault, where single ones were. Apache Kafka sends a message to the client only then; for
   * all other refusals it is null.
   */
  readonly recordErrors: readonly RecordError[]

  constructor(name: ErrorName, message: string, recordErrors: readonly RecordError[] = NO_RECORD_ERRORS) {
    super(name, message)
    this.name = 'AppendError'
    this.recordErrors = recordErrors
  }
}
