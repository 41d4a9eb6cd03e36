/** Meters that nobody has used for this long are forgotten, when there are many. */
const FORGET_AFTER_MS = 3_600_000
const MANY = 1000

interface Entry<M> {
  readonly meter: M
  usedMs: number
}

/** Meters by the key of those who share one; made when first needed. */
export class Meters<M> {
  readonly #make: () => M
  readonly #entries = new Map<string, Entry<M>>()
  #sweepAt = MANY

  constructor(make: () => M) {
    this.#make = make
  }

  of(key: string, nowMs: number): M {
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      if (this.#entries.size >= this.#sweepAt) this.#sweep(nowMs)
      entry = { meter: this.#make(), usedMs: nowMs }
      this.#entries.set(key, entry)
    }
    entry.usedMs = nowMs
    return entry.meter
  }

  #sweep(nowMs: number): void {
    for (const [key, { usedMs }] of this.#entries) {
      if (nowMs - usedMs >= FORGET_AFTER_MS) this.#entries.delete(key)
    }
    this.#sweepAt = Math.max(MANY, this.#entries.size * 2)
  }
}
