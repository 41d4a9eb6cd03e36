import type { Scheduled, Time } from '../platform/time.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'

interface Waiting {
  readonly target: number
  readonly deadlineMs: number
  readonly resolve: (outcome: KafkaError) => void
}

/** Who waits until an offset is reached: the high watermark (acks=all) or the low watermark (DeleteRecords). */
export class OffsetWaits {
  readonly #time: Time
  /** By target, the lowest first. */
  #waiting: Waiting[] = []
  /** One for all: most waits are over long before it is due, and it then looks for those that are not. */
  #timer: Scheduled | undefined
  #timerDueMs = Number.POSITIVE_INFINITY

  constructor(time: Time) {
    this.#time = time
  }

  get count(): number {
    return this.#waiting.length
  }

  /**
   * Resolves with NONE once `target` is reached, with REQUEST_TIMED_OUT after `timeoutMs` (may be Infinity), or with what
   * `fail` is told.
   */
  wait(target: number, timeoutMs: number): Promise<KafkaError> {
    const deadlineMs = this.#time.monotonicMs() + timeoutMs
    return new Promise((resolve) => {
      let index = this.#waiting.length
      while (index > 0 && this.#waiting[index - 1]!.target > target) index -= 1
      this.#waiting.splice(index, 0, { target, deadlineMs, resolve })
      this.#expireAt(deadlineMs)
    })
  }

  /** The offset is `offset` now. */
  reached(offset: number): void {
    let count = 0
    while (count < this.#waiting.length && this.#waiting[count]!.target <= offset) count += 1
    if (count === 0) return
    for (const { resolve } of this.#waiting.splice(0, count)) resolve(errors.NONE)
  }

  /** Nobody who waits now will see the offset reached. */
  fail(error: KafkaError): void {
    const all = this.#waiting
    this.#waiting = []
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerDueMs = Number.POSITIVE_INFINITY
    for (const { resolve } of all) resolve(error)
  }

  #expireAt(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return
    this.#timer?.cancel()
    this.#timerDueMs = dueMs
    this.#timer = this.#time.after(Math.max(0, dueMs - this.#time.monotonicMs()), () => this.#expire())
  }

  #expire(): void {
    const nowMs = this.#time.monotonicMs()
    this.#timer = undefined
    this.#timerDueMs = Number.POSITIVE_INFINITY
    const due = this.#waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs)
    if (due.length > 0) this.#waiting = this.#waiting.filter(({ deadlineMs }) => deadlineMs > nowMs)
    for (const { resolve } of due) resolve(errors.REQUEST_TIMED_OUT)
    const next = this.#waiting.reduce((dueMs, { deadlineMs }) => Math.min(dueMs, deadlineMs), Number.POSITIVE_INFINITY)
    if (next < Number.POSITIVE_INFINITY) this.#expireAt(next)
  }
}
