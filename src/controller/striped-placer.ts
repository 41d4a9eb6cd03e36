import type { BrokerImage } from '../metadata/types.ts'
import type { Random } from '../platform/random.ts'

function shuffle<T>(items: T[], random: Random): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.below(last + 1)
    const item = items[last]!
    items[last] = items[other]!
    items[other] = item
  }
}

/** Brokers that are taken one after the other, each once a round, and every round from the next one on. */
class Circle {
  readonly #ids: number[]
  readonly #random: Random
  #first: number
  #taken = 0
  #round = 0

  constructor(ids: readonly number[], random: Random) {
    this.#ids = [...ids].sort((a, b) => a - b)
    this.#random = random
    this.#first = ids.length === 0 ? 0 : random.below(ids.length)
  }

  /** undefined where all have been taken in this round. */
  next(round: number): number | undefined {
    if (round !== this.#round) {
      this.#round = round
      this.#taken = 0
      this.#first++
    }
    if (this.#taken === this.#ids.length) return undefined
    return this.#ids[(this.#first + this.#taken++) % this.#ids.length]
  }

  shuffle(): void {
    shuffle(this.#ids, this.#random)
  }
}

interface Rack {
  readonly unfenced: Circle
  readonly fenced: Circle
}

/**
 * Places partitions in stripes, as Apache Kafka does: the first replica goes to the racks in turn, and within a rack to its
 * brokers in turn, the others to the racks after it, so that replicas of a partition share a rack only where there are fewer
 * racks than replicas. A fenced broker is never the first, and otherwise only taken where its rack has no other left.
 */
export class StripedPlacer {
  /** How many brokers there are. */
  readonly total: number
  readonly unfenced: number
  readonly #racks: Rack[]
  readonly #random: Random
  #first: number
  #round = 0

  constructor(brokers: readonly BrokerImage[], random: Random) {
    const usable = brokers.filter(takesReplicas)
    this.total = usable.length
    this.unfenced = usable.filter(({ fenced }) => !fenced).length
    const byRack = new Map<string | null, BrokerImage[]>()
    for (const broker of usable) {
      const rack = byRack.get(broker.rack)
      if (rack) rack.push(broker)
      else byRack.set(broker.rack, [broker])
    }
    const names = [...byRack.keys()].sort((a, b) => (a === null ? -1 : b === null ? 1 : a < b ? -1 : 1))
    const circle = (name: string | null, isFenced: boolean) =>
      new Circle(
        byRack.get(name)!.flatMap(({ id, fenced }) => (fenced === isFenced ? [id] : [])),
        random,
      )
    this.#racks = names.map((name) => ({ unfenced: circle(name, false), fenced: circle(name, true) }))
    this.#random = random
    this.#first = names.length === 0 ? 0 : random.below(names.length)
  }

  /** The replicas of the next partition, 1 to `total`; at least one broker must be unfenced. */
  place(replicationFactor: number): number[] {
    // After so many partitions the same ones would come again.
    if (this.#round === this.unfenced && this.unfenced > 1) this.#shuffle()
    const racks = this.#racks
    const round = this.#round++
    const start = this.#first++ % racks.length
    let leading = start
    let leader = racks[leading]!.unfenced.next(round)
    while (leader === undefined) {
      leading = (leading + 1) % racks.length
      leader = racks[leading]!.unfenced.next(round)
    }
    const replicas = [leader]
    let hasSkipped = false
    for (let at = start; replicas.length < replicationFactor; at = (at + 1) % racks.length) {
      if (at === leading && !hasSkipped) {
        hasSkipped = true
        continue
      }
      const id = racks[at]!.unfenced.next(round) ?? racks[at]!.fenced.next(round)
      if (id !== undefined) replicas.push(id)
    }
    return replicas
  }

  #shuffle(): void {
    shuffle(this.#racks, this.#random)
    for (const { unfenced, fenced } of this.#racks) {
      unfenced.shuffle()
      fenced.shuffle()
    }
    this.#round = 0
  }
}

/** Not one that is shutting down, until it has gone; nor one all of whose directories are cordoned (KIP-1066). */
function takesReplicas(broker: BrokerImage): boolean {
  const { fenced, inControlledShutdown, directories, cordonedDirectories: cordoned } = broker
  if (inControlledShutdown && !fenced) return false
  return directories.length === 0 || cordoned === null || directories.some((id) => !cordoned.includes(id))
}
