import type { LogErrorName, RecordError } from './types.ts'

const NO_RECORD_ERRORS: readonly RecordError[] = []

/** Why an append, a read or another operation on a log was refused: a name of the protocol's error table, and text. */
export class LogError extends Error {
  readonly error: LogErrorName

  constructor(error: LogErrorName, message: string) {
    super(message)
    this.name = 'LogError'
    this.error = error
  }
}

/** A refused append. Nothing of it is in the log. */
export class AppendError extends LogError {
  /** The records that were at fault, where single ones were. */
  readonly recordErrors: readonly RecordError[]

  constructor(error: LogErrorName, message: string, recordErrors: readonly RecordError[] = NO_RECORD_ERRORS) {
    super(error, message)
    this.name = 'AppendError'
    this.recordErrors = recordErrors
  }
}
