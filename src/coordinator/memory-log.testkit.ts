import { errors } from '../protocol/errors.ts'
import { BatchView } from '../protocol/records/batch.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { CoordinatorLog } from './coordinator-log.ts'

/** A CoordinatorLog in memory, whose appends a test can hold back and refuse. */
export class MemoryCoordinatorLog implements CoordinatorLog {
  readonly batches = new Map<number, Buffer[]>()
  /** What the next appends fail with, one after the other; undefined lets one through. */
  readonly failures: unknown[] = []
  /** While set, appends wait for `release`. */
  isHeld = false
  maxBytes = 1_048_588
  appendCount = 0
  #held: (() => void)[] = []
  readonly #nextOffsets = new Map<number, number>()

  async append(partition: number, batch: Buffer): Promise<{ baseOffset: number }> {
    this.appendCount++
    if (this.isHeld) await new Promise<void>((resolve) => this.#held.push(resolve))
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    if (batch.length > this.maxBytes) throw new CoordinatorError(errors.MESSAGE_TOO_LARGE)
    const baseOffset = this.#nextOffsets.get(partition) ?? 0
    const view = new BatchView(batch)
    view.setBaseOffset(baseOffset)
    this.#nextOffsets.set(partition, view.nextOffset)
    const batches = this.batches.get(partition)
    if (batches) batches.push(batch)
    else this.batches.set(partition, [batch])
    return { baseOffset }
  }

  async *read(partition: number): AsyncGenerator<readonly Buffer[], void, undefined> {
    for (const batch of this.batches.get(partition) ?? []) {
      // A copy that is spoilt afterwards shows whether anything of a chunk is kept.
      const chunk = Buffer.from(batch)
      yield [chunk]
      chunk.fill(0)
    }
  }

  deleteBefore(partition: number, offset: number): void {
    const batches = this.batches.get(partition) ?? []
    this.batches.set(
      partition,
      batches.filter((batch) => new BatchView(batch).nextOffset > offset),
    )
  }

  maxBatchBytes(): number {
    return this.maxBytes
  }

  /** Lets all held appends go on; later ones are not held. */
  release(): void {
    this.isHeld = false
    const held = this.#held
    this.#held = []
    for (const go of held) go()
  }
}
