import type { BatchView } from '../../protocol/records/batch.ts'
import { BatchBuilder, type BatchOptions } from '../../protocol/records/builder.ts'
import { RecordCursor, recordsOf } from '../../protocol/records/cursor.ts'
import { Codec, RECORDS_AT, TimestampType } from '../../protocol/records/layout.ts'
import { modernBatch } from '../../protocol/records/legacy-batch.ts'
import type { ProducerEntry } from '../producer-entry.ts'
import { MAX_INFLATED_BYTES } from '../validator.ts'
import type { OffsetMap } from './offset-map.ts'
import type { TransactionTracker } from './transactions.ts'

/** What a record may grow by when its timestamp counts from another one. */
const MAX_GROWTH_BYTES = 14

export interface FilterContext {
  readonly map: OffsetMap
  readonly transactions: TransactionTracker
  /** The producers that are active, whose last batches are kept, if need be without records. */
  readonly producers: ReadonlyMap<number, ProducerEntry>
  /** The end of what is compacted. The last batch before it stays, so that it still tells how far the log goes. */
  readonly upperBoundOffset: number
  /** Whether tombstones of magic 0 and 1 stay, which know no time at which they may go. */
  readonly keepsOldTombstones: boolean
  readonly nowMs: number
  /** delete.retention.ms; Infinity for ever */
  readonly deleteRetentionMs: number
}

/** Decides what stays of the batches of a log, which must pass in their order. */
export class BatchFilter {
  /** Records without a key, which a compacted log cannot keep. */
  keylessRecords = 0
  readonly #context: FilterContext
  readonly #cursor = new RecordCursor()
  /** Which records of the batch at hand stay. */
  #stays = new Uint8Array(1024)
  /** What batches are built in: a new buffer for each would be much to collect. */
  #scratch = Buffer.allocUnsafe(64 * 1024)

  constructor(context: FilterContext) {
    this.#context = context
  }

  /**
   * The batch itself where all of it stays, a smaller one, one without records for its producer's or its offsets' sake, or
   * undefined for nothing. What is answered may stand in memory that the next call overwrites. Throws RecordsError.
   */
  filter(batch: BatchView): Buffer | undefined {
    const { transactions, nowMs, keepsOldTombstones } = this.#context
    // As with Apache Kafka, a message of magic 0 or 1 becomes a batch, if any of it stays.
    if (batch.magic !== 2) return this.#filterRecords(modernBatch(batch, MAX_INFLATED_BYTES), keepsOldTombstones, true)
    const isControl = batch.isControl
    const isDecided = isControl ? transactions.onMarker(batch) : transactions.onBatch(batch)
    // A marker waits as long as a tombstone does (KIP-534): a reader that saw its transaction's records must see it.
    const isPast = batch.hasDeleteHorizon && batch.deleteHorizonMs <= nowMs
    if ((isDecided && (!isControl || isPast)) || batch.recordCount === 0) return this.#withoutRecords(batch)
    if (!isControl) return this.#filterRecords(batch, !isPast, false)
    return isDecided && this.#needsHorizon(batch) ? this.#rebuild(batch, this.#all(batch), true) : whole(batch)
  }

  /** `isConverted`: the batch is no longer what the log has, and has offsets only for the records that stay. */
  #filterRecords(batch: BatchView, keepsTombstones: boolean, isConverted: boolean): Buffer | undefined {
    const records = recordsOf(batch, MAX_INFLATED_BYTES)
    const cursor = this.#cursor.openRecords(batch, records)
    let index = 0
    let count = 0
    let hasTombstones = false
    if (this.#stays.length < batch.recordCount) this.#stays = new Uint8Array(batch.recordCount)
    while (cursor.next()) {
      const isTombstone = cursor.valueLength < 0
      const stays = this.#isNewest(cursor) && (!isTombstone || keepsTombstones)
      this.#stays[index++] = stays ? 1 : 0
      if (!stays) continue
      count += 1
      if (isTombstone) hasTombstones = true
    }
    if (count === 0) return this.#withoutRecords(batch)
    const setsHorizon = hasTombstones && this.#needsHorizon(batch)
    if (count === index && !setsHorizon) return whole(batch)
    return this.#rebuild(batch, records, setsHorizon, isConverted)
  }

