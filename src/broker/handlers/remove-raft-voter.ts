import { errors } from '../../protocol/errors.ts'
import { RemoveRaftVoterRequest, RemoveRaftVoterResponse } from '../../protocol/messages/remove-raft-voter.ts'
import { defineHandler } from '../types.ts'
import { refusalOfVoterChange, refusedVoter } from './voter-change.ts'

/** RemoveRaftVoter (KIP-853): the only voter of a quorum cannot be removed, and there is no other one. */
export const handler = defineHandler({
  request: RemoveRaftVoterRequest,
  response: RemoveRaftVoterResponse,
  handle: (request, _context, services) => {
    const refusal = refusalOfVoterChange(services, request)
    if (refusal !== undefined) return refusal
    return refusedVoter(services.quorum.kraftVersion < 1 ? errors.UNSUPPORTED_VERSION : errors.VOTER_NOT_FOUND)
  },
  failed: (_request, errorCode) => ({ errorCode, errorMessage: null }),
})
