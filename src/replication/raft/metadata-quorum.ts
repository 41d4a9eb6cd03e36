import type { QuorumVoter } from './types.ts'

/** The metadata log of a quorum in which this node is the only voter. */
export interface MetadataQuorum {
  readonly nodeId: number
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly highWatermark: number
  readonly logStartOffset: number
  /** Finalized kraft.version: 0 static voters, 1 voters in the log. */
  readonly kraftVersion: number
  voters(): readonly QuorumVoter[]
  close(): Promise<void>
}
