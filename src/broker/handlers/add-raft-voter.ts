import { AddRaftVoterRequest, AddRaftVoterResponse } from '../../protocol/messages/add-raft-voter.ts'
import { quorumHandler } from '../quorum-handler.ts'

/** AddRaftVoter (KIP-853): a node that follows the metadata log is to be a voter. */
export const handler = quorumHandler('addVoter', AddRaftVoterRequest, AddRaftVoterResponse)
