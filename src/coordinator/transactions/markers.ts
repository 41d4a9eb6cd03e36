import type { Logger } from '../../platform/logger.ts'
import type { Time } from '../../platform/time.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { TransactionMarker } from '../runtime/shard.ts'
import { type Transaction, TransactionState } from './transaction.ts'

/** The partitions that transactions write into. */
export interface MarkerTarget {
  /** False where there is no such partition any more: nothing is left to be ended there. */
  exists(topic: string, partition: number): boolean
  /** Resolves with NONE once the marker is committed, else with why it is not; never rejects for a protocol error. */
  write(topic: string, partition: number, marker: TransactionMarker): Promise<KafkaError>
}

const RETRY_MS = 100

/** Another producer or coordinator has been there already: whatever was open is decided. */
const OVERTAKEN: ReadonlySet<KafkaError> = new Set([
  errors.INVALID_PRODUCER_EPOCH,
  errors.TRANSACTION_COORDINATOR_FENCED,
])

/** Brings the markers of transactions into their partitions, however often that has to be tried. */
export class MarkerWriter {
  readonly #target: MarkerTarget
  readonly #time: Time
  readonly #logger: Logger

  constructor(target: MarkerTarget, time: Time, logger: Logger) {
    this.#target = target
    this.#time = time
    this.#logger = logger
  }

  /** Resolves with true when no partition waits for its marker, or with false once `isWanted` says so. */
  async write(transaction: Transaction, coordinatorEpoch: number, isWanted: () => boolean): Promise<boolean> {
    const { producerId, producerEpoch, state, clientVersion, partitions } = transaction
    const isCommit = state === TransactionState.prepareCommit
    const marker = { producerId, producerEpoch, coordinatorEpoch, isCommit, transactionVersion: clientVersion }
    const writes: Promise<boolean>[] = []
    for (const [topic, numbers] of partitions) {
      for (const number of numbers) writes.push(this.#writeTo(topic, number, marker, isWanted))
    }
    return (await Promise.all(writes)).every((isWritten) => isWritten)
  }

  async #writeTo(
    topic: string,
    partition: number,
    marker: TransactionMarker,
    isWanted: () => boolean,
  ): Promise<boolean> {
    for (let attempt = 1; this.#target.exists(topic, partition); attempt++) {
      const error = await this.#target.write(topic, partition, marker)
      if (error === errors.NONE) return true
      const what = `marker of producer ${marker.producerId} at epoch ${marker.producerEpoch} for ${topic}-${partition}`
      if (OVERTAKEN.has(error)) {
        this.#logger.warn(`${what} comes too late: ${error.name}`)
        return true
      }
      if (attempt === 1) this.#logger.info(`${what} is tried again: ${error.name}`)
      if (!isWanted()) return false
      await new Promise<void>((resolve) => this.#time.after(RETRY_MS, resolve))
      if (!isWanted()) return false
    }
    return true
  }
}
