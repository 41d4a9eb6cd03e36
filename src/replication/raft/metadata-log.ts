import { EpochCache, type EpochEntry } from '../../log/epoch-cache.ts'
import { type Disk, type DiskFile, diskErrorCode } from '../../platform/disk.ts'
import type { Logger } from '../../platform/logger.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { MAGIC_AT, RECORDS_AT } from '../../protocol/records/layout.ts'
import { scanBatches } from './batches.ts'
import { MetadataLogError } from './types.ts'

const PARTITION_METADATA = 'version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ'

interface Segment {
  readonly baseOffset: number
  readonly path: string
  sizeBytes: number
  /** Timestamp of the first batch, undefined while empty or, for old segments, unknown. */
  firstTimestampMs: number | undefined
  /** Where every so many bytes a batch begins, ascending. */
  places: Place[]
}

interface Place {
  readonly offset: number
  readonly positionBytes: number
}

/** How many bytes of the log there are to a place that is remembered. */
const PLACE_EVERY_BYTES = 16 * 1024

export interface MetadataLogOptions {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  readonly segmentBytes: number
  readonly segmentMs: number
}

/**
 * The segments of `__cluster_metadata-0`. Every write is synced before it counts. There are no index entries: the log is
 * read from front to back, at start; Apache Kafka rebuilds the indexes of this log whenever it opens it.
 */
export class MetadataLog {
  readonly #options: MetadataLogOptions
  #segments: Segment[] = []
  #active: DiskFile
  readonly #epochs: EpochCache
  #endOffset: number
  #epochStartOnRecord = 0
  #failure: string | undefined

  private constructor(options: MetadataLogOptions, segments: Segment[], active: DiskFile) {
    this.#options = options
    this.#segments = segments
    this.#active = active
    this.#endOffset = segments.at(-1)!.baseOffset
    const { disk, directory } = options
    // Synced: whoever finds it relies on all being there that was before an epoch.
    this.#epochs = new EpochCache(disk, directory)
    this.#epochs.syncFromNowOn()
  }

  /** Opens or makes the log. Only after `load` is its end known. */
  static open(options: MetadataLogOptions): MetadataLog {
    const { disk, directory } = options
    disk.makeDirectory(directory)
    const segments: Segment[] = []
    for (const { name } of disk.list(directory)) {
      const match = /^(\d{20})\.log$/.exec(name)
      if (!match) continue
      const path = `${directory}/${name}`
      const sizeBytes = disk.stat(path)?.sizeBytes ?? 0
      segments.push({ baseOffset: Number(match[1]), path, sizeBytes, firstTimestampMs: undefined, places: [] })
    }
    segments.sort((a, b) => a.baseOffset - b.baseOffset)
    if (segments.length === 0) segments.push(makeSegment(disk, directory, 0))
    const metadataPath = `${directory}/partition.metadata`
    if (!disk.exists(metadataPath)) disk.replaceFile(metadataPath, Buffer.from(PARTITION_METADATA))
    return new MetadataLog(options, segments, disk.open(segments.at(-1)!.path, 'write'))
  }

  get startOffset(): number {
    return this.#segments[0]!.baseOffset
  }

  get endOffset(): number {
    return this.#endOffset
  }

  /** The epoch of the last batch, 0 for none. */
  get lastEpoch(): number {
    return this.#epochs.latest?.epoch ?? 0
  }

