import type { Time } from '../../platform/time.ts'
import { type RateWindows, WindowedRate } from './windowed-rate.ts'

export interface ConnectionRatesOptions {
  readonly time: Time
  readonly windows: RateWindows
  /** max.connection.creation.rate: new connections a second, of all listeners together. */
  readonly bound: () => number
  /** The same of one listener. */
  readonly boundOf: (listenerName: string) => number
  /** The listener that does not count towards the common rate; see `ConnectionLimits`. */
  readonly protectedListener: string | undefined
}

/** The rates at which connections come in (KIP-612), of the broker and of each of its listeners. */
export class ConnectionRates {
  readonly #options: ConnectionRatesOptions
  readonly #all: WindowedRate
  readonly #byListener = new Map<string, WindowedRate>()

  constructor(options: ConnectionRatesOptions) {
    this.#options = options
    this.#all = new WindowedRate(options.windows)
  }

  /** Takes note of a new connection; answers for how many ms its listener lets nobody in. At most one window. */
  record(listenerName: string): number {
    const { bound, boundOf, windows } = this.#options
    const nowMs = this.#nowMs()
    let throttleMs = recorded(this.#of(listenerName), boundOf(listenerName), nowMs)
    if (this.#isCounted(listenerName)) throttleMs = Math.max(throttleMs, recorded(this.#all, bound(), nowMs))
    return Math.min(throttleMs, windows.windowMs)
  }

  /** The connection is not let in after all, because of its address. */
  takeBack(listenerName: string): void {
    const nowMs = this.#nowMs()
    this.#of(listenerName).record(-1, nowMs)
    if (this.#isCounted(listenerName)) this.#all.record(-1, nowMs)
  }

  #isCounted(listenerName: string): boolean {
    return listenerName !== this.#options.protectedListener
  }

  #of(listenerName: string): WindowedRate {
    let rate = this.#byListener.get(listenerName)
    if (rate === undefined) {
      rate = new WindowedRate(this.#options.windows)
      this.#byListener.set(listenerName, rate)
    }
    return rate
  }

  #nowMs(): number {
    return Math.floor(this.#options.time.monotonicMs())
  }
}

function recorded(rate: WindowedRate, bound: number, nowMs: number): number {
  rate.record(1, nowMs)
  return rate.throttleMs(bound, nowMs)
}
