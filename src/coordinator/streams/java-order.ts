/*
 * Where Apache Kafka's choices depend on the order in which Java's hash maps and heaps give their entries, so do its
 * results: how many partitions an internal topic gets, who runs a task. An application that moves between brokers
 * finds its internal topics as they are, so the choices here are to be the same, and hence the order.
 */

const DEFAULT_CAPACITY = 16

/** As java.lang.String has it. */
function hashOf(key: string): number {
  let hash = 0
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0
  return hash
}

/**
 * The distinct keys in the order of a java.util.HashMap that they were put into one after the other. `entryCount` is the
 * largest number of entries that the map ever had; `capacity`, a power of two, what it was made with. Of more than
 * seven keys in one bucket the order may differ.
 */
export function hashOrder(
  keys: Iterable<string>,
  { entryCount = 0, capacity = DEFAULT_CAPACITY }: { entryCount?: number; capacity?: number } = {},
): string[] {
  const distinct = [...new Set(keys)]
  let size = capacity
  while (Math.max(entryCount, distinct.length) > Math.floor(size * 0.75)) size *= 2
  const buckets = distinct.map((key) => {
    const hash = hashOf(key)
    return { key, bucket: (hash ^ (hash >>> 16)) & (size - 1) }
  })
  return buckets.sort((a, b) => a.bucket - b.bucket).map(({ key }) => key)
}

/** The smallest power of two that is no less than `count`; 1 for 0. */
export function powerOfTwoFrom(count: number): number {
  return count <= 1 ? 1 : 2 ** (32 - Math.clz32(count - 1))
}

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
