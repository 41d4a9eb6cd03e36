import type { Time } from '../platform/time.ts'

/** The most that goes in one request. */
const MAX_ITEMS = 5000

/** Sends what has the same destination; answers what must wait for the next request. Never rejects but for a bug. */
export type SendGathered<Destination, Item> = (
  destination: Destination,
  items: readonly Item[],
) => Promise<readonly Item[]>

/**
 * What is asked of other brokers, gathered: one request is under way to each destination, and what is asked meanwhile
 * leaves together in the next.
 */
export class GatheredRequests<Destination extends string | number, Item> {
  readonly #time: Time
  readonly #send: SendGathered<Destination, Item>
  /** There while a request is under way, or about to be. */
  readonly #queues = new Map<Destination, Item[]>()

  constructor(time: Time, send: SendGathered<Destination, Item>) {
    this.#time = time
    this.#send = send
  }

  add(destination: Destination, item: Item): void {
    const queue = this.#queues.get(destination)
    if (queue !== undefined) {
      queue.push(item)
      return
    }
    const fresh = [item]
    this.#queues.set(destination, fresh)
    this.#time.soon(() => void this.#run(destination, fresh))
  }

  async #run(destination: Destination, queue: Item[]): Promise<void> {
    while (queue.length > 0) {
      const left = await this.#send(destination, queue.splice(0, MAX_ITEMS))
      queue.unshift(...left)
    }
    this.#queues.delete(destination)
  }
}

/**
 * What one request can ask where it has room for one of a kind: the first entry of each key, and those that fit it. The rest
 * is left for the next.
 */
export function oneOfEach<Entry>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => string | number,
  fits: (first: Entry, entry: Entry) => boolean = () => false,
): { readonly sent: Entry[]; readonly left: Entry[] } {
  const firsts = new Map<string | number, Entry>()
  const sent: Entry[] = []
  const left: Entry[] = []
  for (const entry of entries) {
    const key = keyOf(entry)
    const first = firsts.get(key)
    if (first === undefined) firsts.set(key, entry)
    if (first === undefined || fits(first, entry)) sent.push(entry)
    else left.push(entry)
  }
  return { sent, left }
}
