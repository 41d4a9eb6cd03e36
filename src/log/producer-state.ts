import type { BatchView } from '../protocol/records/batch.ts'
import { ControlType, parseControlType, parseEndTxnMarkerValue } from '../protocol/records/control.ts'
import { RecordCursor } from '../protocol/records/cursor.ts'
import { AppendError } from './append-error.ts'
import {
  findDuplicate,
  isNextSequence,
  lastSequenceOf,
  NO_BATCHES,
  type ProducerBatch,
  type ProducerEntry,
  UNKNOWN_PRODUCER,
  withBatch,
} from './producer-entry.ts'
import type { AbortedTxn } from './txn-index.ts'
import type { AppendOrigin, OpeningTransaction, ProducerInfo } from './types.ts'

const CONTROL_BYTES_MAX = 1024
/** A marker that carries the largest epoch is let through twice, or its producer could never be freed. */
const MAX_PRODUCER_EPOCH = 0x7fff

interface Transaction {
  readonly producerId: number
  readonly firstOffset: number
  /** The marker's offset, -1 while open. */
  lastOffset: number
}

/** How to take one batch back. */
interface Undo {
  readonly producerId: number
  readonly before: ProducerEntry | undefined
  readonly opened: Transaction | undefined
  readonly completed: Transaction | undefined
}

export interface BatchContext {
  readonly origin: AppendOrigin
  readonly transactionVersion: number
  readonly isTransactionVerified: ((producerId: number, producerEpoch: number) => boolean) | undefined
  readonly openingTransaction: ((producerId: number) => OpeningTransaction | undefined) | undefined
}

/** Replay of what is in the log: nothing is refused. */
export const REPLAY: BatchContext = {
  origin: 'replication',
  transactionVersion: 0,
  isTransactionVerified: undefined,
  openingTransaction: undefined,
}

/**
 * The producers with an id that wrote to a log (KIP-98): their epochs, newest sequences and open transactions.
 * Changes of batches that are not written yet can be taken back, newest first (`mark`, `rollBack`).
 */
export class ProducerState {
  readonly #name: string
  #producers = new Map<number, ProducerEntry>()
  /** By first offset, which is the order they are added in. */
  #open = new Map<number, Transaction>()
  /** Ended, the marker not below the high watermark yet. */
  #unreplicated = new Map<number, Transaction>()
  #undo: Undo[] = []
  readonly #cursor = new RecordCursor()

  /** `name`: "topic-partition", for messages. */
  constructor(name: string) {
    this.#name = name
  }

  get producers(): ReadonlyMap<number, ProducerEntry> {
    return this.#producers
  }

  /** The first offset that is not decided, or decided by a marker above the high watermark; undefined for none. */
  get firstUnstableOffset(): number | undefined {
    // Asked with every read, and an iterator costs more than all the rest of it.
    if (this.#open.size === 0 && this.#unreplicated.size === 0) return undefined
    let first = this.#firstOpenOffset()
    for (const offset of this.#unreplicated.keys()) if (first === undefined || offset < first) first = offset
    return first
  }

  info(producerId: number): ProducerInfo | undefined {
    const entry = this.#producers.get(producerId)
    return entry && infoOf(producerId, entry)
  }

  /** The batch this one repeats, if it does. */
  duplicateOf(batch: BatchView): ProducerBatch | undefined {
    const entry = this.#producers.get(batch.producerId)
    return entry && findDuplicate(entry, batch.producerEpoch, batch.baseSequence, batch.lastSequence)
  }

  /**
   * Takes a batch of a producer with an id into account, its offsets being final. Answers the transaction it aborted.
   * Throws AppendError, nothing changed.
   */
  apply(batch: BatchView, context: BatchContext): AbortedTxn | undefined {
    const producerId = batch.producerId
    if (context.origin === 'client' || context.origin === 'coordinator') this.#checkTransaction(batch, context)
    if (batch.isControl) return this.#applyMarker(producerId, batch, context)
    this.#applyData(producerId, batch, context)
    return undefined
  }

  #checkTransaction(batch: BatchView, context: BatchContext): void {
    if (!batch.isTransactional) return
    const entry = this.#producers.get(batch.producerId)
    if (entry && entry.txnFirstOffset >= 0 && entry.epoch === batch.producerEpoch) return
    if (entry && batch.producerEpoch < entry.epoch) {
      throw new AppendError(
        'INVALID_PRODUCER_EPOCH',
        `Epoch of producer ${batch.producerId} is ${batch.producerEpoch}, which is smaller than the last seen epoch ${entry.epoch}`,
      )
    }
    if (batch.isControl || !context.isTransactionVerified) return
    if (!context.isTransactionVerified(batch.producerId, batch.producerEpoch)) {
      throw new AppendError('INVALID_TXN_STATE', 'Record was not part of an ongoing transaction')
    }
  }

  #applyData(producerId: number, batch: BatchView, context: BatchContext): void {
    const known = this.#producers.get(producerId)
    const entry = known ?? UNKNOWN_PRODUCER
    const epoch = batch.producerEpoch
    const firstOffset = batch.baseOffset
    this.#checkEpoch(producerId, entry, epoch, firstOffset, context.origin, -1)
    if (context.origin === 'client') {
      this.#checkOpening(producerId, entry, batch.baseSequence, context.openingTransaction?.(producerId))
      this.#checkSequence(producerId, entry, epoch, batch.baseSequence, firstOffset)
    }
    const isTransactional = batch.isTransactional
    if (entry.txnFirstOffset >= 0 && !isTransactional) {
      throw new AppendError(
        'INVALID_TXN_STATE',
        `Expected transactional write from producer ${producerId} at offset ${firstOffset} in partition ${this.#name}`,
      )
    }
    const opened = isTransactional && entry.txnFirstOffset < 0 ? { producerId, firstOffset, lastOffset: -1 } : undefined
    const kept = {
      lastSequence: batch.lastSequence,
      lastOffset: batch.lastOffset,
      offsetDelta: batch.lastOffsetDelta,
      timestamp: batch.maxTimestamp,
    }
    this.#producers.set(producerId, withBatch(entry, epoch, kept, opened ? firstOffset : entry.txnFirstOffset))
    if (opened) this.#open.set(firstOffset, opened)
    this.#undo.push({ producerId, before: known, opened, completed: undefined })
  }

