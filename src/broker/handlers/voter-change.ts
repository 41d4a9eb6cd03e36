import { errors, type KafkaError } from '../../protocol/errors.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import type { Services } from '../types.ts'

/** Who is to become a voter, or no longer to be one; a cluster id of null is any. */
interface VoterKey {
  readonly clusterId: string | null
  readonly voterId: number
  readonly voterDirectoryId: string
}

export interface RefusedVoter {
  readonly errorCode: number
  readonly errorMessage: string
}

export function refusedVoter({ code, message }: KafkaError, text: string = message): RefusedVoter {
  return { errorCode: code, errorMessage: text }
}

/** What is wrong with the cluster or the voter that a request names; undefined for nothing. */
export function refusalOfVoterChange(
  services: Services,
  { clusterId, voterId, voterDirectoryId }: VoterKey,
): RefusedVoter | undefined {
  if (clusterId !== null && clusterId !== services.clusterId) return refusedVoter(errors.INCONSISTENT_CLUSTER_ID)
  if (voterId < 0 || voterDirectoryId === ZERO_UUID) return refusedVoter(errors.INVALID_REQUEST, 'That names no voter.')
  return undefined
}
