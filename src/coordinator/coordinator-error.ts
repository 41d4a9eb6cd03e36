import { LogError } from '../log/append-error.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'

/** A protocol error on its way to a response: what an operation of a coordinator throws or rejects with. */
export class CoordinatorError extends Error {
  readonly error: KafkaError

  constructor(error: KafkaError, message: string = error.message) {
    super(message)
    this.name = 'CoordinatorError'
    this.error = error
  }
}

/** The protocol error that a rejection stands for; undefined when it is no protocol error but a bug. */
export function protocolErrorOf(reason: unknown): KafkaError | undefined {
  if (reason instanceof CoordinatorError) return reason.error
  if (reason instanceof LogError) return reason.error
  return undefined
}

/** What responses with a message say of a rejection: nothing where the error itself says it. */
export function errorMessageOf(reason: unknown): string | null {
  if (!(reason instanceof CoordinatorError)) return null
  return reason.message === reason.error.message ? null : reason.message
}

/**
 * What a client is told when a write to the coordinator's log failed. Clients of the coordinator know the errors of
 * coordinators, not those of logs, and must look for the coordinator again where the log has moved or is broken.
 */
export function errorAfterAppend(error: KafkaError): KafkaError {
  switch (error.name) {
    case 'UNKNOWN_TOPIC_OR_PARTITION':
    case 'NOT_ENOUGH_REPLICAS':
    case 'NOT_ENOUGH_REPLICAS_AFTER_APPEND':
    case 'REQUEST_TIMED_OUT':
      return errors.COORDINATOR_NOT_AVAILABLE
    case 'NOT_LEADER_OR_FOLLOWER':
    case 'KAFKA_STORAGE_ERROR':
      return errors.NOT_COORDINATOR
    // Another broker was asked about the transaction, and did not answer: nobody has to look for this coordinator.
    case 'NETWORK_EXCEPTION':
      return errors.COORDINATOR_LOAD_IN_PROGRESS
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
    case 'INVALID_FETCH_SIZE':
      return errors.UNKNOWN_SERVER_ERROR
    default:
      return error
  }
}
