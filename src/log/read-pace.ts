import type { Time } from '../platform/time.ts'

/** Up to this size a read is made at once, whatever the pace. */
const ALWAYS_AT_ONCE_BYTES = 64 * 1024
/** Up to this size a read is made at once while reads are quick. */
const QUICK_AT_ONCE_BYTES = 1024 * 1024
/** A megabyte from the page cache takes a fraction of this; one from a disk that has to seek takes more. */
const QUICK_MS = 4
/** Reads in the background after one that held everything up. */
const WARY_READS = 16

/**
 * Whether to read at once or in the background. What consumers read is mostly in the page cache, where copying it takes
 * less time than passing the job to another thread and back; what comes from the disk must not hold up everybody else.
 * Which of both it is can only be told by the time that reads take.
 */
export class ReadPace {
  readonly #time: Time
  /** Background reads to go until one at once is tried. */
  #wary = 1

  constructor(time: Time) {
    this.#time = time
  }

  mayReadNow(sizeBytes: number): boolean {
    return sizeBytes <= ALWAYS_AT_ONCE_BYTES || (this.#wary === 0 && sizeBytes <= QUICK_AT_ONCE_BYTES)
  }

  nowMs(): number {
    return this.#time.monotonicMs()
  }

  readNow(startedMs: number): void {
    if (this.nowMs() - startedMs > QUICK_MS) this.#wary = WARY_READS
  }

  /** A slow one says nothing: it may have waited for its turn, not for the disk. */
  readInBackground(): void {
    if (this.#wary > 0) this.#wary -= 1
  }
}
