import type { Codec } from '../protocol/records/layout.ts'

/** Settings of one log: the topic's effective configuration. Sizes in bytes, times in ms, -1 for "no limit". */
export interface LogConfig {
  /** segment.bytes, 14 to 2^31 - 1 */
  readonly segmentBytes: number
  /** segment.ms */
  readonly segmentMs: number
  /** segment.jitter.ms */
  readonly segmentJitterMs: number
  /** segment.index.bytes */
  readonly segmentIndexBytes: number
  /** index.interval.bytes */
  readonly indexIntervalBytes: number
  /** retention.ms */
  readonly retentionMs: number
  /** retention.bytes */
  readonly retentionBytes: number
  /** cleanup.policy contains `delete` */
  readonly cleanupDelete: boolean
  /** cleanup.policy contains `compact` */
  readonly cleanupCompact: boolean
  /** delete.retention.ms */
  readonly deleteRetentionMs: number
  /** min.compaction.lag.ms */
  readonly minCompactionLagMs: number
  /** max.compaction.lag.ms */
  readonly maxCompactionLagMs: number
  /** min.cleanable.dirty.ratio, 0 to 1 */
  readonly minCleanableDirtyRatio: number
  /** max.message.bytes */
  readonly maxMessageBytes: number
  /** message.timestamp.type */
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  /** message.timestamp.before.max.ms */
  readonly timestampBeforeMaxMs: number
  /** message.timestamp.after.max.ms */
  readonly timestampAfterMaxMs: number
  /** compression.type; undefined for `producer`. `level` undefined for the codec's default. */
  readonly compression: { readonly codec: Codec; readonly level: number | undefined } | undefined
  /** flush.messages */
  readonly flushMessages: number
  /** flush.ms */
  readonly flushMs: number
  /** file.delete.delay.ms */
  readonly fileDeleteDelayMs: number
}

/**
 * Who appends. `client`: a Produce request. `coordinator`: this broker's own coordinators (offsets, transactions; may
 * write control records). `replication`: batches fetched from the leader. `raft`: the metadata log. The last two bring
 * their offsets and epochs; the log only checks that they follow on.
 */
export type AppendOrigin = 'client' | 'coordinator' | 'replication' | 'raft'

/** A transaction that the coordinator was asked about, before it is open in the log. */
export interface OpeningTransaction {
  /** Of the batches that asked: one above it must not come first. */
  readonly lowestSequence: number
  /** Every end of a transaction has an epoch of its own. */
  readonly bumpsEpochs: boolean
}

export interface AppendOptions {
  /** The leader's epoch, written into every batch unless the origin brings its own. */
  readonly leaderEpoch: number
  readonly origin: AppendOrigin
  /**
   * Asked, before a transactional batch opens a transaction in this log, whether the coordinator has been told of it.
   * Left out: not asked. Answering false refuses the append with INVALID_TXN_STATE.
   */
  readonly isTransactionVerified?: (producerId: number, producerEpoch: number) => boolean
  /** What the sequences of clients are checked against besides what is in the log. Left out: nothing. */
  readonly openingTransaction?: (producerId: number) => OpeningTransaction | undefined
  /** 2 when a transaction marker was written under transaction.version 2 (KIP-1228). [1] */
  readonly transactionVersion?: number
}

/** The outcome of an append. */
export interface AppendInfo {
  readonly firstOffset: number
  readonly lastOffset: number
  /** The time written into the batches with message.timestamp.type=LogAppendTime, else -1. */
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  /** True when the batch was in the log already; the offsets are then those of the first time. */
  readonly duplicate: boolean
  /** The largest timestamp of the records, -1 for none. */
  readonly maxTimestamp: number
  readonly sizeBytes: number
}

/** One record of a refused batch. */
export interface RecordError {
  /** The record's place in the batch, from 0. */
  readonly batchIndex: number
  readonly message: string | null
}

/** What readers may see: all that is written, what is below the high watermark, or below the last stable offset. */
export type ReadUpTo = 'logEnd' | 'highWatermark' | 'lastStable'

