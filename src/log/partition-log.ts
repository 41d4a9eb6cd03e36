import { LogError } from './append-error.ts'
import { Appender } from './appender.ts'
import { type CleaningOptions, cleanLog } from './cleaner/clean-log.ts'
import { type CleanableRange, cleanableRange } from './cleaner/cleanable-range.ts'
import { DamageError } from './damage-error.ts'
import type { EpochEntry } from './epoch-cache.ts'
import { loadLog } from './loader.ts'
import { type CopyPace, LogCopy } from './log-copy.ts'
import type { LogEnvironment, PartitionLogOptions } from './log-options.ts'
import { lastStableOffsetOf, readLog } from './log-reads.ts'
import { LogState, messageOf } from './log-state.ts'
import { maxTimestampOf, offsetForTimestamp, segmentOffsetsBefore } from './lookup.ts'
import { readTopicId, writeTopicId } from './topic-id-file.ts'
import { retireSegments, startOver, syncCut, truncateLog } from './truncation.ts'
import type {
  AppendInfo,
  AppendOptions,
  FetchData,
  LogConfig,
  OffsetAndEpoch,
  OffsetQuery,
  PartitionLogApi,
  ProducerInfo,
  ReadOptions,
  TimestampAndOffset,
} from './types.ts'

/** One partition's log; see `PartitionLogApi` for what its members promise. Usable without a LogManager. */
export class PartitionLog implements PartitionLogApi {
  readonly topic: string
  readonly partition: number
  onLogStart: () => void = () => {}
  readonly #state: LogState
  readonly #appender: Appender
  readonly #onTruncated: (() => void) | undefined
  #topicId: string
  /** Whether the process before may not have lived to sync what it wrote last. */
  #isLoadedUnsynced = false

