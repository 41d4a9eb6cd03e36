import type { Segment } from './segment.ts'

/** The segments of a log by base offset. There is always at least one once the log is open; the last is the active one. */
export class SegmentList {
  #segments: Segment[] = []

  get all(): readonly Segment[] {
    return this.#segments
  }

  get first(): Segment {
    return this.#segments[0]!
  }

  get active(): Segment {
    return this.#segments[this.#segments.length - 1]!
  }

  get count(): number {
    return this.#segments.length
  }

  /** Adds a segment past all others. */
  push(segment: Segment): void {
    this.#segments.push(segment)
  }

  /** The segment that would hold `offset`: the last with a base at or below it. */
  floor(offset: number): Segment | undefined {
    return this.#segments[this.#slotOf(offset)]
  }

  /** The segment after `segment`. */
  after(segment: Segment): Segment | undefined {
    return this.#segments[this.#slotOf(segment.baseOffset) + 1]
  }

  /** The segments from the one that would hold `offset` on. */
  from(offset: number): Segment[] {
    return this.#segments.slice(Math.max(0, this.#slotOf(offset)))
  }

  /** Takes out the segments whose base is past `offset`. */
  removeAbove(offset: number): Segment[] {
    return this.#segments.splice(this.#slotOf(offset) + 1)
  }

  /** Takes out the first `count` segments. */
  removeFirst(count: number): Segment[] {
    return this.#segments.splice(0, count)
  }

  /** Puts one segment in the place of those from `first` on, of which there are `count`. */
  replace(first: Segment, count: number, replacement: Segment): void {
    this.#segments.splice(this.#segments.indexOf(first), count, replacement)
  }

  sizeBytes(): number {
    let total = 0
    for (const segment of this.#segments) total += segment.sizeBytes
    return total
  }

  #slotOf(offset: number): number {
    const segments = this.#segments
    let low = 0
    let high = segments.length
    // Nearly all that is asked for is at the end.
    if (high > 0 && segments[high - 1]!.baseOffset <= offset) return high - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (segments[middle]!.baseOffset <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
