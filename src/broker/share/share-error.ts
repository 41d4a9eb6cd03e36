import { errors, type KafkaError } from '../../protocol/errors.ts'

/** Why a share partition cannot do what it was asked for. */
export class ShareError extends Error {
  readonly error: KafkaError

  constructor(error: KafkaError, message: string = error.message) {
    super(message)
    this.name = 'ShareError'
    this.error = error
  }
}

/** What members are told when the share coordinator refuses to keep or tell the state. */
export function errorOfPersister(error: KafkaError, message: string | null): ShareError {
  const text = message ?? error.message
  switch (error) {
    case errors.NOT_COORDINATOR:
    case errors.COORDINATOR_NOT_AVAILABLE:
    case errors.COORDINATOR_LOAD_IN_PROGRESS:
      return new ShareError(errors.COORDINATOR_NOT_AVAILABLE, text)
    case errors.GROUP_ID_NOT_FOUND:
    case errors.UNKNOWN_TOPIC_OR_PARTITION:
      return new ShareError(error, text)
    case errors.FENCED_LEADER_EPOCH:
    case errors.FENCED_STATE_EPOCH:
      return new ShareError(errors.NOT_LEADER_OR_FOLLOWER, text)
    default:
      return new ShareError(errors.UNKNOWN_SERVER_ERROR, text)
  }
}
