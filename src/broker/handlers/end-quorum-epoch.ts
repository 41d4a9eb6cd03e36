import { EndQuorumEpochRequest, EndQuorumEpochResponse } from '../../protocol/messages/end-quorum-epoch.ts'
import { quorumHandler } from '../quorum-handler.ts'

/** EndQuorumEpoch (KIP-595): a node leads the quorum no longer. */
export const handler = quorumHandler('endQuorumEpoch', EndQuorumEpochRequest, EndQuorumEpochResponse)