  /** Whether no later record has the same key. */
  #isNewest({ offset, keyLength, keyStart, buffer }: RecordCursor): boolean {
    const { map } = this.#context
    if (offset > map.latestOffset) return true
    if (keyLength >= 0) return offset >= map.get(buffer, keyStart, keyStart + keyLength)
    this.keylessRecords += 1
    return false
  }

  #needsHorizon(batch: BatchView): boolean {
    return !batch.hasDeleteHorizon && Number.isFinite(this.#context.deleteRetentionMs)
  }

  #all(batch: BatchView): Buffer {
    this.#stays.fill(1, 0, batch.recordCount)
    return recordsOf(batch, MAX_INFLATED_BYTES)
  }

  #rebuild(batch: BatchView, records: Buffer, setsHorizon: boolean, isConverted = false): Buffer {
    // What is damaged must not get a checksum that says it is not.
    batch.ensureValid()
    const { nowMs, deleteRetentionMs } = this.#context
    const offsets = isConverted ? { baseOffset: this.#firstKept(batch, records) } : { lastOffset: batch.lastOffset }
    const options = { ...headerOf(batch), codec: batch.codec, ...offsets }
    const deleteHorizonMs = setsHorizon ? nowMs + deleteRetentionMs : batch.deleteHorizonMs
    const mostBytes = RECORDS_AT + records.length + batch.recordCount * MAX_GROWTH_BYTES
    if (this.#scratch.length < mostBytes) this.#scratch = Buffer.allocUnsafe(mostBytes)
    const builder = new BatchBuilder(deleteHorizonMs >= 0 ? { ...options, deleteHorizonMs } : options, this.#scratch)
    const cursor = this.#cursor.openRecords(batch, records)
    for (let index = 0; cursor.next(); index++) {
      if (this.#stays[index] === 1) builder.appendFrom(cursor, cursor.offset)
    }
    return builder.build()
  }

  #firstKept(batch: BatchView, records: Buffer): number {
    const cursor = this.#cursor.openRecords(batch, records)
    for (let index = 0; cursor.next(); index++) if (this.#stays[index] === 1) return cursor.offset
    return batch.baseOffset
  }

  #withoutRecords(batch: BatchView): Buffer | undefined {
    const keeps = this.#isLastOfProducer(batch) || batch.nextOffset === this.#context.upperBoundOffset
    if (!keeps) return undefined
    const { maxTimestamp, lastOffset } = batch
    return new BatchBuilder({ ...headerOf(batch), codec: Codec.none, maxTimestamp, lastOffset }).build()
  }

  /** Without it a restart would forget the producer's sequence number, or that it was fenced. */
  #isLastOfProducer(batch: BatchView): boolean {
    if (!batch.hasProducerId) return false
    const entry = this.#context.producers.get(batch.producerId)
    if (entry === undefined) return false
    const last = entry.batches[entry.batches.length - 1]
    if (last === undefined) return batch.isControl && batch.producerEpoch === entry.epoch
    return batch.lastOffset === last.lastOffset
  }
}

function whole(batch: BatchView): Buffer {
  return batch.buffer.subarray(batch.position, batch.end)
}

function headerOf(batch: BatchView): BatchOptions {
  const { baseOffset, partitionLeaderEpoch, producerId, producerEpoch, baseSequence, isTransactional, isControl } =
    batch
  const header = {
    baseOffset,
    partitionLeaderEpoch,
    producerId,
    producerEpoch,
    baseSequence,
    isTransactional,
    isControl,
  }
  const hasLogTime = batch.timestampType === TimestampType.logAppendTime
  return hasLogTime ? { ...header, logAppendTimeMs: batch.maxTimestamp } : header
}
