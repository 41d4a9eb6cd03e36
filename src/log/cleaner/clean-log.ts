import { RecordCursor } from '../../protocol/records/cursor.ts'
import { modernBatch } from '../../protocol/records/legacy-batch.ts'
import { CLEANED_SUFFIX } from '../files.ts'
import { type LogState, messageOf } from '../log-state.ts'
import { Segment } from '../segment.ts'
import { MAX_INFLATED_BYTES } from '../validator.ts'
import { BatchFilter } from './batch-filter.ts'
import { SegmentReader } from './batch-reader.ts'
import type { CleanableRange } from './cleanable-range.ts'
import { groupSegments } from './grouping.ts'
import { OffsetMap } from './offset-map.ts'
import { Pace } from './pace.ts'
import { SegmentWriter } from './segment-writer.ts'
import { swapIn } from './swap.ts'
import { abortedBetween, TransactionTracker } from './transactions.ts'

export interface CleaningOptions {
  /** log.cleaner.dedupe.buffer.size */
  readonly dedupeBufferBytes: number
  /** log.cleaner.io.buffer.load.factor */
  readonly loadFactor: number
  /** log.cleaner.io.buffer.size: for reading and for writing, together */
  readonly ioBufferBytes: number
  /** log.cleaner.io.max.bytes.per.second */
  readonly maxBytesPerSecond: () => number
  /** Asked after every pause; false ends the work. */
  readonly mayGoOn: () => boolean
}

/** See `PartitionLog.clean`. */
export async function cleanLog(state: LogState, range: CleanableRange, options: CleaningOptions): Promise<number> {
  if (state.isCleaning) throw new Error(`${state.name} is being compacted already`)
  state.isCleaning = true
  try {
    return await new LogCleaning(state, range, options).run()
  } finally {
    state.isCleaning = false
  }
}

/** One compaction of one log. */
class LogCleaning {
  readonly #state: LogState
  readonly #range: CleanableRange
  readonly #bufferBytes: number
  readonly #pace: Pace
  readonly #map: OffsetMap
  /** Tombstones of magic 0 and 1 go with segments that were written to later than this. */
  readonly #oldTombstonesMs: number
  #truncations: number