  #checkEpoch(
    producerId: number,
    entry: ProducerEntry,
    epoch: number,
    offset: number,
    origin: AppendOrigin,
    transactionVersion: number,
  ): void {
    const isStrict = transactionVersion >= 2
    if (isStrict ? epoch > entry.epoch : epoch >= entry.epoch) return
    // A marker sent again: the transaction has ended already.
    if (isStrict && epoch === entry.epoch && (entry.txnFirstOffset < 0 || epoch === MAX_PRODUCER_EPOCH)) return
    if (origin === 'replication' || origin === 'raft') return
    throw new AppendError(
      'INVALID_PRODUCER_EPOCH',
      `Epoch of producer ${producerId} at offset ${offset} in ${this.#name} is ${epoch}, which is ${
        isStrict ? '<=' : '<'
      } the last seen epoch ${entry.epoch} (TV${transactionVersion})`,
    )
  }

  #checkOpening(producerId: number, entry: ProducerEntry, sequence: number, opening?: OpeningTransaction): void {
    if (opening === undefined) return
    // Where every transaction has an epoch of its own, the state of its producer is never lost before its first batch.
    const first = opening.bumpsEpochs && lastSequenceOf(entry) === -1 ? 0 : opening.lowestSequence
    if (sequence <= first) return
    throw new AppendError(
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      `Out of order sequence number for producer ${producerId} in partition ${this.#name}: ${sequence}, ${first} comes first`,
    )
  }

  #checkSequence(producerId: number, entry: ProducerEntry, epoch: number, sequence: number, offset: number): void {
    if (epoch !== entry.epoch) {
      if (sequence === 0 || entry.epoch === -1) return
      throw new AppendError(
        'OUT_OF_ORDER_SEQUENCE_NUMBER',
        `Invalid sequence number for new epoch of producer ${producerId}at offset ${offset} in partition ${
          this.#name
        }: ${epoch} (request epoch), ${sequence} (seq. number), ${entry.epoch} (current producer epoch)`,
      )
    }
    const last = lastSequenceOf(entry)
    if (entry.epoch === -1 || isNextSequence(last, sequence)) return
    throw new AppendError(
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      `Out of order sequence number for producer ${producerId} at offset ${offset} in partition ${
        this.#name
      }: ${sequence} (incoming seq. number), ${last} (current end sequence number)`,
    )
  }

  #applyMarker(producerId: number, batch: BatchView, context: BatchContext): AbortedTxn | undefined {
    const cursor = this.#cursor.open(batch, CONTROL_BYTES_MAX)
    // Compaction leaves an empty control batch where the whole transaction is gone.
    if (!cursor.next()) return undefined
    const type = parseControlType(cursor.key() ?? Buffer.alloc(0))
    if (type !== ControlType.abort && type !== ControlType.commit) return undefined
    const coordinatorEpoch = parseEndTxnMarkerValue(cursor.value() ?? Buffer.alloc(0))
    const offset = batch.baseOffset
    const known = this.#producers.get(producerId)
    const entry = known ?? UNKNOWN_PRODUCER
    this.#checkEpoch(producerId, entry, batch.producerEpoch, offset, context.origin, context.transactionVersion)
    if (entry.coordinatorEpoch > coordinatorEpoch && context.origin !== 'replication') {
      throw new AppendError(
        'TRANSACTION_COORDINATOR_FENCED',
        `Invalid coordinator epoch for producerId ${producerId} at offset ${offset} in partition ${
          this.#name
        }: ${coordinatorEpoch} (zombie), ${entry.coordinatorEpoch} (current)`,
      )
    }
    this.#producers.set(producerId, {
      epoch: batch.producerEpoch,
      coordinatorEpoch,
      lastTimestamp: cursor.timestamp,
      txnFirstOffset: -1,
      batches: entry.epoch === batch.producerEpoch ? entry.batches : NO_BATCHES,
    })
    const completed = entry.txnFirstOffset >= 0 ? this.#complete(entry.txnFirstOffset, offset) : undefined
    this.#undo.push({ producerId, before: known, opened: undefined, completed })
    if (!completed || type !== ControlType.abort) return undefined
    const lastStableOffset = this.#firstOpenOffset() ?? offset + 1
    return { producerId, firstOffset: completed.firstOffset, lastOffset: offset, lastStableOffset }
  }

  #complete(firstOffset: number, markerOffset: number): Transaction | undefined {
    const transaction = this.#open.get(firstOffset)
    if (!transaction) return undefined
    this.#open.delete(firstOffset)
    transaction.lastOffset = markerOffset
    this.#unreplicated.set(firstOffset, transaction)
    return transaction
  }

  #firstOpenOffset(): number | undefined {
    for (const offset of this.#open.keys()) return offset
    return undefined
  }

  /** Where `rollBack` can return to. */
  get mark(): number {
    return this.#undo.length
  }

  /** Takes back every batch since `mark`. */
  rollBack(mark: number): void {
    while (this.#undo.length > mark) {
      const undo = this.#undo.pop()!
      if (undo.before) this.#producers.set(undo.producerId, undo.before)
      else this.#producers.delete(undo.producerId)
      if (undo.opened) this.#open.delete(undo.opened.firstOffset)
      if (undo.completed) {
        this.#unreplicated.delete(undo.completed.firstOffset)
        undo.completed.lastOffset = -1
        this.#open.set(undo.completed.firstOffset, undo.completed)
        this.#open = new Map([...this.#open].sort(([a], [b]) => a - b))
      }
    }
  }

  /** The oldest `count` batches that could be taken back are in the log for good. */
  settle(count: number): void {
    if (count === this.#undo.length) this.#undo.length = 0
    else this.#undo.splice(0, count)
  }

  onHighWatermark(offset: number): void {
    for (const [first, { lastOffset }] of this.#unreplicated) if (lastOffset < offset) this.#unreplicated.delete(first)
  }

  /** Forgets producers that have been silent for `expirationMs` and have no open transaction. */
  expire(nowMs: number, expirationMs: number): void {
    for (const [producerId, entry] of this.#producers) {
      if (isExpired(entry, nowMs, expirationMs)) this.#producers.delete(producerId)
    }
  }

  /** Goes on from a snapshot's content. */
  restore(producers: ReadonlyMap<number, ProducerEntry>, nowMs: number, expirationMs: number): void {
    this.clear()
    const open: Transaction[] = []
    for (const [producerId, entry] of producers) {
      if (isExpired(entry, nowMs, expirationMs)) continue
      this.#producers.set(producerId, entry)
      if (entry.txnFirstOffset >= 0) open.push({ producerId, firstOffset: entry.txnFirstOffset, lastOffset: -1 })
    }
    open.sort((a, b) => a.firstOffset - b.firstOffset)
    for (const transaction of open) this.#open.set(transaction.firstOffset, transaction)
  }

  clear(): void {
    this.#producers = new Map()
    this.#open = new Map()
    this.#unreplicated = new Map()
    this.#undo = []
  }

  list(): ProducerInfo[] {
    return [...this.#producers].map(([producerId, entry]) => infoOf(producerId, entry))
  }
}

function infoOf(producerId: number, entry: ProducerEntry): ProducerInfo {
  return {
    producerId,
    producerEpoch: entry.epoch,
    lastSequence: lastSequenceOf(entry),
    lastTimestamp: entry.lastTimestamp,
    coordinatorEpoch: entry.coordinatorEpoch,
    currentTxnStartOffset: entry.txnFirstOffset,
  }
}

function isExpired(entry: ProducerEntry, nowMs: number, expirationMs: number): boolean {
  return entry.txnFirstOffset < 0 && nowMs - entry.lastTimestamp >= expirationMs
}
