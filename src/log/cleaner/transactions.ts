import type { BatchView } from '../../protocol/records/batch.ts'
import { ControlType, parseControlType } from '../../protocol/records/control.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import type { SegmentList } from '../segment-list.ts'
import type { AbortedTxn } from '../txn-index.ts'

const CONTROL_BYTES_MAX = 1024

/**
 * Follows the transactions while batches pass in the order of the log: which batches were aborted, and which markers have
 * nothing left that they decide on.
 */
export class TransactionTracker {
  /** Aborted, but their first batch has not passed yet; by first offset. */
  #coming: AbortedTxn[] = []
  /** Aborted and under way, by producer. */
  readonly #aborted = new Map<number, { readonly transaction: AbortedTxn; hasBatches: boolean }>()
  /** Producers of which batches passed that are not aborted, and no marker since. */
  readonly #committed = new Set<number>()
  readonly #cursor = new RecordCursor()
  /** The aborted transactions whose markers stay: the transaction index of what is written. */
  kept: AbortedTxn[] = []

  /** Tells of aborted transactions that are about to pass. One that is known already changes nothing. */
  expect(transactions: readonly AbortedTxn[]): void {
    if (transactions.length === 0) return
    this.#coming = [...this.#coming, ...transactions].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Takes a data batch; true when it was aborted. */
  onBatch(batch: BatchView): boolean {
    this.#beginUpTo(batch.lastOffset)
    if (!batch.isTransactional) return false
    const aborted = this.#aborted.get(batch.producerId)
    if (aborted === undefined) {
      this.#committed.add(batch.producerId)
      return false
    }
    aborted.hasBatches = true
    return true
  }

  /** Takes a control batch; true when it decides on nothing any more. Throws RecordsError. */
  onMarker(batch: BatchView): boolean {
    this.#beginUpTo(batch.lastOffset)
    const cursor = this.#cursor.open(batch, CONTROL_BYTES_MAX)
    // An earlier compaction emptied it.
    if (!cursor.next()) return true
    const type = parseControlType(cursor.key() ?? Buffer.alloc(0))
    if (type === ControlType.commit) return !this.#committed.delete(batch.producerId)
    if (type !== ControlType.abort) return false
    const aborted = this.#aborted.get(batch.producerId)
    this.#aborted.delete(batch.producerId)
    if (!aborted?.hasBatches) return true
    this.kept.push(aborted.transaction)
    return false
  }

  #beginUpTo(offset: number): void {
    while (this.#coming.length > 0 && this.#coming[0]!.firstOffset <= offset) {
      const transaction = this.#coming.shift()!
      if (this.#aborted.has(transaction.producerId)) continue
      this.#aborted.set(transaction.producerId, { transaction, hasBatches: false })
    }
  }
}

/** The aborted transactions that have records in [from, to). */
export function abortedBetween(segments: SegmentList, from: number, to: number): AbortedTxn[] {
  const found: AbortedTxn[] = []
  for (const segment of segments.from(from)) {
    const entries = segment.txnIndex.entries()
    const isEnough = entries.some((entry) => entry.lastStableOffset >= to)
    for (const entry of entries) if (entry.lastOffset >= from && entry.firstOffset < to) found.push(entry)
    if (segment !== segments.active) segment.txnIndex.release()
    if (isEnough) break
  }
  return found
}
