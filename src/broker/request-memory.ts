/**
 * Bytes of requests that a broker holds, over all its connections (`queued.max.request.bytes`). Connections that ask for
 * more than there is are told when there is room again.
 */
export class RequestMemory {
  readonly #limitBytes: number
  #usedBytes = 0
  #waiting: (() => void)[] = []

  /** `limitBytes`: 0 or less means no limit. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes > 0 ? limitBytes : Number.POSITIVE_INFINITY
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get isExhausted(): boolean {
    return this.#usedBytes >= this.#limitBytes
  }

  /** Accounts for bytes that have come: they are held already, so this cannot be refused. */
  hold(sizeBytes: number): void {
    this.#usedBytes += sizeBytes
  }

  release(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes
    if (this.isExhausted || this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
  }

  /** Calls `resume` once, when there is room. */
  whenFree(resume: () => void): void {
    this.#waiting.push(resume)
  }
}
