import { VoteRequest, VoteResponse } from '../../protocol/messages/vote.ts'
import { quorumHandler } from '../quorum-handler.ts'

/** Vote (KIP-595, pre-vote of KIP-996): a node wants to lead the quorum. */
export const handler = quorumHandler('vote', VoteRequest, VoteResponse)
