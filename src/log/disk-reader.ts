import type { Time } from '../platform/time.ts'
import { batchSizeAt } from '../protocol/records/batch.ts'
import { RecordsError } from '../protocol/records/errors.ts'
import { HEADER_UP_TO_MAGIC, LENGTH_AT, LOG_OVERHEAD, RECORDS_AT } from '../protocol/records/layout.ts'
import { selectBatches } from './batch-range.ts'
import { DamageError } from './damage-error.ts'
import type { ReadBuffers } from './read-buffers.ts'
import { ReadPace } from './read-pace.ts'
import type { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'
import type { FetchData, ReadOptions } from './types.ts'

/** Positions remembered, one for each consumer that reads along. */
const PLACES_KEPT = 16
/** Segments that rest but keep their file open and their indexes in memory. */
const OPEN_SEGMENTS_KEPT = 2

interface Place {
  readonly generation: number
  readonly offset: number
  readonly segment: Segment
  readonly positionBytes: number
}

/** Reads batches from the segments of one log. */
export class DiskReader {
  /** Where the latest reads ended: the next read of the same consumer begins there. */
  #places: Place[] = []
  /** Grows when segments go: a read that was under way then must not be remembered. */
  #generation = 0
  #open: Segment[] = []
  readonly #pace: ReadPace
  readonly #buffers: ReadBuffers

  constructor(time: Time, buffers: ReadBuffers) {
    this.#pace = new ReadPace(time)
    this.#buffers = buffers
  }

  /** Batches from `offset` to below `bound`. Throws or rejects with DamageError, or what the disk gives. */
  read(segments: SegmentList, offset: number, bound: number, options: ReadOptions): FetchData | Promise<FetchData> {
    const place = this.#find(segments, offset)
    if (!place) return nothing(offset)
    const { segment, positionBytes } = place
    if (segment !== segments.active) this.#keepOpen(segments, segment)
    const restBytes = segment.sizeBytes - positionBytes
    const length = Math.min(Math.max(options.maxBytes, RECORDS_AT), restBytes)
    return this.#readAt(place, length, bound, options)
  }

  #readAt(place: Place, length: number, bound: number, options: ReadOptions): FetchData | Promise<FetchData> {
    const { segment, positionBytes } = place
    const target = options.isGivenBack ? this.#buffers.take(length) : Buffer.allocUnsafeSlow(length)
    const file = segment.beginRead()
    if (!this.#pace.mayReadNow(length)) {
      return file
        .read(target, positionBytes)
        .finally(() => segment.endRead())
        .then((count) => {
          this.#pace.readInBackground()
          return this.#select(place, target, count, bound, options)
        })
    }
    let count: number
    const startedMs = this.#pace.nowMs()
    try {
      count = file.readSync(target, positionBytes)
    } finally {
      segment.endRead()
    }
    this.#pace.readNow(startedMs)
    return this.#select(place, target, count, bound, options)
  }

  #select(
    place: Place,
    target: Buffer,
    count: number,
    bound: number,
    options: ReadOptions,
  ): FetchData | Promise<FetchData> {
    const { segment, offset, positionBytes } = place
    if (count < target.length) throw new DamageError(segment.path, positionBytes + count, 'the file ends too early')
    try {
      const firstBytes = sizeOfFirst(target)
      if (positionBytes + firstBytes > segment.sizeBytes) {
        throw new DamageError(segment.path, positionBytes, `a batch of ${firstBytes} bytes is cut off`)
      }
      if (firstBytes > target.length) {
        if (!options.minOneBatch) return nothing(offset)
        return this.#readAt(place, firstBytes, bound, options)
      }
      const range = selectBatches(target, offset, bound, options.maxBytes, options.minOneBatch)
      if (range.end === range.start) return nothing(offset)
      this.#remember({
        generation: place.generation,
        offset: range.nextOffset,
        segment,
        positionBytes: positionBytes + range.end,
      })
      const records = [target.subarray(range.start, range.end)]
      const sizeBytes = range.end - range.start
      return { records, sizeBytes, nextOffset: range.nextOffset, abortedTransactions: undefined }
    } catch (error) {
      if (error instanceof RecordsError) throw new DamageError(segment.path, positionBytes, error.message)
      throw error
    }
  }

  #find(segments: SegmentList, offset: number): Place | undefined {
    const known = this.#places.findIndex((place) => place.offset === offset)
    if (known >= 0) {
      const place = this.#places[known]!
      this.#places.splice(known, 1)
      if (place.positionBytes < place.segment.sizeBytes) return place
    }
    let segment = segments.floor(offset)
    while (segment) {
      const positionBytes = segment.positionOf(offset)
      if (positionBytes < segment.sizeBytes) return { generation: this.#generation, offset, segment, positionBytes }
      // The batch that held the offset has been compacted away; the next one is in a later segment.
      segment = segments.after(segment)
    }
    return undefined
  }

  #remember(place: Place): void {
    if (place.generation !== this.#generation) return
    this.#places.push(place)
    if (this.#places.length > PLACES_KEPT) this.#places.shift()
  }

  #keepOpen(segments: SegmentList, segment: Segment): void {
    if (this.#open[this.#open.length - 1] === segment) return
    this.#open = this.#open.filter((other) => other !== segment)
    this.#open.push(segment)
    if (this.#open.length <= OPEN_SEGMENTS_KEPT) return
    const oldest = this.#open.shift()!
    if (oldest !== segments.active) oldest.release()
  }

  /** A segment is not written to any more. */
  release(segment: Segment): void {
    if (!this.#open.includes(segment)) segment.release()
  }

  /** A segment goes away. */
  forget(segment: Segment): void {
    this.#generation += 1
    this.#places = []
    this.#open = this.#open.filter((other) => other !== segment)
  }

  /** Positions may not be right any more. */
  clear(): void {
    this.#generation += 1
    this.#places = []
    this.#open = []
  }
}

function sizeOfFirst(bytes: Buffer): number {
  if (bytes.length < HEADER_UP_TO_MAGIC) return HEADER_UP_TO_MAGIC
  // Throws for what cannot be a batch.
  batchSizeAt(bytes, 0, bytes.length)
  return LOG_OVERHEAD + bytes.readInt32BE(LENGTH_AT)
}

function nothing(offset: number): FetchData {
  return { records: [], sizeBytes: 0, nextOffset: offset, abortedTransactions: undefined }
}
