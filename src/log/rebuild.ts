import type { BatchView } from '../protocol/records/batch.ts'
import { BatchBuilder } from '../protocol/records/builder.ts'
import type { RecordCursor } from '../protocol/records/cursor.ts'
import { type Codec, NO_TIMESTAMP } from '../protocol/records/layout.ts'
import { AppendError } from './append-error.ts'
import { MAX_INFLATED_BYTES, type ValidationTarget } from './validator.ts'

/** The batch over again, its records numbered from the target's offset, compressed with `codec`. */
export function rebuildBatch(
  batch: BatchView,
  cursor: RecordCursor,
  codec: Codec,
  target: ValidationTarget,
  logAppendTimeMs: number,
): Buffer {
  const level = target.config.compression?.codec === codec ? target.config.compression.level : undefined
  const builder = new BatchBuilder(
    {
      baseOffset: target.offset,
      partitionLeaderEpoch: target.leaderEpoch,
      codec,
      ...(level === undefined ? {} : { level }),
      ...(logAppendTimeMs === NO_TIMESTAMP ? {} : { logAppendTimeMs }),
      producerId: batch.producerId,
      producerEpoch: batch.producerEpoch,
      baseSequence: batch.baseSequence,
      isTransactional: batch.isTransactional,
    },
    batch.sizeBytes,
  )
  cursor.open(batch, MAX_INFLATED_BYTES)
  while (cursor.next()) {
    if (cursor.timestamp < NO_TIMESTAMP) {
      throw new AppendError('UNKNOWN_SERVER_ERROR', `Invalid negative timestamp ${cursor.timestamp}`)
    }
    builder.appendFrom(cursor)
  }
  return builder.build()
}
