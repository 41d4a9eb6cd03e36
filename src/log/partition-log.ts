import { BatchView } from '../protocol/records/batch.ts'
import { AppendError, LogError } from './append-error.ts'
import { AppendQueue, deferred, type QueueOwner, type StagedAppend } from './append-queue.ts'
import { DamageError } from './damage-error.ts'
import { DiskReader } from './disk-reader.ts'
import { EpochCache, type EpochEntry } from './epoch-cache.ts'
import { loadLog, loadProducers } from './loader.ts'
import type { LogEnvironment, PartitionLogOptions } from './log-options.ts'
import { maxTimestampOf, offsetForTimestamp } from './lookup.ts'
import { type PreparedAppend, prepareAppend } from './prepare.ts'
import { ProducerState } from './producer-state.ts'
import { deletableSegments } from './retention.ts'
import { Segment } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import { Snapshots } from './snapshots.ts'
import { TailCache } from './tail-cache.ts'
import { readTopicId, writeTopicId } from './topic-id-file.ts'
import type { AbortedTxn } from './txn-index.ts'
import type {
  AbortedTransaction,
  AppendInfo,
  AppendOptions,
  FetchData,
  LogConfig,
  OffsetAndEpoch,
  OffsetQuery,
  PartitionLogApi,
  ProducerInfo,
  ReadOptions,
  ReadUpTo,
  TimestampAndOffset,
} from './types.ts'

const NO_ABORTED: readonly AbortedTxn[] = []
const NO_RECORDS: readonly Buffer[] = []
/** setTimeout-sized; a longer flush.ms never comes due anyway. */
const MAX_FLUSH_DELAY_MS = 2 ** 31 - 1

const view = new BatchView(Buffer.alloc(0))

/** One partition's log; see `PartitionLogApi` for what its members promise. Usable without a LogManager. */
export class PartitionLog implements PartitionLogApi {
  readonly topic: string
  readonly partition: number
  /** "topic-partition" */
  readonly name: string
  readonly #environment: LogEnvironment
  readonly #onOffline: PartitionLogOptions['onOffline']
  readonly #producers: ProducerState
  readonly #epochs: EpochCache
  readonly #snapshots: Snapshots
  readonly #tail: TailCache
  readonly #reader: DiskReader
  readonly #queue: AppendQueue
  #directory: string
  #topicId: string
  #config: LogConfig
  #segments = new SegmentList()
  #offline: string | undefined
  #logStartOffset = 0
  #highWatermark = 0
  #logEndOffset = 0
  /** The offset of the next append: past logEndOffset by what is staged. */
  #nextOffset = 0
  #recoveryPoint = 0
  #lastSnapshotOffset = 0
  #unflushedRecords = 0
  #flushTimer: { cancel(): void } | undefined
  /** Segments that are full, but whose last batches may not be written yet. */
  #closing: Segment[] = []
  /** The epochs as they are in the file's batches, while staged appends have added to them. */
  #writtenEpochs: readonly EpochEntry[] | undefined
  /** Grows when data disappears, so that reads under way notice. */
  #truncations = 0

