/** How far back a rate looks: `count` samples of `windowMs` each. */
export interface RateWindows {
  /** quota.window.num, at least 1 */
  readonly count: number
  /** quota.window.size.seconds, in ms */
  readonly windowMs: number
}

interface Sample {
  startMs: number
  lastEventMs: number
  value: number
}

/**
 * Something each second, over the last few windows, as Apache Kafka computes it: the sum over all samples by the time
 * since the oldest began, where a rate that is younger than all windows but one counts as if it were as old as they.
 */
export class WindowedRate {
  readonly #windows: RateWindows
  readonly #samples: Sample[] = []
  #current = 0

  constructor(windows: RateWindows) {
    this.#windows = windows
  }

  /** `value` may be negative, to take back what was recorded at the same `nowMs`. */
  record(value: number, nowMs: number): void {
    let sample = this.#samples[this.#current]
    if (sample === undefined || nowMs - sample.startMs >= this.#windows.windowMs) sample = this.#next(nowMs)
    sample.value += value
    sample.lastEventMs = nowMs
  }

  /** One sample more than the windows: the oldest overlaps the time that is looked at. */
  #next(nowMs: number): Sample {
    if (this.#samples.length > 0) this.#current = (this.#current + 1) % (this.#windows.count + 1)
    const old = this.#samples[this.#current]
    if (old === undefined) {
      const sample = { startMs: nowMs, lastEventMs: nowMs, value: 0 }
      this.#samples.push(sample)
      return sample
    }
    return reset(old, nowMs)
  }

  /** By second. */
  measure(nowMs: number): number {
    const spanMs = this.spanMs(nowMs)
    let sum = 0
    for (const { value } of this.#samples) sum += value
    return (sum / spanMs) * 1000
  }

  /** The time that the rate is measured over, at least 1 ms. */
  spanMs(nowMs: number): number {
    const { count, windowMs } = this.#windows
    const elapsedMs = nowMs - this.oldestMs(nowMs)
    const missing = count - 1 - Math.floor(elapsedMs / windowMs)
    return Math.max(1, missing > 0 ? elapsedMs + missing * windowMs : elapsedMs)
  }

  /** When the oldest sample that is not forgotten began. */
  protected oldestMs(nowMs: number): number {
    const { count, windowMs } = this.#windows
    let oldestMs = nowMs
    for (const sample of this.#samples) {
      if (nowMs - sample.lastEventMs >= count * windowMs) reset(sample, nowMs)
      if (sample.startMs < oldestMs) oldestMs = sample.startMs
    }
    return oldestMs
  }

  /** How long nothing may come until the rate is down to `bound` a second; 0 where it is not above. In whole ms. */
  throttleMs(bound: number, nowMs: number): number {
    const rate = this.measure(nowMs)
    return rate <= bound ? 0 : Math.round(((rate - bound) / bound) * this.spanMs(nowMs))
  }
}

/**
 * As Apache Kafka measures what replication moves: what is younger than a window counts as if it took the window, and not as
 * if it took all of them. There is no credit for having been idle.
 */
export class SimpleRate extends WindowedRate {
  readonly #windowMs: number

  constructor(windows: RateWindows) {
    super(windows)
    this.#windowMs = windows.windowMs
  }

  override spanMs(nowMs: number): number {
    return Math.max(this.#windowMs, nowMs - this.oldestMs(nowMs))
  }
}

function reset(sample: Sample, nowMs: number): Sample {
  sample.startMs = nowMs
  sample.lastEventMs = nowMs
  sample.value = 0
  return sample
}
