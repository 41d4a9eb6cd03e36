import type { Disk, DiskFile } from '../platform/disk.ts'
import type { BatchView } from '../protocol/records/batch.ts'
import { BlockReader } from './block-reader.ts'
import { DamageError } from './damage-error.ts'
import { INDEX_SUFFIX, LOG_SUFFIX, offsetPath, SEGMENT_SUFFIXES, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX } from './files.ts'
import { OffsetIndex, TimeIndex } from './index-file.ts'
import { TxnIndex } from './txn-index.ts'

const MAX_RELATIVE_OFFSET = 0x7fff_ffff

/** One `.log` file with its indexes. Knows batches and positions; offsets, epochs and producers are the log's affair. */
export class Segment {
  readonly baseOffset: number
  readonly index: OffsetIndex
  readonly timeIndex: TimeIndex
  readonly txnIndex: TxnIndex
  readonly #disk: Disk
  #directory: string
  /** What the names of the files end in besides: '' unless the segment is on its way into the log, or out of it. */
  #suffix: string
  #file: DiskFile | undefined
  #readsUnderWay = 0
  #closeWhenIdle = false
  #isNew = false
  /** There while the file is only planned. */
  #beforeFile: (() => void) | undefined
  /** Bytes written. */
  sizeBytes: number
  /** Bytes written or on their way. */
  stagedBytes: number
  /** When the segment was made, or loaded. */
  createdMs: number
  modifiedMs: number
  /** The largest timestamp of the first batch, from which segment.ms counts; undefined until it is known. */
  firstTimestamp: number | undefined
  /** How much sooner than segment.ms it rolls. */
  readonly rollJitterMs: number
  /** How often batches were cut off, in whose place others may be since. */
  cuts = 0
  #maxTimestamp: number | undefined
  #maxTimestampOffset = 0
  #bytesSinceIndexEntry = 0

  constructor(
    disk: Disk,
    directory: string,
    baseOffset: number,
    options: { sizeBytes: number; nowMs: number; modifiedMs?: number; rollJitterMs?: number; suffix?: string },
  ) {
    const suffix = options.suffix ?? ''
    this.#disk = disk
    this.#directory = directory
    this.#suffix = suffix
    this.baseOffset = baseOffset
    this.sizeBytes = options.sizeBytes
    this.stagedBytes = options.sizeBytes
    this.createdMs = options.nowMs
    this.modifiedMs = options.modifiedMs ?? options.nowMs
    this.rollJitterMs = options.rollJitterMs ?? 0
    this.index = new OffsetIndex(disk, offsetPath(directory, baseOffset, INDEX_SUFFIX + suffix), baseOffset)
    this.timeIndex = new TimeIndex(disk, offsetPath(directory, baseOffset, TIME_INDEX_SUFFIX + suffix), baseOffset)
    this.txnIndex = new TxnIndex(disk, offsetPath(directory, baseOffset, TXN_INDEX_SUFFIX + suffix))
  }

  /** A new, empty segment with its file; what another of this name left behind is overwritten. */
  static create(
    disk: Disk,
    directory: string,
    baseOffset: number,
    options: { nowMs: number; rollJitterMs: number; suffix?: string },
  ): Segment {
    const segment = Segment.plan(disk, directory, baseOffset, options, () => {})
    segment.makeFile()
    return segment
  }

  /**
   * A new segment whose file is made by `makeFile`, or with its first write; `before` runs just before that. Batches of
   * the segment before it may still be on their way, and a file of this name would say, after a crash, that they are there.
   */
  static plan(
    disk: Disk,
    directory: string,
    baseOffset: number,
    options: { nowMs: number; rollJitterMs: number; suffix?: string },
    before: () => void,
  ): Segment {
    const segment = new Segment(disk, directory, baseOffset, { sizeBytes: 0, ...options })
    segment.#beforeFile = before
    segment.index.reset()
    segment.timeIndex.reset()
    segment.txnIndex.startEmpty()
    segment.#maxTimestamp = -1
    segment.#isNew = true
    return segment
  }

