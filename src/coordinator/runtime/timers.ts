import type { Scheduled, Time } from '../../platform/time.ts'
import type { Result } from './result.ts'

/** How the operation of a timer is run: as a write on the shard; rejects as that does. */
export type RunOperation = (operation: () => Result<void>) => Promise<void>

/** The timers of one shard, by key: setting one again replaces it. None survives the shard. */
export class Timers {
  readonly #time: Time
  readonly #run: RunOperation
  readonly #onFailure: (key: string, reason: unknown) => void
  readonly #scheduled = new Map<string, Scheduled>()
  #closed = false

  constructor(time: Time, run: RunOperation, onFailure: (key: string, reason: unknown) => void) {
    this.#time = time
    this.#run = run
    this.#onFailure = onFailure
  }

  get size(): number {
    return this.#scheduled.size
  }

  /**
   * Runs `operation` on the shard `delayMs` from now. Where its records cannot be written, it is tried again after
   * `retryAfterMs`, or given up and logged where that is left out.
   */
  schedule(key: string, delayMs: number, operation: () => Result<void>, retryAfterMs?: number): void {
    if (this.#closed) return
    this.cancel(key)
    const scheduled = this.#time.after(delayMs, () => {
      if (this.#scheduled.get(key) === scheduled) this.#scheduled.delete(key)
      this.#run(operation).catch((reason) => {
        this.#onFailure(key, reason)
        if (retryAfterMs !== undefined && !this.has(key)) this.schedule(key, retryAfterMs, operation, retryAfterMs)
      })
    })
    this.#scheduled.set(key, scheduled)
  }

  has(key: string): boolean {
    return this.#scheduled.has(key)
  }

  cancel(key: string): void {
    const scheduled = this.#scheduled.get(key)
    if (scheduled === undefined) return
    scheduled.cancel()
    this.#scheduled.delete(key)
  }

  /** Cancels all; nothing can be scheduled any more. */
  close(): void {
    this.#closed = true
    for (const scheduled of this.#scheduled.values()) scheduled.cancel()
    this.#scheduled.clear()
  }
}