  /** Which epoch began where, ascending. */
  get epochs(): readonly EpochEntry[] {
    return this.#epochs.entries
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  /**
   * Visits every batch whose records are at or after `fromOffset`. A write cut short by a crash is cut off the end: it
   * was never acknowledged. All that is visited is on stable storage then. Damage before the end throws MetadataLogError.
   */
  load(fromOffset: number, visit: (batch: BatchView) => void): void {
    const scanFrom = this.#loadEpochs(fromOffset)
    for (const [index, segment] of this.#segments.entries()) {
      const next = this.#segments[index + 1]
      if (next !== undefined && next.baseOffset <= scanFrom) {
        this.#endOffset = next.baseOffset
        continue
      }
      this.#loadSegment(segment, next === undefined, (batch) => {
        this.#epochs.assignInMemory(batch.partitionLeaderEpoch, batch.baseOffset)
        if (batch.lastOffset >= fromOffset) visit(batch)
      })
    }
    // What is found may be a write that the process before did not live to sync: from now on others rely on it.
    this.#active.syncNow()
  }

  /** Answers from where on the log has to be read to know all epochs: all of it, where the file does not say. */
  #loadEpochs(fromOffset: number): number {
    const { logger, directory } = this.#options
    if (!this.#epochs.load())
      logger.warn(`${directory}: the epochs on record make no sense: they are looked up in the log`)
    const { earliest, latest } = this.#epochs
    this.#epochStartOnRecord = latest?.startOffset ?? 0
    const scanFrom = earliest !== undefined && earliest.startOffset <= this.startOffset ? fromOffset : this.startOffset
    const first = this.#segments.findLast(({ baseOffset }) => baseOffset <= scanFrom) ?? this.#segments[0]!
    this.#epochs.truncateFromEndInMemory(first.baseOffset)
    return scanFrom
  }

  #loadSegment(segment: Segment, isLast: boolean, visit: (batch: BatchView) => void): void {
    const { disk, logger } = this.#options
    const file = isLast ? this.#active : disk.open(segment.path, 'read')
    this.#endOffset = segment.baseOffset
    const onBatch = (batch: BatchView): void => {
      if (batch.baseOffset !== this.#endOffset) {
        throw new MetadataLogError(`${segment.path}: offset ${batch.baseOffset} where ${this.#endOffset} is due`)
      }
      segment.firstTimestampMs ??= batch.maxTimestamp
      this.#endOffset = batch.nextOffset
      visit(batch)
    }
    let positionBytes = 0
    const { validBytes, damage } = scanBatches(file, 0, (batch) => {
      onBatch(batch)
      notePlace(segment, batch.baseOffset, positionBytes)
      positionBytes += batch.sizeBytes
    })
    if (!isLast) file.close()
    if (damage === undefined) return
    if (!isLast || this.#isFollowedByBatch(file, validBytes)) {
      throw new MetadataLogError(`${segment.path} is damaged at byte ${validBytes}: ${damage}`)
    }
    logger.warn(`${segment.path}: cut off ${segment.sizeBytes - validBytes} bytes of an unfinished write: ${damage}`)
    file.truncate(validBytes)
    file.syncNow()
    segment.sizeBytes = validBytes
  }

  /**
   * One write is one batch, so a crash damages the last batch only. A good batch after a bad one means that the bad one
   * was good once, and acknowledged. It is looked for at every byte, as the length of the bad one may be what is wrong.
   */
  #isFollowedByBatch(file: DiskFile, at: number): boolean {
    const tail = Buffer.alloc(Math.max(0, file.sizeBytes() - at))
    const end = file.readSync(tail, at)
    for (let next = tail.indexOf(2, MAGIC_AT + 1); next >= 0 && next < end; next = tail.indexOf(2, next + 1)) {
      if (isBatchAt(tail, next - MAGIC_AT, end, this.#endOffset)) return true
    }
    return false
  }

  /** Why nothing can be written any more, whatever becomes of the disk; undefined for no reason. */
  get failure(): string | undefined {
    return this.#failure
  }

  /**
   * Writes and syncs one batch, whose base offset must be `endOffset`. Rejects with MetadataLogError; nothing of the
   * batch is in the log then.
   */
  async append(batch: Buffer, batchView: { nextOffset: number; epoch: number; timestampMs: number }): Promise<void> {
    if (this.#failure !== undefined) throw new MetadataLogError(this.#failure)
    if (this.#epochs.isUnsaved || batchView.epoch !== this.#epochs.latest?.epoch) this.#noteEpoch(batchView.epoch)
    const segment = this.#segmentFor(batch.length, batchView.timestampMs)
    try {
      await this.#active.write([batch], segment.sizeBytes)
    } catch (error) {
      throw this.#cutBack(segment, error)
    }
    try {
      await this.#active.sync()
    } catch (error) {
      // What a failed fsync has left on the disk cannot be known, and asking again may lie.
      this.#failure = `${segment.path} could not be synced: ${messageOf(error)}`
      throw new MetadataLogError(this.#failure)
    }
    notePlace(segment, this.#endOffset, segment.sizeBytes)
    segment.sizeBytes += batch.length
    segment.firstTimestampMs ??= batchView.timestampMs
    this.#endOffset = batchView.nextOffset
  }

  #cutBack(segment: Segment, error: unknown): MetadataLogError {
    try {
      this.#active.truncate(segment.sizeBytes)
    } catch (second) {
      this.#failure = `${segment.path} could not be cut back after a failed write: ${messageOf(second)}`
    }
    return new MetadataLogError(`${segment.path} could not be written: ${messageOf(error)}`)
  }

  #segmentFor(batchBytes: number, timestampMs: number): Segment {
    const active = this.#segments.at(-1)!
    if (active.sizeBytes === 0) return active
    const isFull = active.sizeBytes + batchBytes > this.#options.segmentBytes
    const isOld = timestampMs - (active.firstTimestampMs ?? timestampMs) > this.#options.segmentMs
    return isFull || isOld ? this.#roll(this.#endOffset) : active
  }

  #roll(baseOffset: number): Segment {
    const { disk, directory } = this.#options
    try {
      const segment = makeSegment(disk, directory, baseOffset)
      const file = disk.open(segment.path, 'write')
      this.#active.close()
      this.#active = file
      this.#segments.push(segment)
      return segment
    } catch (error) {
      throw new MetadataLogError(`no new segment in ${directory}: ${messageOf(error)}`)
    }
  }

  /**
   * The batches from the one with `offset` up to, but without, `upTo`, as many as fit `maxBytes`, but at least one where
   * there is one. `offset` is at or past the log's start, `upTo` at most its end, and both where batches begin.
   */
  read(offset: number, upTo: number, maxBytes: number): Buffer {
    const index = this.#segments.findLastIndex(({ baseOffset }) => baseOffset <= offset)
    const segment = this.#segments[index]!
    const isActive = index === this.#segments.length - 1
    const file = isActive ? this.#active : this.#options.disk.open(segment.path, 'read')
    const from = segment.places.findLast((place) => place.offset <= offset)?.positionBytes ?? 0
    let startBytes = -1
    let endBytes = -1
    try {
      let positionBytes = from
      scanBatches(file, from, (batch) => {
        const { baseOffset, nextOffset, sizeBytes } = batch
        const begins = positionBytes
        positionBytes += sizeBytes
        if (baseOffset < offset) return true
        if (nextOffset > upTo) return false
        if (startBytes < 0) startBytes = begins
        else if (positionBytes - startBytes > maxBytes) return false
        endBytes = positionBytes
        return endBytes - startBytes < maxBytes
      })
      const bytes = Buffer.allocUnsafe(Math.max(0, endBytes - startBytes))
      if (bytes.length > 0) file.readSync(bytes, startBytes)
      return bytes
    } finally {
      if (!isActive) file.close()
    }
  }

  /** Cuts off what is at or past `offset`, where a batch begins; durable when it returns. Throws MetadataLogError. */
  truncate(offset: number): void {
    const { disk, directory } = this.#options
    try {
      // First: no epoch may be on record past the end of the log.
      this.#epochs.truncateFromEnd(offset)
      while (this.#segments.length > 1 && this.#segments.at(-1)!.baseOffset >= offset) {
        this.#active.close()
        removeSegment(disk, this.#segments.pop()!)
        this.#active = disk.open(this.#segments.at(-1)!.path, 'write')
      }
      const segment = this.#segments.at(-1)!
      let keptBytes = 0
      scanBatches(this.#active, 0, (batch) => {
        if (batch.nextOffset > offset) return false
        keptBytes += batch.sizeBytes
        return true
      })
      this.#active.truncate(keptBytes)
      this.#active.syncNow()
      disk.syncDirectory(directory)
      segment.sizeBytes = keptBytes
      segment.places = segment.places.filter((place) => place.offset < offset)
      if (keptBytes === 0) segment.firstTimestampMs = undefined
      this.#endOffset = offset
    } catch (error) {
      throw new MetadataLogError(`${directory} could not be cut off at offset ${offset}: ${messageOf(error)}`)
    }
  }

  /** Removes the segments that lie wholly before `offset`; the one being written stays. */
  removeBefore(offset: number): void {
    while (this.#segments.length > 1 && this.#segments[1]!.baseOffset <= offset) {
      removeSegment(this.#options.disk, this.#segments.shift()!)
    }
    try {
      this.#epochs.truncateFromStart(this.startOffset)
    } catch (error) {
      // It is tried again with the next append: until then the file tells of epochs that nobody asks for.
      if (diskErrorCode(error) === undefined) throw error
    }
  }

  /**
   * Drops everything: the log goes on at `offset`, up to where a snapshot has the state. After a crash meanwhile there is
   * less of it, or no epoch on record, and the snapshot says that it has to begin anew.
   */
  restartAt(offset: number): void {
    const { disk, directory } = this.#options
    this.#active.close()
    // From the end: what is left has no gap, and begins where it did.
    for (const segment of this.#segments.reverse()) removeSegment(disk, segment)
    this.#epochs.clear()
    this.#epochStartOnRecord = 0
    this.#segments = [makeSegment(disk, directory, offset)]
    this.#active = disk.open(this.#segments[0]!.path, 'write')
    this.#endOffset = offset
  }

  /** Notes that an epoch begins with what is about to be written, in the file that Apache Kafka keeps for it. */
  #noteEpoch(epoch: number): void {
    try {
      this.#epochs.assignInMemory(epoch, this.#endOffset)
      this.#epochs.save()
    } catch (error) {
      throw new MetadataLogError(`the epochs in ${this.#options.directory} could not be written: ${messageOf(error)}`)
    }
  }

  /**
   * Where the newest epoch began that was on record at start, 0 for none. All that was before it was on stable storage: a log
   * that ends earlier has lost records.
   */
  get epochStartOnRecord(): number {
    return this.#epochStartOnRecord
  }

  close(): void {
    this.#active.close()
  }
}

function makeSegment(disk: Disk, directory: string, baseOffset: number): Segment {
  const stem = `${directory}/${String(baseOffset).padStart(20, '0')}`
  // Empty indexes keep Apache Kafka from warning about their absence before it rebuilds them.
  for (const suffix of ['.index', '.timeindex', '.log']) disk.open(stem + suffix, 'create').close()
  disk.syncDirectory(directory)
  return { baseOffset, path: `${stem}.log`, sizeBytes: 0, firstTimestampMs: undefined, places: [] }
}

function notePlace(segment: Segment, offset: number, positionBytes: number): void {
  const last = segment.places.at(-1)?.positionBytes ?? -PLACE_EVERY_BYTES
  if (positionBytes - last >= PLACE_EVERY_BYTES) segment.places.push({ offset, positionBytes })
}

function removeSegment(disk: Disk, segment: Segment): void {
  const stem = segment.path.slice(0, -'.log'.length)
  for (const suffix of ['.log', '.index', '.timeindex', '.txnindex', '.snapshot']) disk.remove(stem + suffix)
}

/** Whether a whole, sound batch of offsets past `afterOffset` starts there. */
function isBatchAt(buffer: Buffer, position: number, end: number, afterOffset: number): boolean {
  if (end - position < RECORDS_AT) return false
  const view = new BatchView(buffer, position)
  const isPlausible = view.sizeBytes >= RECORDS_AT && view.end <= end && view.baseOffset > afterOffset
  return isPlausible && view.isCrcValid()
}

function messageOf(error: unknown): string {
  return diskErrorCode(error) ?? (error instanceof Error ? error.message : String(error))
}
