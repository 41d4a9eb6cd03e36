import type { VirtualTime } from '../../platform/virtual-time.ts'

/**
 * What happened in a run: lines for people, and a hash of every single thing, which tells whether two runs went the same
 * way.
 */
export class Trace {
  readonly lines: string[] = []
  /** Every message and every change of a disk gets a line, too. */
  readonly isVerbose: boolean
  readonly #time: VirtualTime
  #low = 0x811c9dc5
  #high = 0x9747b28c

  constructor(time: VirtualTime, isVerbose = false) {
    this.#time = time
    this.isVerbose = isVerbose
  }

  note(line: string): void {
    this.mixText(line)
    this.lines.push(`${this.#stamp()} ${line}`)
  }

  /** For what happens too often to be read. */
  detail(line: () => string): void {
    if (this.isVerbose) this.lines.push(`${this.#stamp()}   ${line()}`)
  }

  #stamp(): string {
    return (this.#time.monotonicMs() / 1000).toFixed(3).padStart(8)
  }

  mix(value: number): void {
    const bits = value | 0
    this.#low = Math.imul(this.#low ^ bits, 0x01000193)
    this.#high = Math.imul(this.#high ^ (bits + this.#low), 0x85ebca6b)
    this.#high ^= this.#high >>> 13
  }

  mixText(text: string): void {
    this.mix(Math.round(this.#time.monotonicMs() * 1000))
    for (let at = 0; at < text.length; at++) this.mix(text.charCodeAt(at))
  }

  get hash(): string {
    const hex = (value: number) => (value >>> 0).toString(16).padStart(8, '0')
    return hex(this.#low) + hex(this.#high)
  }
}
