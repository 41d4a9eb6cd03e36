import type { Logger } from '../../platform/logger.ts'
import type { Platform } from '../../platform/platform.ts'

/** One record of the metadata log: the framing's API key and version, and the encoded message. */
export interface MetadataRecordBytes {
  readonly apiKey: number
  readonly version: number
  readonly message: Buffer
}

/** What the quorum tells to whoever keeps the state that the log describes. */
export interface QuorumListener<R> {
  /** Forget everything: the snapshot whose records follow, through `onCommit`, replaces it. */
  onSnapshotLoad(snapshot: SnapshotId): void
  /** Committed records in order; `baseOffset` is the offset of the first. */
  onCommit(records: readonly R[], baseOffset: number, appendTimeMs: number, epoch: number): void
  /** All records of the state as it is now, in the order in which a snapshot has them. */
  snapshotRecords(): Iterable<R>
}

export interface SnapshotId {
  /** One past the last offset that the snapshot covers. */
  readonly offset: number
  readonly epoch: number
}

export interface RecordSerde<R> {
  encode(record: R): Buffer
  decode(value: Buffer): R
}

export interface QuorumVoter {
  readonly id: number
  readonly directoryId: string
  /** -1 where the log end is not known. */
  readonly logEndOffset: number
  readonly lastFetchMs: number
  readonly lastCaughtUpMs: number
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
  /** Listeners by which other controllers would reach this one: name, host, port. */
  readonly controllerEndpoints: readonly { readonly name: string; readonly host: string; readonly port: number }[]
  readonly snapshotMaxNewRecordBytes: number
  readonly snapshotMaxIntervalMs: number
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly retentionBytes: number
  readonly retentionMs: number
}
