import type { BatchView } from '../../protocol/records/batch.ts'
import { BatchView as View } from '../../protocol/records/batch.ts'
import { ControlType, parseControlType } from '../../protocol/records/control.ts'
import { decodeRecords } from '../../protocol/records/cursor.ts'
import type { PartitionLog } from '../partition-log.ts'
import type { CleaningOptions } from './clean-log.ts'

export const CLEANING: CleaningOptions = {
  dedupeBufferBytes: 2 ** 20,
  loadFactor: 0.9,
  ioBufferBytes: 512 * 1024,
  maxBytesPerSecond: () => Number.MAX_VALUE,
  mayGoOn: () => true,
}

export interface Seen {
  readonly offset: number
  readonly key: string | undefined
  readonly value: string | undefined
  readonly timestamp: number
}

const MAX_BYTES = 2 ** 20

/** What a consumer with isolation.level=read_committed makes of a log. */
export async function readCommitted(log: PartitionLog): Promise<Seen[]> {
  const seen: Seen[] = []
  for (let offset = log.logStartOffset; offset < log.lastStableOffset; ) {
    const data = await log.read(offset, { maxBytes: 4096, minOneBatch: true, upTo: 'lastStable' })
    if (data.sizeBytes === 0) throw new Error(`nothing at ${offset}, below ${log.lastStableOffset}`)
    const coming = [...(data.abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
    const aborted = new Set<number>()
    for (const batch of batchesOf(data.records)) {
      while (coming[0] && coming[0].firstOffset <= batch.lastOffset) aborted.add(coming.shift()!.producerId)
      if (batch.isControl) endTransaction(batch, aborted)
      else if (!batch.isTransactional || !aborted.has(batch.producerId)) seen.push(...seenIn(batch, offset))
    }
    offset = data.nextOffset
  }
  return seen
}

function* batchesOf(buffers: readonly Buffer[]): Generator<BatchView> {
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.length; ) {
      const view = new View(buffer, at)
      yield view
      at = view.end
    }
  }
}

function endTransaction(batch: BatchView, aborted: Set<number>): void {
  const [marker] = decodeRecords(batch, MAX_BYTES)
  if (marker?.key && parseControlType(marker.key) === ControlType.abort) aborted.delete(batch.producerId)
}

function seenIn(batch: BatchView, from: number): Seen[] {
  return decodeRecords(batch, MAX_BYTES)
    .filter(({ offset }) => offset >= from)
    .map(({ offset, key, value, timestamp }) => ({
      offset,
      key: key?.toString(),
      value: value?.toString(),
      timestamp,
    }))
}

/** The last value of every key that has one. */
export function lastValues(seen: readonly Seen[]): Map<string, string> {
  const values = new Map<string, string>()
  for (const { key, value } of seen) {
    if (key === undefined) continue
    if (value === undefined) values.delete(key)
    else values.set(key, value)
  }
  return values
}
