import { FetchSnapshotRequest, FetchSnapshotResponse } from '../../protocol/messages/fetch-snapshot.ts'
import { quorumHandler } from '../quorum-handler.ts'

/** FetchSnapshot (KIP-630): a snapshot of the metadata, piece by piece. */
export const handler = quorumHandler('fetchSnapshot', FetchSnapshotRequest, FetchSnapshotResponse)
