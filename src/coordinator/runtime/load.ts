import type { Logger } from '../../platform/logger.ts'
import type { BatchView } from '../../protocol/records/batch.ts'
import { ControlType, parseControlType } from '../../protocol/records/control.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import { batchesOfAnyFormatIn, modernBatch } from '../../protocol/records/legacy-batch.ts'
import type { CoordinatorLog } from '../coordinator-log.ts'
import { decodeRecord, type RecordType } from '../coordinator-record.ts'
import type { CoordinatorShard, RecordOrigin } from './shard.ts'

/** What one compressed batch may grow to; a coordinator's own batches are bounded by max.message.bytes. */
const MAX_BATCH_BYTES = 256 * 1024 * 1024

/** How the load of a shard goes on. */
export interface LoadProgress {
  /** Asked between chunks: false ends the load early. */
  isWanted(): boolean
  /** All that follows has this offset or a later one. */
  reached(offset: number): void
}

/**
 * Replays a partition's log from its start to its end. Answers how many records there were, or undefined where it was ended
 * early. Throws DecodeError for records that cannot be read.
 */
export async function loadShard(
  log: CoordinatorLog,
  partition: number,
  types: ReadonlyMap<number, RecordType>,
  shard: CoordinatorShard,
  progress: LoadProgress,
  logger: Logger,
): Promise<number | undefined> {
  const replayer = new Replayer(types, shard, logger)
  for await (const chunk of log.read(partition)) {
    if (!progress.isWanted()) return undefined
    for (const buffer of chunk) {
      for (const stored of batchesOfAnyFormatIn(buffer)) {
        const batch = modernBatch(stored, MAX_BATCH_BYTES)
        progress.reached(batch.baseOffset)
        replayer.replay(batch)
        progress.reached(batch.nextOffset)
      }
    }
  }
  return progress.isWanted() ? replayer.recordCount : undefined
}

class Replayer {
  recordCount = 0
  readonly #types: ReadonlyMap<number, RecordType>
  readonly #shard: CoordinatorShard
  readonly #logger: Logger
  readonly #cursor = new RecordCursor()
  readonly #unknownTypes = new Set<number>()

  constructor(types: ReadonlyMap<number, RecordType>, shard: CoordinatorShard, logger: Logger) {
    this.#types = types
    this.#shard = shard
    this.#logger = logger
  }

  replay(batch: BatchView): void {
    const origin = {
      producerId: batch.isTransactional ? batch.producerId : -1,
      producerEpoch: batch.producerEpoch,
    }
    const cursor = this.#cursor.open(batch, MAX_BATCH_BYTES)
    while (cursor.next()) {
      this.recordCount++
      const key = cursor.key()
      // A record without a key says nothing in a compacted topic; there are none unless somebody produced them by hand.
      if (key === null) continue
      if (batch.isControl) this.#replayControl(key, { ...origin, producerId: batch.producerId })
      else this.#replayRecord(key, cursor.value(), origin)
    }
  }

  #replayControl(key: Buffer, origin: RecordOrigin): void {
    const type = parseControlType(key)
    if (type === ControlType.commit || type === ControlType.abort) {
      this.#shard.replayTransactionEnd(origin, type === ControlType.commit)
    }
  }

  #replayRecord(key: Buffer, value: Buffer | null, origin: RecordOrigin): void {
    const record = decodeRecord(this.#types, key, value)
    if (record !== undefined) this.#shard.replay(record, origin)
    else this.#noteUnknown(key.readInt16BE(0))
  }

  #noteUnknown(type: number): void {
    if (this.#unknownTypes.has(type)) return
    this.#unknownTypes.add(type)
    this.#logger.warn(`coordinator records of type ${type} are not known here and are passed over`)
  }
}
