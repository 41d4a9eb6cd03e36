import type { Logger } from '../../platform/logger.ts'
import type { Platform } from '../../platform/platform.ts'

/** A snapshot's name: what it covers. */
export interface SnapshotId {
  /** One past the last offset that the snapshot covers. */
  readonly offset: number
  readonly epoch: number
}

/** Records as bytes and back. */
export interface RecordSerde<R> {
  encode(record: R): Buffer
  /** The value may be kept no longer than the call. Throws DecodeError. */
  decode(value: Buffer): R
}

/** Where a run of committed records stands in the log. */
export interface CommitPosition {
  /** The last offset of the run; in a snapshot, the last offset that the snapshot covers. */
  readonly lastOffset: number
  readonly epoch: number
  readonly appendTimeMs: number
}

/** Whoever keeps the state that the log describes. */
export interface QuorumListener<R> {
  /** Forget everything: the records that follow, up to the snapshot's offset, are the whole state. */
  onSnapshotLoad(snapshot: SnapshotId): void
  /** All records of the snapshot have been handed over, in the same turn of the event loop. */
  onSnapshotEnd(): void
  /** Committed records in order; none for a batch of control records, which still moves the position. */
  onCommit(records: readonly R[], position: CommitPosition): void
  /** Records handed to `append` will not be committed: what was concluded from them is void. */
  onAbort(): void
  /** All records of the committed state, in the order in which a snapshot has them. undefined: not now. */
  snapshotRecords(): Iterable<R> | undefined
}

/** Who keeps the state, and wants to know who leads. */
export interface LeadershipListener<R> extends QuorumListener<R> {
  /**
   * Somebody else leads, or nobody (-1); or this node, which has applied everything that was committed before.
   */
  onLeaderChange(leaderId: number, epoch: number): void
}

export interface Voter {
  readonly id: number
  readonly directoryId: string
  readonly endpoints: readonly VoterEndpoint[]
}

export interface VoterEndpoint {
  readonly name: string
  readonly host: string
  readonly port: number
}

export interface QuorumOptions {
  readonly platform: Platform
  readonly logger: Logger
  /** metadata.log.dir, or the first of log.dirs. */
  readonly directory: string
  readonly nodeId: number
  readonly clusterId: string
  /** directory.id of `directory` in its meta.properties. */
  readonly directoryId: string
  /** Where other controllers would reach this one: name, host and port of the advertised controller listeners. */
  readonly controllerEndpoints: readonly VoterEndpoint[]
  /** Ids of controller.quorum.voters; empty where it is not set, and the voters are those in the log or its snapshot. */
  readonly staticVoterIds: readonly number[]
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

/** The metadata log cannot be read or written. Nothing of what was being appended is in it. */
export class MetadataLogError extends Error {
  override readonly name = 'MetadataLogError'
}

/** This node does not lead the quorum, or no longer: what was to be appended may or may not be there. */
export class NotLeaderError extends Error {
  override readonly name = 'NotLeaderError'
}
