import type { Scheduled, Time } from './time.ts'

interface Task {
  dueMs: number
  order: number
  run: () => void
}

/** A clock that stands still until a test moves it. Tasks due at the same time run in the order they were scheduled. */
export class VirtualTime implements Time {
  #nowMs: number
  readonly #startMs: number
  #order = 0
  #tasks: Task[] = []

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs
    this.#startMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs
  }

  after(delayMs: number, run: () => void): Scheduled {
    const task: Task = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      run,
    }
    this.#tasks.push(task)
    return {
      cancel: () => {
        this.#tasks = this.#tasks.filter((other) => other !== task)
      },
    }
  }

  soon(run: () => void): void {
    this.after(0, run)
  }

  /** Scheduled tasks that have not run. */
  get pendingTasks(): number {
    return this.#tasks.length
  }

  /** Moves the clock by `durationMs`, running what falls due on the way, and lets promises settle after each task. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs
    await settle()
    for (;;) {
      const next = this.#nextDue(endMs)
      if (!next) break
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      this.#tasks = this.#tasks.filter((task) => task !== next)
      next.run()
      await settle()
    }
    this.#nowMs = endMs
  }

  #nextDue(endMs: number): Task | undefined {
    let best: Task | undefined
    for (const task of this.#tasks) {
      if (task.dueMs > endMs) continue
      if (!best || task.dueMs < best.dueMs || (task.dueMs === best.dueMs && task.order < best.order)) best = task
    }
    return best
  }
}

/** Lets every promise that can settle without an outside event do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
