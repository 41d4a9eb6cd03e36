import type { Scheduled } from '../../platform/time.ts'
import type { KafkaError } from '../../protocol/errors.ts'
import { BatchBuilder, type BatchOptions } from '../../protocol/records/builder.ts'
import type { Codec } from '../../protocol/records/layout.ts'
import type { BatchTransaction } from '../coordinator-log.ts'
import { type CoordinatorRecord, encodeKey, encodeValue } from '../coordinator-record.ts'

/** Called once with the outcome of the batch that an operation depends on. */
export type Waiter = (error: KafkaError | undefined) => void

/** A record's framing at most: length, attributes, deltas, key and value sizes, header count. */
const RECORD_OVERHEAD_BYTES = 36

/** A record as bytes. */
export interface EncodedRecord {
  readonly key: Buffer
  readonly value: Buffer | null
}

export function encodeRecord(record: CoordinatorRecord): EncodedRecord {
  return { key: encodeKey(record), value: encodeValue(record) }
}

export function sizeBound(records: readonly EncodedRecord[]): number {
  let size = 0
  for (const { key, value } of records) size += RECORD_OVERHEAD_BYTES + key.length + (value?.length ?? 0)
  return size
}

function batchOptions(codec: Codec, { producerId, producerEpoch, markerVersion }: BatchTransaction): BatchOptions {
  const producer = { producerId, producerEpoch, isTransactional: true }
  if (markerVersion !== undefined) return { ...producer, isControl: true }
  // As in Apache Kafka, where the sequences of a coordinator are not looked at.
  return { ...producer, codec, baseSequence: 0 }
}

/** Records that leave in one record batch, and the operations that wait for it. */
export class WriteBatch {
  readonly #builder: BatchBuilder
  readonly #timestampMs: number
  #waiters: Waiter[] = []
  /** The place in the undo log after the changes of this batch; set when no more records can join. */
  undoEnd = -1
  timeout: Scheduled | undefined
  /** Of the monotonic clock. */
  openedMs = 0
  readonly transaction: BatchTransaction | undefined

  /** `transaction`: whose records, or whose marker, these are. */
  constructor(timestampMs: number, codec: Codec, transaction?: BatchTransaction) {
    this.#timestampMs = timestampMs
    this.transaction = transaction
    this.#builder = new BatchBuilder(transaction === undefined ? { codec } : batchOptions(codec, transaction))
  }

  get recordCount(): number {
    return this.#builder.recordCount
  }

  get isEmpty(): boolean {
    return this.recordCount === 0
  }

  hasRoomFor(sizeBytes: number, maxBytes: number): boolean {
    return this.#builder.sizeBytes + sizeBytes <= maxBytes
  }

  append(record: EncodedRecord): void {
    this.#builder.append({ timestamp: this.#timestampMs, key: record.key, value: record.value })
  }

  /** Finishes the batch: the bytes to append. */
  build(): Buffer {
    return this.#builder.build()
  }

  await(waiter: Waiter): void {
    this.#waiters.push(waiter)
  }

  /** Tells all that wait, and forgets them: those told of a timeout are not told again of the end. */
  settle(error: KafkaError | undefined): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter(error)
  }
}