  private constructor(environment: LogEnvironment, options: PartitionLogOptions) {
    const { disk } = environment
    this.topic = options.topic
    this.partition = options.partition
    // To make what is there costs an exception, for each of thousands of logs.
    if (options.entries === undefined) disk.makeDirectory(options.directory)
    this.#state = new LogState(environment, options, (reason) => {
      this.#appender.flusher.cancel()
      options.onOffline?.(this, reason)
    })
    this.#appender = new Appender(this.#state)
    this.#onTruncated = options.onTruncated
    this.#topicId = readTopicId(disk, options.directory)
    if (options.topicId !== undefined && this.#topicId === '') this.assignTopicId(options.topicId)
  }

  /**
   * Opens the log in a directory, made if missing. A log that is damaged below its recovery point comes back `offline`.
   * Throws what the disk throws.
   */
  static open(environment: LogEnvironment, options: PartitionLogOptions): PartitionLog {
    const log = new PartitionLog(environment, options)
    try {
      log.#load(options)
    } catch (error) {
      if (!(error instanceof DamageError)) throw error
      log.#state.goOffline(error.message)
    }
    return log
  }

  #load(options: PartitionLogOptions): void {
    const state = this.#state
    const { disk, logger, time, producerIdExpirationMs } = state.environment
    const loaded = loadLog({
      disk,
      logger,
      directory: state.directory,
      entries: options.entries,
      config: state.config,
      nowMs: time.nowMs(),
      producerIdExpirationMs,
      cleanShutdown: options.cleanShutdown ?? false,
      recoveryPoint: state.recoveryPoint,
      logStartOffset: state.logStartOffset,
      isCompacted: state.config.cleanupCompact || (options.wasCompacted ?? false),
      epochs: state.epochs,
      producers: state.producers,
      snapshots: state.snapshots,
    })
    state.segments = loaded.segments
    state.logStartOffset = loaded.logStartOffset
    state.recoveryPoint = loaded.recoveryPoint
    state.logEndOffset = loaded.nextOffset
    state.nextOffset = loaded.nextOffset
    state.highWatermark = Math.min(Math.max(state.highWatermark, loaded.logStartOffset), loaded.nextOffset)
    // Transactions that were found in the log may have ended below it.
    state.producers.onHighWatermark(state.highWatermark)
    state.lastSnapshotOffset = state.snapshots.latest ?? loaded.logStartOffset
    state.tail.restart(loaded.nextOffset)
    this.#isLoadedUnsynced = !options.cleanShutdown && loaded.nextOffset > loaded.recoveryPoint
    this.#syncLoaded()
  }

  /** Where records are synced before their answer, a producer that repeats one must not be told of one that is not. */
  #syncLoaded(): void {
    const { config, segments } = this.#state
    if (!this.#isLoadedUnsynced || config.flushMessages > 1) return
    segments.active.file.syncNow()
    this.#isLoadedUnsynced = false
  }

  /** "topic-partition" */
  get name(): string {
    return this.#state.name
  }

  get topicId(): string {
    return this.#topicId
  }

  get directory(): string {
    return this.#state.directory
  }

  get config(): LogConfig {
    return this.#state.config
  }

  get logStartOffset(): number {
    return this.#state.logStartOffset
  }

  get highWatermark(): number {
    return this.#state.highWatermark
  }

  get lastStableOffset(): number {
    return lastStableOffsetOf(this.#state)
  }

  get logEndOffset(): number {
    return this.#state.logEndOffset
  }

  get nextOffset(): number {
    return this.#state.nextOffset
  }

  get recoveryPoint(): number {
    return this.#state.recoveryPoint
  }

  get offline(): string | undefined {
    return this.#state.offline
  }

  get sizeBytes(): number {
    return this.#state.segments.sizeBytes()
  }

  get segmentCount(): number {
    return this.#state.segments.count
  }

  /** Where the oldest segment begins, at or below the log start. */
  get firstSegmentOffset(): number {
    const { segments } = this.#state
    return segments.count === 0 ? 0 : segments.first.baseOffset
  }

  get latestEpoch(): number | undefined {
    return this.#state.epochs.latest?.epoch
  }

  get epochs(): readonly EpochEntry[] {
    return this.#state.epochs.entries
  }

  assignTopicId(topicId: string): void {
    writeTopicId(this.#state.environment.disk, this.#state.directory, topicId)
    this.#topicId = topicId
  }

  updateConfig(config: LogConfig): void {
    this.#state.config = config
    if (this.#state.offline !== undefined) return
    try {
      this.#syncLoaded()
    } catch (error) {
      this.#state.goOffline(`sync failed: ${messageOf(error)}`)
    }
  }

  append(records: readonly Buffer[], options: AppendOptions): Promise<AppendInfo> {
    return this.#appender.append(records, options)
  }

  read(offset: number, options: ReadOptions): FetchData | Promise<FetchData> {
    return readLog(this.#state, offset, options)
  }

  offsetForTimestamp(timestamp: number): TimestampAndOffset | undefined {
    return this.#lookUp(() => offsetForTimestamp(this.#state.segments, timestamp, this.#state.logStartOffset))
  }

  offsetFor(query: OffsetQuery): TimestampAndOffset {
    this.#state.checkOnline()
    const { epochs, logStartOffset, logEndOffset, segments } = this.#state
    switch (query) {
      case 'earliest':
      case 'earliestLocal': {
        const first = epochs.earliest
        const isKnown = first !== undefined && first.startOffset <= logStartOffset
        return { timestamp: -1, offset: logStartOffset, leaderEpoch: isKnown ? first.epoch : -1 }
      }
      case 'latest':
        return { timestamp: -1, offset: logEndOffset, leaderEpoch: this.latestEpoch ?? -1 }
      case 'latestTiered':
        return NO_OFFSET
      case 'maxTimestamp':
        return this.#lookUp(() => maxTimestampOf(segments)) ?? NO_OFFSET
    }
  }

  segmentOffsetsBefore(timestamp: number, maxCount: number): number[] {
    this.#state.checkOnline()
    return segmentOffsetsBefore(this.#state, timestamp, maxCount)
  }

  #lookUp<T>(find: () => T): T {
    this.#state.checkOnline()
    try {
      return find()
    } catch (error) {
      throw this.#state.refusalOf(error)
    }
  }

  endOffsetForEpoch(leaderEpoch: number): OffsetAndEpoch | undefined {
    return this.#state.epochs.endOffsetFor(leaderEpoch, this.#state.logEndOffset)
  }

  assignEpoch(leaderEpoch: number, startOffset: number): void {
    this.#state.checkOnline()
    // The file follows with the first record of the epoch. A broker that starts leads all its partitions in new epochs; a
    // file for each of them would cost more than the rest of the start, and an epoch without records is no loss.
    // Records of the last leader may still be on their way to the disk, and are not of this epoch.
    this.#state.epochs.assignInMemory(leaderEpoch, Math.max(startOffset, this.#state.nextOffset))
  }

  epochForOffset(offset: number): number | undefined {
    return this.#state.epochs.epochForOffset(offset)
  }

  activeProducers(): ProducerInfo[] {
    return this.#state.producers.list()
  }

  producer(producerId: number): ProducerInfo | undefined {
    return this.#state.producers.info(producerId)
  }

  /** Forgets producers that have been silent for producer.id.expiration.ms. */
  expireProducers(): void {
    const { producers, environment } = this.#state
    // A producer whose batch is on its way is not silent, and taking that back must find its state.
    if (this.#appender.queue.isIdle) producers.expire(environment.time.nowMs(), environment.producerIdExpirationMs)
  }

  advanceHighWatermark(offset: number): number {
    const state = this.#state
    const target = Math.min(offset, state.logEndOffset)
    if (target <= state.highWatermark) return state.highWatermark
    state.highWatermark = target
    state.producers.onHighWatermark(target)
    return target
  }

  advanceLogStart(offset: number, reason: string): boolean {
    const state = this.#state
    state.checkOnline()
    if (offset > state.highWatermark) {
      throw new LogError(
        'OFFSET_OUT_OF_RANGE',
        `Cannot increment the log start offset to ${offset} of partition ${state.name} since it is larger than the high watermark ${state.highWatermark}`,
      )
    }
    if (offset <= state.logStartOffset) return false
    state.logStartOffset = offset
    state.environment.logger.info(`Incremented log start offset of ${state.name} to ${offset} due to ${reason}`)
    state.producers.onHighWatermark(offset)
    this.onLogStart()
    try {
      state.epochs.truncateFromStart(offset)
    } catch (error) {
      throw state.refusalOf(error)
    }
    return true
  }

  retire(): number {
    if (this.#state.offline !== undefined) return 0
    return retireSegments(this.#state, this.#appender, (offset, reason) => this.advanceLogStart(offset, reason))
  }

  /** What a compaction would take up now; `cleanedTo` is where the last one ended, undefined for none. */
  cleanableRange(cleanedTo: number | undefined): CleanableRange {
    this.#state.checkOnline()
    return cleanableRange(this.#state, cleanedTo)
  }

  /**
   * Compacts the log; answers the offset below which it is clean then. Rejects with CleaningAborted when the log is
   * truncated, deleted or closed meanwhile, else with what is wrong with the log or its disk.
   */
  clean(range: CleanableRange, options: CleaningOptions): Promise<number> {
    this.#state.checkOnline()
    return cleanLog(this.#state, range, options)
  }

  /** A copy of the log in another directory, to be made by its `run`. See `LogCopyOptions`. */
  copyTo(directory: string, mayGoOn: () => boolean, onComplete: () => void, pace?: CopyPace): LogCopy {
    const isWanted = () => mayGoOn() && this.#state.offline === undefined
    const isIdle = () => this.#isIdle
    return new LogCopy(this.#state, {
      directory,
      mayGoOn: isWanted,
      isIdle,
      whenIdle: () => this.#whenIdle(),
      onComplete,
      pace,
    })
  }

  truncateTo(offset: number, isWanted?: () => boolean): Promise<boolean> {
    return this.#cut(() => truncateLog(this.#state, this.#appender, offset), isWanted)
  }

  truncateFullyAndStartAt(offset: number, isWanted?: () => boolean): Promise<boolean> {
    const cut = (): boolean => {
      startOver(this.#state, this.#appender, offset)
      return true
    }
    return this.#cut(cut, isWanted)
  }

  async #cut(cut: () => boolean, isWanted = () => true): Promise<boolean> {
    // Asked here and not in a function of its own: nothing may be appended between the last answer and the cut.
    while (!this.#isIdle) await this.#appender.queue.whenIdle()
    if (!isWanted()) return false
    if (!this.#lookUp(cut)) return true
    this.#onTruncated?.()
    // After a power failure what was cut off would be there again, under what came after it.
    await syncCut(this.#state)
    return true
  }

  get #isIdle(): boolean {
    return this.#appender.queue.isIdle
  }

  async #whenIdle(): Promise<void> {
    // Somebody may append between the end of the last write and our hearing of it.
    while (!this.#isIdle) await this.#appender.queue.whenIdle()
  }

  flush(): Promise<void> {
    return this.#appender.flusher.flush()
  }

  /** Ends the use of this log: everything goes to stable storage, so that the next start need not look at it. */
  async close(): Promise<void> {
    const state = this.#state
    this.#appender.flusher.cancel()
    await this.#whenIdle()
    if (state.offline === undefined) {
      if (state.logEndOffset > state.lastSnapshotOffset) {
        state.snapshots.write(state.logEndOffset, state.producers.producers)
        state.lastSnapshotOffset = state.logEndOffset
      }
      state.segments.active.finish()
      await this.flush()
    }
    this.closeFiles()
  }

  /** Lets go of all files without writing anything. */
  closeFiles(): void {
    const state = this.#state
    this.#appender.flusher.cancel()
    for (const removal of state.removals) removal.cancel()
    state.removals.clear()
    state.reader.clear()
    for (const segment of state.segments.all) segment.release()
    state.tail.restart(state.logEndOffset)
  }

  /**
   * The partition is deleted: renames the directory. Appends under way still end, in the renamed files; nothing else is
   * answered any more.
   */
  markDeleted(directory: string): void {
    const state = this.#state
    this.closeFiles()
    state.environment.disk.rename(state.directory, directory)
    state.directory = directory
    state.epochs.moveTo(directory)
    state.snapshots.moveTo(directory)
    for (const segment of state.segments.all) segment.moveTo(directory)
    state.offline ??= 'it was deleted'
    // Appends that were staged open the file again.
    this.#whenIdle().then(() => this.closeFiles())
  }

  /** Takes the log offline: its directory is not usable any more. */
  fail(reason: string): void {
    this.#state.goOffline(reason)
  }
}

const NO_OFFSET: TimestampAndOffset = { timestamp: -1, offset: -1, leaderEpoch: -1 }
