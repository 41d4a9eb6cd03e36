import { BeginQuorumEpochRequest, BeginQuorumEpochResponse } from '../../protocol/messages/begin-quorum-epoch.ts'
import { quorumHandler } from '../quorum-handler.ts'

/** BeginQuorumEpoch (KIP-595): a node leads the quorum. */
export const handler = quorumHandler('beginQuorumEpoch', BeginQuorumEpochRequest, BeginQuorumEpochResponse)
