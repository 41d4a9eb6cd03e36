import type { Scheduled, Time } from './time.ts'

interface Task {
  readonly dueMs: number
  readonly order: number
  run: (() => void) | undefined
}

function isBefore(a: Task, b: Task): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
}

/** A clock that stands still until a test moves it. Tasks due at the same time run in the order they were scheduled. */
export class VirtualTime implements Time {
  #nowMs: number
  readonly #startMs: number
  #order = 0
  /** A heap: no task comes before the one at half its place. */
  readonly #tasks: Task[] = []
  #pending = 0

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
    const task: Task = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run }
    this.#push(task)
    this.#pending++
    return {
      cancel: () => {
        if (task.run === undefined) return
        task.run = undefined
        this.#pending--
      },
    }
  }

  soon(run: () => void): void {
    this.after(0, run)
  }

  /** Scheduled tasks that have not run. */
  get pendingTasks(): number {
    return this.#pending
  }

  /** Moves the clock by `durationMs`, running what falls due on the way, and lets promises settle after each task. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs
    await settle()
    while (await this.step(endMs));
    this.#nowMs = endMs
  }

  /** Runs the next task that is due until `endMs` (wall clock), at its time; false where there is none. */
  async step(endMs: number): Promise<boolean> {
    for (let next = this.#tasks[0]; next !== undefined && next.dueMs <= endMs; next = this.#tasks[0]) {
      this.#pop()
      const { run } = next
      if (run === undefined) continue
      next.run = undefined
      this.#pending--
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      run()
      await settle()
      return true
    }
    return false
  }

  #push(task: Task): void {
    const tasks = this.#tasks
    let at = tasks.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(task, tasks[parent]!)) break
      tasks[at] = tasks[parent]!
      at = parent
    }
    tasks[at] = task
  }

  #pop(): void {
    const tasks = this.#tasks
    const last = tasks.pop()!
    const { length } = tasks
    if (length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && isBefore(tasks[child + 1]!, tasks[child]!)) child++
      if (!isBefore(tasks[child]!, last)) break
      tasks[at] = tasks[child]!
      at = child
    }
    tasks[at] = last
  }
}

/** Lets every promise that can settle without an outside event do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
