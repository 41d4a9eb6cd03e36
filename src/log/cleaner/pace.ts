import type { Time } from '../../platform/time.ts'

/** How long the event loop is held at most, but for a single batch. */
const SLICE_MS = 2
const MAX_WAIT_MS = 300

/** The log that is being compacted was truncated, deleted or closed: what was done so far is of no use. */
export class CleaningAborted extends Error {}

/** Work in slices: others get the event loop in between, and the bytes read and written do not exceed a rate. */
export class Pace {
  readonly #time: Time
  readonly #maxBytesPerSecond: () => number
  readonly #mayGoOn: () => boolean
  #sliceStartMs: number
  #periodStartMs: number
  #bytes = 0

  /** `mayGoOn` is asked after every pause. */
  constructor(time: Time, maxBytesPerSecond: () => number, mayGoOn: () => boolean) {
    this.#time = time
    this.#maxBytesPerSecond = maxBytesPerSecond
    this.#mayGoOn = mayGoOn
    this.#sliceStartMs = time.monotonicMs()
    this.#periodStartMs = this.#sliceStartMs
  }

  /** Whether `rest` is due. */
  get isTired(): boolean {
    return this.#time.monotonicMs() - this.#sliceStartMs >= SLICE_MS
  }

  /** Counts bytes that were read or written. */
  spend(bytes: number): void {
    this.#bytes += bytes
  }

  /** Lets others run, as long as the rate asks for. Throws CleaningAborted. */
  async rest(): Promise<void> {
    await new Promise<void>((resolve) => this.#time.soon(resolve))
    this.check()
    for (let waitMs = this.#excessMs(); waitMs > 0; waitMs = this.#excessMs()) {
      await new Promise<void>((resolve) => this.#time.after(Math.min(waitMs, MAX_WAIT_MS), resolve))
      this.check()
    }
    this.#sliceStartMs = this.#time.monotonicMs()
  }

  /** Throws CleaningAborted. */
  check(): void {
    if (!this.#mayGoOn()) throw new CleaningAborted()
  }

  #excessMs(): number {
    const dueMs = (this.#bytes / this.#maxBytesPerSecond()) * 1000
    const elapsedMs = this.#time.monotonicMs() - this.#periodStartMs
    if (dueMs - elapsedMs < 1) {
      // What was not used is not saved up for a burst.
      this.#periodStartMs = this.#time.monotonicMs()
      this.#bytes = 0
      return 0
    }
    return Math.ceil(dueMs - elapsedMs)
  }
}
