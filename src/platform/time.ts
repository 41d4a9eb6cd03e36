/** A task that has been scheduled; cancelling it twice, or after it ran, does nothing. */
export interface Scheduled {
  cancel(): void
}

/** Clock and timers. The only way for the rest of the code to know the time or to wait. */
export interface Time {
  /** Wall clock: milliseconds since 1970-01-01 UTC. May jump. */
  nowMs(): number
  /** A clock that never goes back, in milliseconds with a fraction; only differences mean anything. */
  monotonicMs(): number
  /** Runs `task` once, `delayMs` (0 to 2^53) from now. A task that throws stops the process. */
  after(delayMs: number, task: () => void): Scheduled
  /** Runs `task` after the events that are ready now, before any timer with a delay. */
  soon(task: () => void): void
}
