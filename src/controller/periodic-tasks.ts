import type { Scheduled, Time } from '../platform/time.ts'

/** How soon a task that has more to do runs again. */
const AGAIN_AFTER_MS = 10

/** What a task does; true where it has more to do. It may not reject. `lateMs`: how long after it was due it runs. */
export type PeriodicTask = (lateMs: number) => Promise<boolean>

/** Runs tasks again and again, from the time a controller becomes active until it no longer is. */
export class PeriodicTasks {
  readonly #time: Time
  #timers = new Set<Scheduled>()

  constructor(time: Time) {
    this.#time = time
  }

  /** Runs the task `periodMs` from now for the first time, and so long after its end again, until `stop`. */
  start(periodMs: number, task: PeriodicTask): void {
    const timers = this.#timers
    const schedule = (delayMs: number): void => {
      const dueMs = this.#time.monotonicMs() + delayMs
      const timer = this.#time.after(delayMs, () => {
        timers.delete(timer)
        void task(Math.max(0, this.#time.monotonicMs() - dueMs)).then((hasMore) => {
          // Stopped meanwhile, and perhaps started again.
          if (timers === this.#timers) schedule(hasMore ? AGAIN_AFTER_MS : periodMs)
        })
      })
      timers.add(timer)
    }
    schedule(periodMs)
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers = new Set()
  }
}
