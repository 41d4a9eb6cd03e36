import { errors } from '../../protocol/errors.ts'
import { AddRaftVoterRequest, AddRaftVoterResponse } from '../../protocol/messages/add-raft-voter.ts'
import { defineHandler, type Services } from '../types.ts'
import { refusalOfVoterChange, refusedVoter } from './voter-change.ts'

/**
 * AddRaftVoter (KIP-853). Nobody else follows the metadata log of this node, so that no other one is ever up to date, for
 * which a new voter has to wait: what could be added is refused as by Apache Kafka where it waits in vain.
 */
export const handler = defineHandler({
  request: AddRaftVoterRequest,
  response: AddRaftVoterResponse,
  handle: (request, _context, services) => {
    const refusal = refusalOfVoterChange(services, request)
    if (refusal !== undefined) return refusal
    if (!isReachable(request, services)) return refusedVoter(errors.INVALID_REQUEST, 'The voter has no endpoint.')
    if (services.quorum.kraftVersion < 1) return refusedVoter(errors.UNSUPPORTED_VERSION)
    if (services.quorum.voter().id === request.voterId) return refusedVoter(errors.DUPLICATE_VOTER)
    return refusedVoter(errors.REQUEST_TIMED_OUT, `Node ${request.voterId} does not follow the metadata log.`)
  },
  failed: (_request, errorCode) => ({ errorCode, errorMessage: null }),
})

/** A voter is asked by the first of the controller's listeners. */
function isReachable({ listeners }: AddRaftVoterRequest, { config }: Services): boolean {
  return listeners.some(({ name }) => name === config.controllerListenerNames[0])
}
