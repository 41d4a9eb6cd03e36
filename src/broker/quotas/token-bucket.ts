import type { RateWindows } from './windowed-rate.ts'

/** Tokens that come back at a steady rate, up to what the rate gives in all windows (KIP-599). */
export class TokenBucket {
  readonly #burstSeconds: number
  #tokens = 0
  #updatedMs: number | undefined

  constructor({ count, windowMs }: RateWindows) {
    this.#burstSeconds = (count * windowMs) / 1000
  }

  /** How many there are, below 0 after too many were taken. `bound`: tokens a second. */
  available(bound: number, nowMs: number): number {
    const burst = this.#burstSeconds * bound
    const elapsedMs = this.#updatedMs === undefined ? Number.POSITIVE_INFINITY : nowMs - this.#updatedMs
    this.#tokens = Math.min(burst, this.#tokens + (bound * elapsedMs) / 1000)
    this.#updatedMs = nowMs
    return this.#tokens
  }

  take(tokens: number, bound: number, nowMs: number): void {
    this.#tokens = this.available(bound, nowMs) - tokens
  }

  /** How long until there are none missing any more; 0 where none is. In whole ms. */
  throttleMs(bound: number, nowMs: number): number {
    const available = this.available(bound, nowMs)
    return available < 0 ? Math.round((-available / bound) * 1000) : 0
  }
}
