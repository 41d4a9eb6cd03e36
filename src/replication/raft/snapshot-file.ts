import type { Disk, DiskFile } from '../../platform/disk.ts'
import { decode, encode } from '../../protocol/codec.ts'
import type { BatchView } from '../../protocol/records/batch.ts'
import { ControlType, parseControlType } from '../../protocol/records/control.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import { SnapshotFooterRecord, SnapshotHeaderRecord } from '../../protocol/storage/control-records.ts'
import { type ControlRecord, controlBatch, dataBatch, MAX_UNCOMPRESSED_BYTES, scanBatches } from './batches.ts'
import { MetadataLogError, type SnapshotId } from './types.ts'

const SUFFIX = '.checkpoint'
const PARTIAL_SUFFIX = '.checkpoint.part'
const DELETED_SUFFIX = '.checkpoint.deleted'

/** Records of a snapshot are put into batches of about this size. */
const BATCH_TARGET_BYTES = 512 * 1024
const BATCH_TARGET_RECORDS = 10_000

export function snapshotPath(directory: string, id: SnapshotId): string {
  return `${directory}/${String(id.offset).padStart(20, '0')}-${String(id.epoch).padStart(10, '0')}${SUFFIX}`
}

/** The whole snapshots of a directory, oldest first. Half-written ones and those marked for deletion are removed. */
export function listSnapshots(disk: Disk, directory: string): SnapshotId[] {
  const found: SnapshotId[] = []
  for (const { name } of disk.list(directory)) {
    const match = /^(\d{20})-(\d{10})(.*)$/.exec(name)
    if (!match) continue
    if (match[3] === SUFFIX) found.push({ offset: Number(match[1]), epoch: Number(match[2]) })
    else if (match[3]!.endsWith(PARTIAL_SUFFIX) || match[3]!.endsWith(DELETED_SUFFIX))
      disk.remove(`${directory}/${name}`)
  }
  return found.sort((a, b) => a.offset - b.offset || a.epoch - b.epoch)
}

/** A file with header, records and footer: a snapshot, or what a format command leaves as bootstrap.checkpoint. */
export class SnapshotBuilder {
  readonly #chunks: Buffer[] = []
  readonly #epoch: number
  readonly #nowMs: number
  #nextOffset = 0
  #pending: Buffer[] = []
  #pendingBytes = 0

  /** `controls` follow the header in its batch; `lastTimestampMs` is the append time of the last record covered. */
  constructor(epoch: number, nowMs: number, lastTimestampMs: number, controls: readonly ControlRecord[]) {
    this.#epoch = epoch
    this.#nowMs = nowMs
    const value = encode(SnapshotHeaderRecord, 0, { version: 0, lastContainedLogTimestamp: lastTimestampMs })
    this.#control([{ type: ControlType.snapshotHeader, value }, ...controls])
  }

  append(value: Buffer): void {
    this.#pending.push(value)
    this.#pendingBytes += value.length
    if (this.#pendingBytes >= BATCH_TARGET_BYTES || this.#pending.length >= BATCH_TARGET_RECORDS) this.#drain()
  }

  /** The finished file in pieces. The builder must not be used afterwards. */
  finish(): Buffer[] {
    this.#drain()
    this.#control([{ type: ControlType.snapshotFooter, value: encode(SnapshotFooterRecord, 0, { version: 0 }) }])
    return this.#chunks
  }

  #drain(): void {
    if (this.#pending.length === 0) return
    this.#chunks.push(dataBatch(this.#pending, this.#place()))
    this.#nextOffset += this.#pending.length
    this.#pending = []
    this.#pendingBytes = 0
  }

  #control(records: readonly ControlRecord[]): void {
    this.#chunks.push(controlBatch(records, this.#place()))
    this.#nextOffset += records.length
  }

  #place(): { baseOffset: number; epoch: number; timestampMs: number } {
    return { baseOffset: this.#nextOffset, epoch: this.#epoch, timestampMs: this.#nowMs }
  }
}

/** A snapshot that comes piece by piece, under another name until it is whole. */
export class PartialSnapshot {
  readonly #disk: Disk
  readonly #directory: string
  readonly #path: string
  readonly #file: DiskFile
  #isClosed = false

  constructor(disk: Disk, directory: string, id: SnapshotId) {
    this.#disk = disk
    this.#directory = directory
    this.#path = snapshotPath(directory, id)
    disk.remove(this.#partialPath)
    this.#file = disk.open(this.#partialPath, 'create')
  }

  get #partialPath(): string {
    return this.#path.slice(0, -SUFFIX.length) + PARTIAL_SUFFIX
  }

  write(bytes: Buffer, positionBytes: number): void {
    this.#file.writeSync([bytes], positionBytes)
  }

  /** Durable when it returns. */
  finish(): void {
    this.#file.syncNow()
    this.#close()
    this.#disk.rename(this.#partialPath, this.#path)
    this.#disk.syncDirectory(this.#directory)
  }

  discard(): void {
    this.#close()
    this.#disk.remove(this.#partialPath)
  }

  #close(): void {
    if (!this.#isClosed) this.#file.close()
    this.#isClosed = true
  }
}

/** Writes under another name, syncs, and renames: a snapshot is there whole or not at all. */
export async function writeSnapshot(
  disk: Disk,
  directory: string,
  id: SnapshotId,
  chunks: readonly Buffer[],
): Promise<void> {
  const path = snapshotPath(directory, id)
  const partial = path.slice(0, -SUFFIX.length) + PARTIAL_SUFFIX
  disk.remove(partial)
  const file = disk.open(partial, 'create')
  try {
    await file.write(chunks, 0)
    await file.sync()
  } finally {
    file.close()
  }
  disk.rename(partial, path)
  disk.syncDirectory(directory)
}

export interface SnapshotVisitor {
  /** Batches of control records, the header's and the footer's included. */
  onControl(batch: BatchView): void
  /** Batches of metadata records. */
  onData(batch: BatchView): void
}

/**
 * Reads a snapshot and answers its lastContainedLogTimestamp. Throws MetadataLogError unless it is whole, from header to
 * footer: a snapshot is renamed into place after it was synced, so a damaged one was damaged later.
 */
export function readSnapshot(file: DiskFile, visitor: SnapshotVisitor): number {
  let lastTimestampMs: number | undefined
  let closed = false
  const { damage } = scanBatches(file, 0, (batch) => {
    if (!batch.isControl) {
      visitor.onData(batch)
      return
    }
    const cursor = new RecordCursor().open(batch, MAX_UNCOMPRESSED_BYTES)
    while (cursor.next()) {
      const type = parseControlType(cursor.key() ?? Buffer.alloc(0))
      if (type === ControlType.snapshotFooter) closed = true
      if (type !== ControlType.snapshotHeader) continue
      const value = cursor.value() ?? Buffer.alloc(0)
      lastTimestampMs = decode(SnapshotHeaderRecord, 0, value).lastContainedLogTimestamp
    }
    visitor.onControl(batch)
  })
  if (damage !== undefined) throw new MetadataLogError(`snapshot ${file.path} is damaged: ${damage}`)
  if (lastTimestampMs === undefined) throw new MetadataLogError(`snapshot ${file.path} has no header`)
  if (!closed) throw new MetadataLogError(`snapshot ${file.path} has no footer`)
  return lastTimestampMs
}
