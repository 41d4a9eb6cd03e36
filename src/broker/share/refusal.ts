import { CoordinatorError, protocolErrorOf } from '../../coordinator/coordinator-error.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { Services } from '../types.ts'

/** An answer that is nothing but an error, and says why. */
export function refuse(error: KafkaError, errorMessage: string = error.message) {
  return { errorCode: error.code, errorMessage }
}

/** What becomes of a rejection. Rethrows what is no protocol error. */
export function refuseFor(reason: unknown) {
  const error = protocolErrorOf(reason)
  if (error === undefined) throw reason
  return refuse(error, reason instanceof CoordinatorError ? reason.message : error.message)
}

/** Why the offsets of this group cannot be changed, whatever they are. */
export function refusedGroup(groupId: string, { image }: Services): KafkaError | undefined {
  if (image.featureLevel('share.version') < 1) return errors.UNSUPPORTED_VERSION
  return groupId === '' ? errors.INVALID_GROUP_ID : undefined
}
