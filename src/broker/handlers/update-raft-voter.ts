import { UpdateRaftVoterRequest, UpdateRaftVoterResponse } from '../../protocol/messages/update-raft-voter.ts'
import { quorumHandler } from '../quorum-handler.ts'

/** UpdateRaftVoter (KIP-853): a voter says where it is reached now. */
export const handler = quorumHandler('updateVoter', UpdateRaftVoterRequest, UpdateRaftVoterResponse)