export interface ReadOptions {
  readonly maxBytes: number
  /** Answer the first batch even if it is larger than `maxBytes`. */
  readonly minOneBatch: boolean
  readonly upTo: ReadUpTo
  /** The reader gives the buffers back (`ReadBuffers`) when it is through with them, and keeps no slice of them. [false] */
  readonly isGivenBack?: boolean
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** Whole batches, the first of which holds the offset asked for. The buffers are shared and must not be written to. */
export interface FetchData {
  readonly records: readonly Buffer[]
  readonly sizeBytes: number
  /** The offset after the last batch in `records`; the offset asked for when there is none. */
  readonly nextOffset: number
  /** Transactions aborted in the range read, by offset; only with `upTo: 'lastStable'`, else undefined. */
  readonly abortedTransactions: readonly AbortedTransaction[] | undefined
}

/** What ListOffsets may ask for besides a timestamp. */
export type OffsetQuery = 'earliest' | 'latest' | 'maxTimestamp' | 'earliestLocal' | 'latestTiered'

export interface TimestampAndOffset {
  /** -1 where the query asks for no timestamp. */
  readonly timestamp: number
  readonly offset: number
  /** -1 where unknown. */
  readonly leaderEpoch: number
}

export interface OffsetAndEpoch {
  readonly offset: number
  readonly leaderEpoch: number
}

/** One producer, as DescribeProducers shows it. */
export interface ProducerInfo {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** -1 when no transaction is open. */
  readonly currentTxnStartOffset: number
}

/** A partition's place on disk, as DescribeLogDirs shows it. */
export interface LogDirInfo {
  /** Absolute, whatever `log.dirs` says. */
  readonly directory: string
  /** Why the directory is offline; undefined for a healthy one. */
  readonly failure: string | undefined
  /** Takes no new partitions (KIP-1066). */
  readonly isCordoned: boolean
  readonly totalBytes: number
  readonly usableBytes: number
  readonly logs: readonly {
    readonly topic: string
    readonly partition: number
    readonly topicId: string
    readonly sizeBytes: number
    /** A copy that will take the log's place (KIP-113). */
    readonly isFuture: boolean
    /** How many offsets the copy lacks. */
    readonly offsetLag: number
  }[]
}

/**
 * The public face of a log; `PartitionLog` is the one implementation.
 *
 * Everything that changes state does so before it returns; promises only wait for the disk. Operations on a log that is
 * `offline` throw or reject with LogError KAFKA_STORAGE_ERROR.
 */
export interface PartitionLogApi {
  readonly topic: string
  readonly partition: number
  /** '' when none has been assigned. */
  readonly topicId: string
  /** The directory of this partition. */
  readonly directory: string
  readonly config: LogConfig
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  /** One past the last record that is written. */
  readonly logEndOffset: number
  /** The offset of the next append: past logEndOffset by what is on its way to the disk. */
  readonly nextOffset: number
  /** Below this offset everything is known to be on stable storage. */
  readonly recoveryPoint: number
  /** Why this log serves nothing; undefined for a healthy one. */
  readonly offline: string | undefined
  /** Bytes of all segments. */
  readonly sizeBytes: number
  /** The epoch of the newest batches, undefined for none. */
  readonly latestEpoch: number | undefined

  /**
   * Checks the batches as Apache Kafka does and assigns offsets before it returns; resolves when they are written (and
   * synced where flush.messages or the raft origin ask for it). Takes the buffers over: they must not change afterwards.
   * Each buffer holds one or more whole batches. Rejects with AppendError.
   */
  append(records: readonly Buffer[], options: AppendOptions): Promise<AppendInfo>
  /**
   * Batches from `offset` on. A promise only when they come from disk and are large. OFFSET_OUT_OF_RANGE (thrown) below
   * logStartOffset or past logEndOffset. Empty when `offset` is at or past the bound of `upTo`.
   */
  read(offset: number, options: ReadOptions): FetchData | Promise<FetchData>
  /** The high watermark moves forward to at most logEndOffset; lower values are ignored. Answers the value after. */
  advanceHighWatermark(offset: number): number
  /** The first record whose timestamp is at least `timestamp`; undefined for none. */
  offsetForTimestamp(timestamp: number): TimestampAndOffset | undefined
  offsetFor(query: OffsetQuery): TimestampAndOffset
  /**
   * The offsets at which segments begin, and the end of the log, as far as they were written before `timestamp` (-1: all,
   * -2: only the first): at most `maxCount`, the largest first.
   */
  segmentOffsetsBefore(timestamp: number, maxCount: number): number[]
  /** The last epoch at or below `leaderEpoch` and where it ends; undefined when the log knows none. */
  endOffsetForEpoch(leaderEpoch: number): OffsetAndEpoch | undefined
  /** Notes the first offset of an epoch that this replica begins to lead, as Apache Kafka does on becoming leader. */
  assignEpoch(leaderEpoch: number, startOffset: number): void
  epochForOffset(offset: number): number | undefined
  /**
   * DeleteRecords: records below `offset` are gone. True if it moved. Throws LogError: OFFSET_OUT_OF_RANGE above the high
   * watermark; KAFKA_STORAGE_ERROR where it has moved, but not the epochs on the disk, which the next start puts right.
   */
  advanceLogStart(offset: number, reason: string): boolean
  /** Called when the log start has moved, for whatever reason. */
  onLogStart: () => void
  /**
   * Drops everything from `offset` on, the whole batch that `offset` is within, and epochs that have no records; past the
   * end of the log that is all it does. Waits for writes under way, and asks after that whether it is still wanted: answers
   * false where it is not, nothing done.
   */
  truncateTo(offset: number, isWanted?: () => boolean): Promise<boolean>
  /** Drops everything and goes on at `offset`. Waits, asks and answers as `truncateTo`. */
  truncateFullyAndStartAt(offset: number, isWanted?: () => boolean): Promise<boolean>
  /** Syncs all that is written; the recovery point follows. */
  flush(): Promise<void>
  activeProducers(): ProducerInfo[]
  /** undefined for one that has not written here, or long ago. */
  producer(producerId: number): ProducerInfo | undefined
  /** Topic and broker settings changed. */
  updateConfig(config: LogConfig): void
  assignTopicId(topicId: string): void
  /** Removes segments past retention; answers how many. */
  retire(): number
  /** Takes the log offline until the next start. */
  fail(reason: string): void
}
