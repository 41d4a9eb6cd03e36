import { LogError } from '../log/append-error.ts'
import type { ProducerInfo } from '../log/types.ts'
import type { KafkaError } from '../protocol/errors.ts'

/**
 * The permission to open a transaction in a partition, until it is used: between the coordinator's word and the append a
 * marker may come, after which that word counts for nothing (KIP-890).
 */
export class VerificationGuard {
  /** True where every end of a transaction has an epoch of its own. */
  readonly bumpsEpochs: boolean
  producerEpoch: number
  /** The lowest sequence that was held up; one above it must not overtake it. */
  lowestSequence: number
  /** The answer of the coordinator, while it is awaited: whoever comes meanwhile waits for the same one, in order. */
  pending: Promise<KafkaError> | undefined

  constructor(bumpsEpochs: boolean, producerEpoch: number, sequence: number) {
    this.bumpsEpochs = bumpsEpochs
    this.producerEpoch = producerEpoch
    this.lowestSequence = sequence
  }

  noteSequence(producerEpoch: number, sequence: number): void {
    if (producerEpoch > this.producerEpoch) {
      this.producerEpoch = producerEpoch
      this.lowestSequence = sequence
      this.pending = undefined
    } else if (producerEpoch === this.producerEpoch && sequence < this.lowestSequence) {
      this.lowestSequence = sequence
    }
  }
}

/** Producers that never come back leave theirs behind; the oldest go. */
const MAX_GUARDS = 10_000

/** The guards of one partition, by producer id. */
export class VerificationGuards {
  readonly #guards = new Map<number, VerificationGuard>()

  get(producerId: number): VerificationGuard | undefined {
    return this.#guards.get(producerId)
  }

  /**
   * What a batch needs that may open a transaction; undefined where the transaction is open already. `known`: the producer
   * as the log has it. Throws LogError INVALID_PRODUCER_EPOCH.
   */
  begin(
    producerId: number,
    producerEpoch: number,
    sequence: number,
    bumpsEpochs: boolean,
    known: ProducerInfo | undefined,
  ): VerificationGuard | undefined {
    if (known !== undefined && producerEpoch < known.producerEpoch) {
      throw new LogError(
        'INVALID_PRODUCER_EPOCH',
        `Epoch of producer ${producerId} is ${producerEpoch}, which is smaller than the last seen epoch ${known.producerEpoch}`,
      )
    }
    if (known !== undefined && known.currentTxnStartOffset >= 0 && known.producerEpoch === producerEpoch)
      return undefined
    let guard = this.#guards.get(producerId)
    if (guard === undefined) {
      guard = new VerificationGuard(bumpsEpochs, producerEpoch, sequence)
      this.#guards.set(producerId, guard)
      if (this.#guards.size > MAX_GUARDS) this.#guards.delete(this.#guards.keys().next().value!)
    }
    guard.noteSequence(producerEpoch, sequence)
    return guard
  }

  /** The transaction is open now. */
  used(producerId: number): void {
    this.#guards.delete(producerId)
  }

  /** What was said before counts no more. */
  clear(): void {
    this.#guards.clear()
  }

  /** A marker is in the log: what was said before it counts no more, unless it was said of the transaction after it. */
  ended(producerId: number, markerEpoch: number): void {
    const guard = this.#guards.get(producerId)
    if (guard?.bumpsEpochs && guard.producerEpoch === markerEpoch) return
    this.#guards.delete(producerId)
  }
}
