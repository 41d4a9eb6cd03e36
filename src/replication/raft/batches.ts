import type { DiskFile } from '../../platform/disk.ts'
import { BatchView, batchSizeAt, magicAt } from '../../protocol/records/batch.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { type ControlType, controlKey } from '../../protocol/records/control.ts'
import { DecodeError } from '../../protocol/wire.ts'

/** No batch of a metadata log or snapshot is larger: the limit of Apache Kafka's readers. */
export const MAX_BATCH_BYTES = 8 * 1024 * 1024

/** What a compressed batch may grow to when it is read. */
export const MAX_UNCOMPRESSED_BYTES = 64 * 1024 * 1024

const CHUNK_BYTES = 1024 * 1024

export interface BatchPlace {
  readonly baseOffset: number
  readonly epoch: number
  readonly timestampMs: number
}

/** A batch of records without keys, one for each value. */
export function dataBatch(values: readonly Buffer[], place: BatchPlace): Buffer {
  const records = values.map((value) => ({ timestamp: place.timestampMs, key: null, value }))
  return buildBatch(records, { baseOffset: place.baseOffset, partitionLeaderEpoch: place.epoch })
}

export interface ControlRecord {
  readonly type: ControlType
  readonly value: Buffer
}

export function controlBatch(controls: readonly ControlRecord[], place: BatchPlace): Buffer {
  const records = controls.map(({ type, value }) => ({ timestamp: place.timestampMs, key: controlKey(type), value }))
  return buildBatch(records, { baseOffset: place.baseOffset, partitionLeaderEpoch: place.epoch, isControl: true })
}

export interface ScanResult {
  /** Where the last whole and valid batch ends. */
  readonly validBytes: number
  /** What is wrong after it; undefined when the file ends there. */
  readonly damage: string | undefined
}

/**
 * Walks the batches of a file from `from` on, in order, and stops at the first that is cut off or damaged. The view is
 * moved along and its buffer reused: `visit` must not keep it. It may answer false to stop after the batch.
 */
export function scanBatches(file: DiskFile, from: number, visit: (batch: BatchView) => unknown): ScanResult {
  const fileBytes = file.sizeBytes()
  let buffer: Buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(0, fileBytes - from)))
  const view = new BatchView(buffer)
  let at = from
  while (at < fileBytes) {
    const filled = file.readSync(buffer, at)
    let position = 0
    for (;;) {
      const size = wholeBatchAt(buffer, position, filled)
      if (typeof size === 'string') return { validBytes: at + position, damage: size }
      if (size === 0) break
      view.moveTo(buffer, position)
      if (!view.isCrcValid()) return { validBytes: at + position, damage: 'the checksum of a batch does not match' }
      position += size
      if (visit(view) === false) return { validBytes: at + position, damage: undefined }
    }
    if (position === 0) {
      if (at + filled >= fileBytes) return { validBytes: at, damage: 'the last batch is cut off' }
      if (buffer.length >= 2 * MAX_BATCH_BYTES) return { validBytes: at, damage: 'a batch is too large to be one' }
      buffer = Buffer.allocUnsafe(Math.min(fileBytes - at, buffer.length * 2))
    }
    at += position
  }
  return { validBytes: at, damage: undefined }
}

/** Its size, 0 where `end` cuts it off, or what is wrong with it. */
function wholeBatchAt(buffer: Buffer, position: number, end: number): number | string {
  try {
    const size = batchSizeAt(buffer, position, end)
    if (size > 0 && magicAt(buffer, position) !== 2) return 'a batch of an old format'
    return size
  } catch (error) {
    if (error instanceof DecodeError) return error.message
    throw error
  }
}
