import { RemoveRaftVoterRequest, RemoveRaftVoterResponse } from '../../protocol/messages/remove-raft-voter.ts'
import { quorumHandler } from '../quorum-handler.ts'

/** RemoveRaftVoter (KIP-853): a voter is to be none any more. */
export const handler = quorumHandler('removeVoter', RemoveRaftVoterRequest, RemoveRaftVoterResponse)
