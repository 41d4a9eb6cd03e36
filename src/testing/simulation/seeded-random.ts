import type { Random } from '../../platform/random.ts'

/** Random numbers that follow from a seed (mulberry32). */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  below(below: number): number {
    return Math.floor((this.#next() / 2 ** 32) * below)
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    for (let at = 0; at < length; at++) bytes[at] = this.#next() >>> 24
    return bytes
  }

  /** 0 <= x < 1 */
  fraction(): number {
    return this.#next() / 2 ** 32
  }

  /** True in so many of 100 cases. */
  percent(percent: number): boolean {
    return this.fraction() * 100 < percent
  }

  /** min <= n <= max */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1)
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** Another source, which draws nothing from this one afterwards: what one part does is of no consequence to others. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next())
  }
}