  constructor(state: LogState, range: CleanableRange, options: CleaningOptions) {
    const { firstDirtyOffset, firstUncleanableOffset } = range
    this.#state = state
    this.#range = range
    this.#bufferBytes = Math.floor(options.ioBufferBytes / 2)
    this.#truncations = state.truncations
    const clean = state.segments.all.filter(({ baseOffset }) => baseOffset < firstDirtyOffset)
    this.#oldTombstonesMs = (clean[clean.length - 1]?.modifiedMs ?? 0) - state.config.deleteRetentionMs
    const mayGoOn = () => options.mayGoOn() && state.offline === undefined && state.truncations === this.#truncations
    this.#pace = new Pace(state.environment.time, options.maxBytesPerSecond, mayGoOn)
    this.#map = new OffsetMap({
      maxBytes: options.dedupeBufferBytes,
      loadFactor: options.loadFactor,
      maxKeys: Math.max(0, firstUncleanableOffset - firstDirtyOffset),
      seed: state.environment.random.bytes(4).readInt32BE(0),
    })
  }

  async run(): Promise<number> {
    const { name, environment, config, segments } = this.#state
    const { firstDirtyOffset, firstUncleanableOffset } = this.#range
    await this.#fillMap()
    const endOffset = this.#map.latestOffset + 1
    const nowMs = environment.time.nowMs()
    const transactions = new TransactionTracker()
    const groups = groupSegments(
      segments.all.filter((segment) => segment.baseOffset < endOffset),
      { segmentBytes: config.segmentBytes, indexBytes: config.segmentIndexBytes, firstUncleanableOffset },
    )
    const bytesBefore = sizeOf(groups.flat())
    let bytesAfter = 0
    for (const group of groups) bytesAfter += await this.#cleanGroup(group, transactions, nowMs)
    environment.logger.info(
      `Compacted ${name} from ${firstDirtyOffset} to ${endOffset}: ${bytesBefore} bytes became ${bytesAfter}`,
    )
    return endOffset
  }

  /** Maps the keys of the dirty part, or as much of it as there is room for. */
  async #fillMap(): Promise<void> {
    const { segments } = this.#state
    const { firstDirtyOffset, firstUncleanableOffset } = this.#range
    const dirty = segments.from(firstDirtyOffset).filter((segment) => segment.baseOffset < firstUncleanableOffset)
    const transactions = new TransactionTracker()
    transactions.expect(abortedBetween(segments, firstDirtyOffset, firstUncleanableOffset))
    this.#map.latestOffset = firstDirtyOffset - 1
    for (const [i, segment] of dirty.entries()) {
      if (!(await this.#mapSegment(segment, transactions))) return
      this.#map.latestOffset = (dirty[i + 1]?.baseOffset ?? firstUncleanableOffset) - 1
    }
  }

  /** False when the map is full; then it knows the whole batches before. */
  async #mapSegment(segment: Segment, transactions: TransactionTracker): Promise<boolean> {
    const { firstDirtyOffset } = this.#range
    const cursor = new RecordCursor()
    const reader = new SegmentReader(segment, segment.index.lookup(firstDirtyOffset), this.#bufferBytes, this.#pace)
    while (await reader.fill()) {
      while (reader.next()) {
        const { batch } = reader
        if (batch.isControl) transactions.onMarker(batch)
        else if (!transactions.onBatch(batch)) {
          cursor.open(modernBatch(batch, MAX_INFLATED_BYTES), MAX_INFLATED_BYTES)
          while (cursor.next()) {
            const { offset, keyLength, keyStart } = cursor
            if (keyLength < 0 || offset < firstDirtyOffset) continue
            if (!this.#map.put(cursor.buffer, keyStart, keyStart + keyLength, offset)) return false
          }
        }
        if (batch.lastOffset >= firstDirtyOffset) this.#map.latestOffset = batch.lastOffset
        if (this.#pace.isTired) await this.#pace.rest()
      }
    }
    this.#state.reader.release(segment)
    return true
  }

  /** Writes what stays of the segments into a new one and puts that in their place; answers its size. */
  async #cleanGroup(group: readonly Segment[], transactions: TransactionTracker, nowMs: number): Promise<number> {
    const state = this.#state
    const { disk } = state.environment
    const { baseOffset } = group[0]!
    const leftover = { sizeBytes: 0, nowMs, suffix: CLEANED_SUFFIX }
    new Segment(disk, state.directory, baseOffset, leftover).remove()
    const cleaned = Segment.create(disk, state.directory, baseOffset, {
      nowMs,
      rollJitterMs: 0,
      suffix: CLEANED_SUFFIX,
    })
    try {
      transactions.kept = []
      for (const segment of group) await this.#copyInto(cleaned, segment, transactions, nowMs)
      for (const transaction of transactions.kept) cleaned.txnIndex.append(transaction)
      cleaned.finish()
      cleaned.modifiedMs = group[group.length - 1]!.modifiedMs
      await cleaned.sync()
      // Where they began may not be in the log any more after this.
      state.epochs.sync()
      this.#pace.check()
    } catch (error) {
      this.#discard(cleaned)
      throw error
    }
    swapIn(state, cleaned, group)
    this.#truncations = state.truncations
    return cleaned.sizeBytes
  }

  async #copyInto(cleaned: Segment, segment: Segment, transactions: TransactionTracker, nowMs: number): Promise<void> {
    const { segments, producers, config } = this.#state
    const { firstUncleanableOffset } = this.#range
    const endOffset = segments.after(segment)?.baseOffset ?? firstUncleanableOffset
    transactions.expect(abortedBetween(segments, segment.baseOffset, endOffset))
    const filter = new BatchFilter({
      map: this.#map,
      transactions,
      producers: producers.producers,
      upperBoundOffset: firstUncleanableOffset,
      keepsOldTombstones: segment.modifiedMs > this.#oldTombstonesMs,
      nowMs,
      deleteRetentionMs: config.deleteRetentionMs,
    })
    const reader = new SegmentReader(segment, 0, this.#bufferBytes, this.#pace)
    const writer = new SegmentWriter(cleaned, config.indexIntervalBytes, this.#bufferBytes)
    while (await reader.fill()) {
      while (reader.next()) {
        const kept = filter.filter(reader.batch)
        if (kept) {
          if (!writer.hasRoomFor(kept.length)) this.#pace.spend(await writer.writeOut())
          writer.add(kept)
        }
        if (this.#pace.isTired) await this.#pace.rest()
      }
    }
    this.#pace.spend(await writer.writeOut())
    if (filter.keylessRecords > 0) {
      const { environment, name } = this.#state
      environment.logger.warn(`Removed ${filter.keylessRecords} records without a key from ${name}`)
    }
  }

  #discard(cleaned: Segment): void {
    try {
      cleaned.remove()
    } catch (error) {
      // The next start removes it.
      this.#state.environment.logger.warn(`${cleaned.path} could not be removed: ${messageOf(error)}`)
    }
  }
}

function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((total, segment) => total + segment.sizeBytes, 0)
}
