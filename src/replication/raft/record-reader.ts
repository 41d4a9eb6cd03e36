import type { BatchView } from '../../protocol/records/batch.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import { MAX_UNCOMPRESSED_BYTES } from './batches.ts'
import type { RecordSerde } from './types.ts'

const NO_VALUE = Buffer.alloc(0)

/** Reads the records in batches of a metadata log or a snapshot. */
export class RecordReader<R> {
  readonly #serde: RecordSerde<R>
  readonly #cursor = new RecordCursor()

  constructor(serde: RecordSerde<R>) {
    this.#serde = serde
  }

  /** None of a batch of control records. Throws DecodeError. */
  recordsOf(batch: BatchView): R[] {
    const records: R[] = []
    if (batch.isControl) return records
    this.#cursor.open(batch, MAX_UNCOMPRESSED_BYTES)
    while (this.#cursor.next()) records.push(this.#serde.decode(this.#cursor.value() ?? NO_VALUE))
    return records
  }
}
