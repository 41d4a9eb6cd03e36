/** The entry with the least `rank` first; equal ones in the order of a java.util.PriorityQueue. */
export class Heap<T> {
  readonly #rank: (entry: T) => number
  readonly #entries: T[] = []

  constructor(rank: (entry: T) => number, entries: Iterable<T> = []) {
    this.#rank = rank
    for (const entry of entries) this.push(entry)
  }

  push(entry: T): void {
    const entries = this.#entries
    const value = this.#rank(entry)
    let at = entries.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (value >= this.#rank(entries[parent]!)) break
      entries[at] = entries[parent]!
      at = parent
    }
    entries[at] = entry
  }

  /** undefined where nothing is left. */
  pop(): T | undefined {
    const entries = this.#entries
    const top = entries[0]
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return top
    const value = this.#rank(last)
    let at = 0
    for (let child = 1; child < entries.length; child = 2 * at + 1) {
      const right = child + 1
      if (right < entries.length && this.#rank(entries[child]!) > this.#rank(entries[right]!)) child = right
      if (value <= this.#rank(entries[child]!)) break
      entries[at] = entries[child]!
      at = child
    }
    entries[at] = last
    return top
  }
}
