import type { Logger } from '../../platform/logger.ts'
import type { Platform } from '../../platform/platform.ts'
import type { Peer, RaftOptions, RaftRequest, RaftResponse } from './core/types.ts'
import type { VoterSet } from './core/voters.ts'

/** Brings requests to other nodes of the quorum. */
export interface RaftChannel {
  /** undefined where no answer came. Never rejects. */
  send(peer: Peer, request: RaftRequest): Promise<RaftResponse | undefined>
  /** Whether the last try to reach the peer has shown that no process of it is there. */
  isRefusedBy(peer: Peer): boolean
  /** Nothing more is brought; connections end when what is under way is answered, or given up. */
  close(): void
}

export interface QuorumNodeOptions extends Omit<RaftOptions, 'self' | 'random' | 'wallMs'> {
  readonly platform: Platform
  readonly logger: Logger
  readonly channel: RaftChannel
  /** metadata.log.dir, or the first of log.dirs. */
  readonly directory: string
  readonly nodeId: number
  /** directory.id of `directory` in its meta.properties. */
  readonly directoryId: string
  /** Those of controller.quorum.voters; empty where it is not set, and the voters are those in the log or its snapshot. */
  readonly staticVoters: VoterSet
  /** controller.quorum.append.linger.ms */
  readonly appendLingerMs: number
  /** Told why nothing can be written before the next start. */
  readonly onBroken?: ((why: string) => void) | undefined
  /** metadata.log.max.record.bytes.between.snapshots */
  readonly snapshotMaxNewRecordBytes: number
  /** metadata.log.max.snapshot.interval.ms, 0 for never */
  readonly snapshotMaxIntervalMs: number
  /** metadata.log.segment.bytes */
  readonly segmentBytes: number
  /** metadata.log.segment.ms */
  readonly segmentMs: number
  /** metadata.max.retention.bytes, -1 for no limit */
  readonly retentionBytes: number
  /** metadata.max.retention.ms, -1 for no limit */
  readonly retentionMs: number
}