  /** Makes the file of a planned segment. Throws what the disk throws; the segment is still only planned then. */
  makeFile(): void {
    if (!this.#beforeFile) return
    this.#beforeFile()
    const file = this.#disk.open(this.path, 'create')
    if (file.sizeBytes() > 0) file.truncate(0)
    this.#file = file
    this.#beforeFile = undefined
  }

  get path(): string {
    return this.#pathOf(LOG_SUFFIX)
  }

  get file(): DiskFile {
    this.makeFile()
    this.#file ??= this.#disk.open(this.path, 'write')
    return this.#file
  }

  /** -1 for none. */
  get maxTimestamp(): number {
    if (this.#maxTimestamp === undefined) {
      this.#maxTimestamp = this.timeIndex.lastTimestamp()
      this.#maxTimestampOffset = this.timeIndex.lastOffset()
    }
    return this.#maxTimestamp
  }

  /** The last offset of the batch that has the largest timestamp. */
  get maxTimestampOffset(): number {
    return this.maxTimestamp < 0 ? this.baseOffset : this.#maxTimestampOffset
  }

  canHold(offset: number): boolean {
    return offset - this.baseOffset <= MAX_RELATIVE_OFFSET
  }

  /** Takes note of a batch that is written at the end of the segment. */
  addBatch(batch: BatchView, indexIntervalBytes: number): void {
    const lastOffset = batch.lastOffset
    const sizeBytes = batch.sizeBytes
    const timestamp = batch.maxTimestamp
    if (timestamp > this.maxTimestamp) {
      this.#maxTimestamp = timestamp
      this.#maxTimestampOffset = lastOffset
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      this.index.append(lastOffset, this.sizeBytes)
      this.timeIndex.append(this.#maxTimestamp!, this.#maxTimestampOffset)
      this.#bytesSinceIndexEntry = 0
    }
    this.sizeBytes += sizeBytes
    this.#bytesSinceIndexEntry += sizeBytes
  }

  /** The largest timestamp of the first batch, -1 for an empty segment or none. Throws DamageError. */
  readFirstTimestamp(): number {
    if (this.firstTimestamp === undefined && this.sizeBytes > 0) {
      const blocks = new BlockReader(this.file, 0, this.sizeBytes)
      if (blocks.next()) this.firstTimestamp = blocks.batch.maxTimestamp
    }
    return this.firstTimestamp ?? -1
  }

  /**
   * The position of the first batch at or after `from` whose last offset is at least `offset`; the segment's size when
   * there is none. Throws DamageError.
   */
  positionOf(offset: number, from = this.index.lookup(offset)): number {
    if (this.sizeBytes === 0) return 0
    const blocks = new BlockReader(this.file, from, this.sizeBytes)
    while (blocks.next()) if (blocks.batch.lastOffset >= offset) return blocks.positionBytes
    return this.sizeBytes
  }

  /** The offset after the last batch. Throws DamageError. */
  readNextOffset(): number {
    let next = this.baseOffset
    if (this.sizeBytes === 0) return next
    // An index may have been spoiled behind our back. If this believed one that points past the end, or between two
    // batches, the log would go on in its middle.
    if (!this.#isBatchAt(this.index.lookup(this.index.lastOffset()))) this.index.cutTo(0)
    const blocks = new BlockReader(this.file, this.index.lookup(this.index.lastOffset()), this.sizeBytes)
    while (blocks.next()) {
      const { batch, positionBytes } = blocks
      checkOffsets(this.path, positionBytes, batch, next)
      if (!this.canHold(batch.lastOffset)) throw new DamageError(this.path, positionBytes, 'offset too far from base')
      next = batch.nextOffset
    }
    return next
  }

  #isBatchAt(positionBytes: number): boolean {
    try {
      return new BlockReader(this.file, positionBytes, this.sizeBytes).next()
    } catch (error) {
      if (error instanceof DamageError) return false
      throw error
    }
  }

  /** Keeps a read from having its file closed under it; `endRead` must follow. */
  beginRead(): DiskFile {
    this.#readsUnderWay += 1
    return this.file
  }

  endRead(): void {
    this.#readsUnderWay -= 1
    const isLeaving = this.#closeWhenIdle || this.#suffix !== ''
    if (isLeaving && this.#readsUnderWay === 0) this.release()
  }

  /** No more batches come: the last timestamp goes into the index, and the indexes to disk. */
  finish(): void {
    if (this.#beforeFile) return
    if (this.maxTimestamp >= 0) this.timeIndex.append(this.maxTimestamp, this.maxTimestampOffset)
    this.index.writeOut()
    this.timeIndex.writeOut()
    this.txnIndex.writeOut()
  }

  /** Brings the batches onto stable storage. */
  async syncData(): Promise<void> {
    if (this.#beforeFile) return
    const file = this.beginRead()
    try {
      // The name of a new file is in the directory, which is written apart from it.
      if (this.#isNew) this.#disk.syncDirectory(this.#directory)
      this.#isNew = false
      await file.sync()
    } finally {
      this.endRead()
    }
  }

  /** Brings everything onto stable storage; for a segment that is finished. */
  async sync(): Promise<void> {
    await this.syncData()
    for (const path of [this.index.path, this.timeIndex.path, this.txnIndex.path]) {
      // A segment may have been deleted meanwhile, and most have no transaction index.
      if (!this.#disk.exists(path)) continue
      const index = this.#disk.open(path, 'write')
      try {
        await index.sync()
      } finally {
        index.close()
      }
    }
  }

  /** Lets go of the file and of the memory of the indexes; both come back when they are needed. */
  release(): void {
    this.#closeWhenIdle = this.#readsUnderWay > 0
    if (this.#closeWhenIdle) return
    this.#file?.close()
    this.#file = undefined
    // The largest timestamp stays known, so that retention need not read the index again.
    if (this.timeIndex.isLoaded) void this.maxTimestamp
    this.index.release()
    this.timeIndex.release()
    this.txnIndex.release()
  }

  /** Cuts the file back to what is known to be written. */
  cutToWritten(): void {
    this.stagedBytes = this.sizeBytes
    if (this.sizeBytes === 0) this.firstTimestamp = undefined
    if (!this.#beforeFile) this.file.truncate(this.sizeBytes)
  }

  /** Drops the batches from the one that holds `offset` on; answers where the log ends then: `offset`, or where that began. */
  truncateTo(offset: number, nowMs: number): number {
    if (this.#beforeFile) return offset
    const position = this.positionOf(offset)
    const endOffset = this.#endBefore(offset, position)
    this.index.truncateTo(offset)
    this.timeIndex.truncateTo(offset)
    this.txnIndex.truncateTo(offset)
    if (position < this.sizeBytes) {
      this.file.truncate(position)
      this.cuts += 1
    }
    this.sizeBytes = position
    this.stagedBytes = position
    this.#bytesSinceIndexEntry = 0
    if (position === 0) {
      this.createdMs = nowMs
      this.firstTimestamp = undefined
    }
    this.#maxTimestamp = this.timeIndex.lastTimestamp()
    this.#maxTimestampOffset = this.timeIndex.lastOffset()
    const blocks = new BlockReader(this.file, this.index.lookup(this.#maxTimestampOffset), position)
    while (blocks.next()) {
      if (blocks.batch.maxTimestamp <= this.#maxTimestamp) continue
      this.#maxTimestamp = blocks.batch.maxTimestamp
      this.#maxTimestampOffset = blocks.batch.lastOffset
    }
    return endOffset
  }

  /** Of a batch before which the log is cut, all records go, those below `offset`, too. */
  #endBefore(offset: number, positionBytes: number): number {
    if (positionBytes >= this.sizeBytes) return offset
    const blocks = new BlockReader(this.file, positionBytes, this.sizeBytes)
    return blocks.next() ? Math.min(offset, blocks.batch.baseOffset) : offset
  }

  /**
   * Walks over the whole file, checking each batch, and makes the indexes anew. `visit` sees the sound batches, and may
   * throw DamageError. Answers the damage it stopped at, behind which nothing is known; undefined when all is sound.
   */
  recover(
    indexIntervalBytes: number,
    visit: (batch: BatchView, positionBytes: number) => void,
  ): DamageError | undefined {
    const fileBytes = this.sizeBytes
    this.index.reset()
    this.timeIndex.reset()
    this.txnIndex.reset()
    this.#maxTimestamp = -1
    this.#bytesSinceIndexEntry = 0
    this.sizeBytes = 0
    const blocks = new BlockReader(this.file, 0, fileBytes, { wholeBatches: true })
    let nextOffset = this.baseOffset
    try {
      while (blocks.next()) {
        const { batch, positionBytes } = blocks
        checkBatch(this.path, positionBytes, batch, nextOffset)
        if (!this.canHold(batch.lastOffset)) throw new DamageError(this.path, positionBytes, 'offset too far from base')
        visit(batch, positionBytes)
        nextOffset = batch.nextOffset
        this.addBatch(batch, indexIntervalBytes)
      }
      return undefined
    } catch (error) {
      if (error instanceof DamageError) return error
      throw error
    } finally {
      this.stagedBytes = this.sizeBytes
    }
  }

  moveTo(directory: string): void {
    this.#directory = directory
    this.#followNames()
  }

  #followNames(): void {
    this.index.path = this.#pathOf(INDEX_SUFFIX)
    this.timeIndex.path = this.#pathOf(TIME_INDEX_SUFFIX)
    this.txnIndex.path = this.#pathOf(TXN_INDEX_SUFFIX)
  }

  #pathOf(kind: string): string {
    return offsetPath(this.#directory, this.baseOffset, kind + this.#suffix)
  }

  /** Gives the files another suffix, the log first; those open stay usable. Answers their new paths. */
  rename(suffix: string): string[] {
    const renamed: string[] = []
    for (const kind of SEGMENT_SUFFIXES) {
      const path = this.#pathOf(kind)
      if (!this.#disk.exists(path)) continue
      const newPath = offsetPath(this.#directory, this.baseOffset, kind + suffix)
      this.#disk.rename(path, newPath)
      renamed.push(newPath)
    }
    this.#suffix = suffix
    this.#followNames()
    return renamed
  }

  /** Removes the files now. */
  remove(): void {
    this.release()
    for (const kind of SEGMENT_SUFFIXES) this.#disk.remove(this.#pathOf(kind))
  }
}

function checkBatch(path: string, positionBytes: number, batch: BatchView, nextOffset: number): void {
  if (!batch.isCrcValid()) throw new DamageError(path, positionBytes, 'wrong CRC')
  checkOffsets(path, positionBytes, batch, nextOffset)
}

function checkOffsets(path: string, positionBytes: number, batch: BatchView, nextOffset: number): void {
  if (batch.baseOffset < nextOffset || batch.lastOffsetDelta < 0) {
    throw new DamageError(path, positionBytes, `offset ${batch.baseOffset} where ${nextOffset} or more is expected`)
  }
}