  private constructor(environment: LogEnvironment, options: PartitionLogOptions) {
    const { disk, tailBudget, tailCacheBytes } = environment
    this.#environment = environment
    this.#onOffline = options.onOffline
    this.topic = options.topic
    this.partition = options.partition
    this.name = `${options.topic}-${options.partition}`
    this.#directory = options.directory
    this.#config = options.config
    // A log that turns out to be damaged keeps what its checkpoints said, or the next start would take less care.
    this.#recoveryPoint = options.recoveryPoint ?? 0
    this.#logStartOffset = options.logStartOffset ?? 0
    this.#highWatermark = options.highWatermark ?? 0
    disk.makeDirectory(options.directory)
    this.#topicId = readTopicId(disk, options.directory)
    this.#producers = new ProducerState(this.name)
    this.#epochs = new EpochCache(disk, options.directory)
    this.#snapshots = new Snapshots(disk, options.directory)
    this.#tail = new TailCache(tailCacheBytes, tailBudget)
    this.#reader = new DiskReader()
    this.#queue = new AppendQueue(this.#queueOwner())
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
      log.#goOffline(error.message)
    }
    return log
  }

  #load(options: PartitionLogOptions): void {
    const { disk, logger, time, producerIdExpirationMs } = this.#environment
    const loaded = loadLog({
      disk,
      logger,
      directory: this.#directory,
      config: this.#config,
      nowMs: time.nowMs(),
      producerIdExpirationMs,
      cleanShutdown: options.cleanShutdown ?? false,
      recoveryPoint: options.recoveryPoint ?? 0,
      logStartOffset: options.logStartOffset ?? 0,
      epochs: this.#epochs,
      producers: this.#producers,
      snapshots: this.#snapshots,
    })
    this.#segments = loaded.segments
    this.#logStartOffset = loaded.logStartOffset
    this.#recoveryPoint = loaded.recoveryPoint
    this.#logEndOffset = loaded.nextOffset
    this.#nextOffset = loaded.nextOffset
    const highWatermark = options.highWatermark ?? loaded.logStartOffset
    this.#highWatermark = Math.min(Math.max(highWatermark, loaded.logStartOffset), loaded.nextOffset)
    this.#lastSnapshotOffset = this.#snapshots.latest ?? loaded.logStartOffset
    this.#tail.restart(loaded.nextOffset)
  }

  get topicId(): string {
    return this.#topicId
  }

  get directory(): string {
    return this.#directory
  }

  get config(): LogConfig {
    return this.#config
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  get lastStableOffset(): number {
    const unstable = this.#producers.firstUnstableOffset
    if (unstable === undefined || unstable >= this.#highWatermark) return this.#highWatermark
    return Math.max(unstable, this.#logStartOffset)
  }

  get logEndOffset(): number {
    return this.#logEndOffset
  }

  get recoveryPoint(): number {
    return this.#recoveryPoint
  }

  get offline(): string | undefined {
    return this.#offline
  }

  get sizeBytes(): number {
    return this.#segments.sizeBytes()
  }

  get firstSegmentOffset(): number {
    return this.#segments.count === 0 ? 0 : this.#segments.first.baseOffset
  }

  get segmentCount(): number {
    return this.#segments.count
  }

  get latestEpoch(): number | undefined {
    return this.#epochs.latest?.epoch
  }

  get epochs(): readonly EpochEntry[] {
    return this.#epochs.entries
  }

  assignTopicId(topicId: string): void {
    writeTopicId(this.#environment.disk, this.#directory, topicId)
    this.#topicId = topicId
  }

  updateConfig(config: LogConfig): void {
    this.#config = config
  }

  // Appending

  append(records: readonly Buffer[], options: AppendOptions): Promise<AppendInfo> {
    try {
      this.#checkOnline()
      const prepared = prepareAppend(records, options, {
        name: this.name,
        config: this.#config,
        nextOffset: this.#nextOffset,
        logStartOffset: this.#logStartOffset,
        nowMs: this.#environment.time.nowMs(),
      })
      if (prepared.batchCount === 0) return Promise.resolve(prepared.info)
      const duplicate = this.#findDuplicate(prepared, options)
      if (duplicate) return this.#queue.whenWritten().then(() => duplicate)
      return this.#stage(prepared, options)
    } catch (error) {
      return Promise.reject(this.#refusalOf(error))
    }
  }

  #findDuplicate(prepared: PreparedAppend, options: AppendOptions): AppendInfo | undefined {
    if (options.origin !== 'client') return undefined
    const batch = view.moveTo(prepared.buffers[0]!, 0)
    if (!batch.hasProducerId) return undefined
    const known = this.#producers.duplicateOf(batch)
    if (!known) return undefined
    return {
      firstOffset: known.lastOffset - known.offsetDelta,
      lastOffset: known.lastOffset,
      logAppendTimeMs: known.timestamp,
      logStartOffset: this.#logStartOffset,
      duplicate: true,
      maxTimestamp: known.timestamp,
      sizeBytes: prepared.sizeBytes,
    }
  }

  #stage(prepared: PreparedAppend, options: AppendOptions): Promise<AppendInfo> {
    const { buffers, info, sizeBytes } = prepared
    const segment = this.#segmentFor(prepared)
    const mark = this.#producers.mark
    const aborted = this.#applyProducers(buffers, options, mark)
    this.#assignEpochs(buffers, mark)
    if (segment.stagedBytes === 0) segment.firstTimestamp = view.moveTo(buffers[0]!, 0).maxTimestamp
    segment.stagedBytes += sizeBytes
    const nextOffset = info.lastOffset + 1
    this.#nextOffset = nextOffset
    this.#unflushedRecords += nextOffset - info.firstOffset
    const mustSync = options.origin === 'raft' || this.#unflushedRecords >= this.#config.flushMessages
    if (mustSync) this.#unflushedRecords = 0
    const undoCount = this.#producers.mark - mark
    const waiting = deferred()
    const { firstOffset } = info
    this.#queue.push({
      segment,
      buffers,
      sizeBytes,
      firstOffset,
      nextOffset,
      info,
      undoCount,
      aborted,
      mustSync,
      ...waiting,
    })
    return waiting.outcome
  }

  #applyProducers(buffers: readonly Buffer[], options: AppendOptions, mark: number): readonly AbortedTxn[] {
    let aborted: AbortedTxn[] | undefined
    const context = {
      origin: options.origin,
      transactionVersion: options.transactionVersion ?? 1,
      isTransactionVerified: options.isTransactionVerified,
    }
    try {
      for (const buffer of buffers) {
        for (let at = 0; at < buffer.length; at += view.sizeBytes) {
          view.moveTo(buffer, at)
          if (!view.hasProducerId) continue
          const ended = this.#producers.apply(view, context)
          view.moveTo(buffer, at)
          if (ended) aborted = [...(aborted ?? []), ended]
        }
      }
    } catch (error) {
      this.#producers.rollBack(mark)
      throw error
    }
    return aborted ?? NO_ABORTED
  }

  #assignEpochs(buffers: readonly Buffer[], mark: number): void {
    const before = this.#epochs.entries
    let changed = false
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.length; at += view.sizeBytes) {
        const epoch = view.moveTo(buffer, at).partitionLeaderEpoch
        if (epoch >= 0 && this.#epochs.assignInMemory(epoch, view.baseOffset)) changed = true
      }
    }
    if (!changed) return
    try {
      this.#epochs.save()
      this.#writtenEpochs ??= before
    } catch (error) {
      this.#epochs.restoreInMemory(before)
      this.#producers.rollBack(mark)
      throw error
    }
  }

  #segmentFor(prepared: PreparedAppend): Segment {
    const active = this.#segments.active
    if (!this.#mustRoll(active, prepared)) return active
    return this.#roll(prepared.info.firstOffset)
  }

  #mustRoll(active: Segment, prepared: PreparedAppend): boolean {
    const { info, sizeBytes } = prepared
    const config = this.#config
    if (active.stagedBytes > config.segmentBytes - sizeBytes) return active.stagedBytes > 0
    if (!active.canHold(info.lastOffset)) return true
    if (active.stagedBytes === 0) return false
    const first = active.readFirstTimestamp()
    const waitedMs = first >= 0 ? info.maxTimestamp - first : this.#environment.time.nowMs() - active.createdMs
    if (waitedMs > config.segmentMs - active.rollJitterMs) return true
    // Each staged batch may take an entry; the last entry of the time index is kept for the roll.
    const entries = Math.max(active.index.entryCount, active.timeIndex.entryCount) + this.#queue.staged.length
    const capacity = Math.floor(config.segmentIndexBytes / 12)
    return entries >= capacity - 1 && capacity > 1
  }

  #roll(baseOffset: number): Segment {
    const { disk, time, random } = this.#environment
    const { segmentJitterMs, segmentMs } = this.#config
    const jitterMs = Math.min(segmentJitterMs, segmentMs, 2 ** 31 - 1)
    const segment = Segment.create(disk, this.#directory, baseOffset, {
      nowMs: time.nowMs(),
      rollJitterMs: jitterMs > 0 ? random.below(jitterMs) : 0,
    })
    if (baseOffset > this.#lastSnapshotOffset) {
      this.#snapshots.write(baseOffset, this.#producers.producers)
      this.#lastSnapshotOffset = baseOffset
    }
    this.#closing.push(this.#segments.active)
    this.#segments.push(segment)
    if (this.#queue.isIdle) this.#closeFull()
    return segment
  }

  #queueOwner(): QueueOwner {
    return {
      written: (group) => this.#onWritten(group),
      writeFailed: (error, failed) => this.#onWriteFailed(error, failed),
      syncFailed: (error) => {
        this.#goOffline(`sync failed: ${messageOf(error)}`)
        return this.#refusalOf(error)
      },
    }
  }

  #onWritten(group: readonly StagedAppend[]): boolean {
    let mustSync = false
    let undoCount = 0
    const nowMs = this.#environment.time.nowMs()
    for (const append of group) {
      const { segment, aborted, nextOffset } = append
      this.#addToIndex(append)
      segment.modifiedMs = nowMs
      for (const entry of aborted) segment.txnIndex.append(entry)
      if (aborted.length > 0) this.#tryWriteTxnIndex(segment)
      this.#logEndOffset = nextOffset
      undoCount += append.undoCount
      if (append.mustSync) mustSync = true
    }
    this.#producers.settle(undoCount)
    if (this.#queue.staged.length === 0) this.#writtenEpochs = undefined
    this.#closeFull()
    if (!mustSync) this.#scheduleFlush()
    return mustSync
  }

  #addToIndex(append: StagedAppend): void {
    const { segment, buffers } = append
    const { indexIntervalBytes } = this.#config
    for (const buffer of buffers) {
      let nextOffset = 0
      const baseOffset = view.moveTo(buffer, 0).baseOffset
      for (let at = 0; at < buffer.length; at += view.sizeBytes) {
        segment.addBatch(view.moveTo(buffer, at), indexIntervalBytes)
        nextOffset = view.nextOffset
      }
      this.#tail.add(baseOffset, nextOffset, buffer)
    }
  }

  /** The entries stay in memory when they cannot be written, and are tried again when the segment is closed. */
  #tryWriteTxnIndex(segment: Segment): void {
    try {
      segment.txnIndex.writeOut()
    } catch (error) {
      this.#environment.logger.warn(`${segment.txnIndex.path} could not be written: ${messageOf(error)}`)
    }
  }

  /** Closes the segments that were rolled and have all their batches, and syncs them in the background. */
  #closeFull(): void {
    while (this.#closing.length > 0) {
      const segment = this.#closing[0]!
      if (this.#queue.staged.some((append) => append.segment === segment)) return
      this.#closing.shift()
      try {
        segment.finish()
      } catch (error) {
        this.#environment.logger.warn(`the indexes of ${segment.path} could not be written: ${messageOf(error)}`)
        this.#closing.unshift(segment)
        return
      }
      this.#syncClosed(segment)
    }
  }

  #syncClosed(segment: Segment): void {
    const endOffset = this.#segments.after(segment)?.baseOffset ?? this.#logEndOffset
    segment.sync().then(
      () => {
        const segments = this.#segments.all
        // What lies before it must be safe, too.
        if (segments.includes(segment) && this.#isFlushedUpTo(segment.baseOffset)) this.#advanceRecoveryPoint(endOffset)
        this.#reader.release(segment)
      },
      (error) => {
        if (this.#segments.all.includes(segment)) this.#goOffline(`sync of ${segment.path} failed: ${messageOf(error)}`)
      },
    )
  }

  #isFlushedUpTo(offset: number): boolean {
    const first = this.#segments.floor(this.#recoveryPoint)
    return first === undefined || first.baseOffset >= offset || this.#recoveryPoint >= offset
  }

  #advanceRecoveryPoint(offset: number): void {
    if (offset > this.#recoveryPoint) this.#recoveryPoint = Math.min(offset, this.#logEndOffset)
  }

  /** Whatever was staged is taken back: the file, the producers, the epochs and the segments made for it. */
  #onWriteFailed(error: unknown, failed: readonly StagedAppend[]): Error {
    const first = failed[0]!
    this.#environment.logger.error(`write to ${first.segment.path} failed: ${messageOf(error)}`)
    this.#producers.rollBack(0)
    this.#nextOffset = this.#logEndOffset
    try {
      for (const segment of this.#segments.removeAbove(first.segment.baseOffset)) segment.remove()
      this.#closing = this.#closing.filter((segment) => segment.baseOffset < first.segment.baseOffset)
      this.#snapshots.removeAbove(this.#logEndOffset)
      this.#lastSnapshotOffset = Math.min(this.#lastSnapshotOffset, this.#logEndOffset)
      first.segment.cutToWritten()
      if (this.#writtenEpochs) this.#epochs.restore(this.#writtenEpochs)
      this.#writtenEpochs = undefined
    } catch (second) {
      this.#goOffline(`write failed (${messageOf(error)}), and so did cutting it back: ${messageOf(second)}`)
    }
    return this.#refusalOf(error)
  }

  #refusalOf(error: unknown): Error {
    if (error instanceof LogError) return error
    if (error instanceof DamageError) {
      this.#goOffline(error.message)
      return new AppendError('KAFKA_STORAGE_ERROR', error.message)
    }
    if (error instanceof Error && 'code' in error) {
      return new AppendError('KAFKA_STORAGE_ERROR', `Error while appending records to ${this.name}: ${error.message}`)
    }
    throw error
  }

  #checkOnline(): void {
    if (this.#offline !== undefined) {
      throw new AppendError('KAFKA_STORAGE_ERROR', `The log of ${this.name} is offline: ${this.#offline}`)
    }
  }

  #goOffline(reason: string): void {
    if (this.#offline !== undefined) return
    this.#offline = reason
    this.#environment.logger.error(`The log in ${this.#directory} goes offline: ${reason}`)
    this.#tail.restart(this.#logEndOffset)
    this.#flushTimer?.cancel()
    this.#onOffline?.(this, reason)
  }

  // Reading

  read(offset: number, options: ReadOptions): FetchData | Promise<FetchData> {
    this.#checkOnline()
    if (offset < this.#logStartOffset) {
      throw new LogError(
        'OFFSET_OUT_OF_RANGE',
        `Received request for offset ${offset} for partition ${this.name}, but we only have log segments starting from offset: ${this.#logStartOffset}.`,
      )
    }
    if (offset > this.#logEndOffset) {
      throw new LogError(
        'OFFSET_OUT_OF_RANGE',
        `Received request for offset ${offset} for partition ${this.name}, but we only have log segments upto ${this.#logEndOffset}.`,
      )
    }
    const bound = this.#boundOf(options.upTo)
    if (offset >= bound) return this.#finishRead(offset, EMPTY(offset), options)
    if (offset >= this.#tail.fromOffset) {
      const found = this.#tail.read(offset, bound, options.maxBytes, options.minOneBatch)
      return options.upTo === 'lastStable' ? this.#finishRead(offset, found, options) : found
    }
    return this.#readFromDisk(offset, bound, options)
  }

  #boundOf(upTo: ReadUpTo): number {
    if (upTo === 'logEnd') return this.#logEndOffset
    return upTo === 'highWatermark' ? this.#highWatermark : this.lastStableOffset
  }

  #readFromDisk(offset: number, bound: number, options: ReadOptions): FetchData | Promise<FetchData> {
    const truncations = this.#truncations
    const failed = (error: unknown): never => {
      throw this.#readRefusalOf(error)
    }
    try {
      const found = this.#reader.read(this.#segments, offset, bound, options)
      if (!(found instanceof Promise)) return this.#finishRead(offset, found, options)
      return found.then(
        // What was read may have been cut off meanwhile.
        (data) =>
          truncations === this.#truncations ? this.#finishRead(offset, data, options) : this.read(offset, options),
        (error) => (truncations === this.#truncations ? failed(error) : this.read(offset, options)),
      )
    } catch (error) {
      return failed(error)
    }
  }

  #readRefusalOf(error: unknown): unknown {
    if (error instanceof DamageError) this.#goOffline(error.message)
    else if (!(error instanceof Error && 'code' in error)) return error
    return new LogError('KAFKA_STORAGE_ERROR', messageOf(error))
  }

  #finishRead(offset: number, data: FetchData, options: ReadOptions): FetchData {
    if (options.upTo !== 'lastStable') return data
    return { ...data, abortedTransactions: this.abortedTransactions(offset, data.nextOffset) }
  }

  /** The transactions aborted that have records between the two offsets, the second exclusive. */
  abortedTransactions(offset: number, endOffset: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = []
    if (endOffset <= offset) return found
    for (const segment of this.#segments.from(offset)) {
      for (const { producerId, firstOffset, lastOffset, lastStableOffset } of segment.txnIndex.entries()) {
        if (lastOffset >= offset && firstOffset < endOffset) found.push({ producerId, firstOffset })
        if (lastStableOffset >= endOffset) return found
      }
    }
    return found
  }

  offsetForTimestamp(timestamp: number): TimestampAndOffset | undefined {
    this.#checkOnline()
    try {
      return offsetForTimestamp(this.#segments, timestamp, this.#logStartOffset)
    } catch (error) {
      throw this.#readRefusalOf(error)
    }
  }

  offsetFor(query: OffsetQuery): TimestampAndOffset {
    this.#checkOnline()
    switch (query) {
      case 'earliest':
      case 'earliestLocal': {
        const first = this.#epochs.earliest
        const isKnown = first !== undefined && first.startOffset <= this.#logStartOffset
        return { timestamp: -1, offset: this.#logStartOffset, leaderEpoch: isKnown ? first.epoch : -1 }
      }
      case 'latest':
        return { timestamp: -1, offset: this.#logEndOffset, leaderEpoch: this.latestEpoch ?? -1 }
      case 'latestTiered':
        return { timestamp: -1, offset: -1, leaderEpoch: -1 }
      case 'maxTimestamp':
        return maxTimestampOf(this.#segments) ?? { timestamp: -1, offset: -1, leaderEpoch: -1 }
    }
  }

  endOffsetForEpoch(leaderEpoch: number): OffsetAndEpoch | undefined {
    return this.#epochs.endOffsetFor(leaderEpoch, this.#logEndOffset)
  }

  assignEpoch(leaderEpoch: number, startOffset: number): void {
    this.#checkOnline()
    this.#epochs.assign(leaderEpoch, startOffset)
  }

  epochForOffset(offset: number): number | undefined {
    return this.#epochs.epochForOffset(offset)
  }

  activeProducers(): ProducerInfo[] {
    return this.#producers.list()
  }

  hasOpenTransaction(producerId: number): boolean {
    return this.#producers.hasOpenTransaction(producerId)
  }

  expireProducers(): void {
    // A producer whose batch is on its way is not silent, and taking that back must find its state.
    if (!this.#queue.isIdle) return
    this.#producers.expire(this.#environment.time.nowMs(), this.#environment.producerIdExpirationMs)
  }

  // Moving the ends

  advanceHighWatermark(offset: number): number {
    const target = Math.min(offset, this.#logEndOffset)
    if (target <= this.#highWatermark) return this.#highWatermark
    this.#highWatermark = target
    this.#producers.onHighWatermark(target)
    return target
  }

  advanceLogStart(offset: number, reason: string): boolean {
    this.#checkOnline()
    if (offset > this.#highWatermark) {
      throw new LogError(
        'OFFSET_OUT_OF_RANGE',
        `Cannot increment the log start offset to ${offset} of partition ${this.name} since it is larger than the high watermark ${this.#highWatermark}`,
      )
    }
    if (offset <= this.#logStartOffset) return false
    this.#logStartOffset = offset
    this.#environment.logger.info(`Incremented log start offset of ${this.name} to ${offset} due to ${reason}`)
    this.#epochs.truncateFromStart(offset)
    this.#producers.onHighWatermark(offset)
    return true
  }

  retire(): number {
    if (this.#offline !== undefined) return 0
    const nowMs = this.#environment.time.nowMs()
    const view = { segments: this.#segments, highWatermark: this.#highWatermark, logEndOffset: this.#logEndOffset }
    const count = deletableSegments(view, this.#config, this.#logStartOffset, nowMs)
    if (count === 0) return 0
    if (count === this.#segments.count) {
      if (!this.#queue.isIdle) return 0
      this.#roll(this.#nextOffset)
    }
    const nextBase = this.#segments.all[count]!.baseOffset
    const removed = this.#segments.removeFirst(count)
    this.advanceLogStart(nextBase, 'segment deletion')
    this.#deleteLater(removed)
    return count
  }

  #deleteLater(segments: readonly Segment[]): void {
    const { disk, logger, time } = this.#environment
    const paths: string[] = []
    for (const segment of segments) {
      logger.info(`Deleting segment ${segment.path} of ${segment.sizeBytes} bytes`)
      this.#reader.forget(segment)
      segment.release()
      paths.push(...segment.markDeleted())
      const snapshot = this.#snapshots.markDeleted(segment.baseOffset)
      if (snapshot !== undefined) paths.push(snapshot)
    }
    time.after(this.#config.fileDeleteDelayMs, () => {
      for (const path of paths) {
        try {
          disk.remove(path)
        } catch (error) {
          logger.warn(`${path} could not be removed: ${messageOf(error)}`)
        }
      }
    })
  }

  async truncateTo(offset: number): Promise<void> {
    await this.#queue.whenIdle()
    this.#checkOnline()
    if (offset >= this.#logEndOffset) return
    if (offset < this.#segments.first.baseOffset) {
      this.#startOver(offset)
      return
    }
    this.#truncations += 1
    for (const segment of this.#segments.removeAbove(offset)) this.#removeNow(segment)
    const active = this.#segments.active
    active.truncateTo(offset, this.#environment.time.nowMs())
    this.#afterTruncation(offset, offset)
    this.#snapshots.removeAbove(offset)
    this.#epochs.truncateFromEnd(offset)
    const { time, producerIdExpirationMs } = this.#environment
    const context = {
      producers: this.#producers,
      snapshots: this.#snapshots,
      nowMs: time.nowMs(),
      producerIdExpirationMs,
    }
    loadProducers(context, this.#segments, this.#logStartOffset, offset)
    this.#lastSnapshotOffset = this.#snapshots.latest ?? this.#logStartOffset
  }

  async truncateFullyAndStartAt(offset: number): Promise<void> {
    await this.#queue.whenIdle()
    this.#checkOnline()
    this.#startOver(offset)
  }

  #startOver(offset: number): void {
    const { disk, time } = this.#environment
    this.#truncations += 1
    for (const segment of this.#segments.removeFirst(this.#segments.count)) this.#removeNow(segment)
    this.#segments.push(Segment.create(disk, this.#directory, offset, { nowMs: time.nowMs(), rollJitterMs: 0 }))
    this.#logStartOffset = offset
    this.#afterTruncation(offset, offset)
    this.#highWatermark = offset
    this.#epochs.clear()
    this.#producers.clear()
    this.#snapshots.removeAll()
    this.#lastSnapshotOffset = offset
  }

  #afterTruncation(offset: number, recoveryPoint: number): void {
    this.#closing = this.#closing.filter((segment) => this.#segments.all.includes(segment))
    this.#reader.clear()
    this.#logEndOffset = offset
    this.#nextOffset = offset
    this.#recoveryPoint = Math.min(this.#recoveryPoint, recoveryPoint)
    this.#highWatermark = Math.min(this.#highWatermark, offset)
    this.#tail.restart(offset)
  }

  #removeNow(segment: Segment): void {
    this.#reader.forget(segment)
    segment.remove()
  }

  // Durability

  #scheduleFlush(): void {
    const { flushMs } = this.#config
    if (this.#flushTimer || flushMs > MAX_FLUSH_DELAY_MS) return
    this.#flushTimer = this.#environment.time.after(flushMs, () => {
      this.#flushTimer = undefined
      this.flush().catch((error) => this.#environment.logger.error(`flush of ${this.name} failed: ${messageOf(error)}`))
    })
  }

  async flush(): Promise<void> {
    await this.#queue.whenIdle()
    this.#checkOnline()
    const endOffset = this.#logEndOffset
    if (this.#recoveryPoint >= endOffset) return
    const truncations = this.#truncations
    try {
      for (const segment of this.#segments.from(this.#recoveryPoint)) {
        if (segment === this.#segments.active) await syncFile(segment)
        else await segment.sync()
      }
    } catch (error) {
      if (truncations !== this.#truncations) return
      this.#goOffline(`sync failed: ${messageOf(error)}`)
      throw this.#refusalOf(error)
    }
    this.#unflushedRecords = 0
    if (truncations === this.#truncations) this.#advanceRecoveryPoint(endOffset)
  }

  /** Ends the use of this log: everything goes to stable storage, so that the next start need not look at it. */
  async close(): Promise<void> {
    this.#flushTimer?.cancel()
    this.#flushTimer = undefined
    await this.#queue.whenIdle()
    if (this.#offline === undefined) {
      if (this.#logEndOffset > this.#lastSnapshotOffset) {
        this.#snapshots.write(this.#logEndOffset, this.#producers.producers)
        this.#lastSnapshotOffset = this.#logEndOffset
      }
      this.#segments.active.finish()
      await this.flush()
    }
    this.closeFiles()
  }

  /** Lets go of all files without writing anything. */
  closeFiles(): void {
    this.#flushTimer?.cancel()
    this.#flushTimer = undefined
    this.#reader.clear()
    for (const segment of this.#segments.all) segment.release()
    this.#tail.restart(this.#logEndOffset)
  }

  /**
   * The partition is deleted: renames the directory. Appends under way still end, in the renamed files; nothing else is
   * answered any more.
   */
  markDeleted(directory: string): void {
    this.closeFiles()
    this.#environment.disk.rename(this.#directory, directory)
    this.#directory = directory
    this.#epochs.moveTo(directory)
    this.#snapshots.moveTo(directory)
    for (const segment of this.#segments.all) segment.moveTo(directory)
    this.#offline ??= 'it was deleted'
  }

  /** Takes the log offline: its directory is not usable any more. */
  fail(reason: string): void {
    this.#goOffline(reason)
  }
}

function EMPTY(offset: number): FetchData {
  return { records: NO_RECORDS, sizeBytes: 0, nextOffset: offset, abortedTransactions: undefined }
}

async function syncFile(segment: Segment): Promise<void> {
  const file = segment.beginRead()
  try {
    await file.sync()
  } finally {
    segment.endRead()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
