import type { World } from './world.ts'

/** A place in a log, as clients see it. */
export interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** What a producer was told of a record, or hopes. */
interface Written {
  readonly topic: string
  readonly partition: number
  /** Where it was acknowledged with acks=all; undefined while it was not. */
  offset: number | undefined
  /** All values of its key, in the order in which they were written; undefined where all values are kept. */
  readonly ofKey: string[] | undefined
}

export interface WrittenAs {
  readonly transaction?: LedgerTransaction
  /** Whoever reads later finds it, or a later one of that key, which is written by nobody else. */
  readonly key?: string | undefined
}

/** What becomes of a transaction. */
export type Fate = 'open' | 'committed' | 'aborted' | 'unknown'

export interface LedgerTransaction {
  readonly name: string
  fate: Fate
  readonly values: string[]
}

/** What clients wrote, were told, and read: kept beside the cluster, which knows nothing of it. */
export class Ledger {
  readonly #world: World
  /** By value: every value is written once, in one place. */
  readonly #written = new Map<string, Written>()
  /** What is at an offset, for all time. */
  readonly #values = new Map<string, Map<number, string>>()
  /** Values that may be there at most once: written with a sequence. */
  readonly #places = new Map<string, string>()
  readonly #transactionOf = new Map<string, LedgerTransaction>()
  readonly transactions: LedgerTransaction[] = []
  readonly #ofKeys = new Map<string, string[]>()
  readonly #producerIds = new Set<number>()
  /** By partition, where it may begin now. */
  readonly #deleted = new Map<string, number>()
  acknowledged = 0
  readRecords = 0

  constructor(world: World) {
    this.#world = world
  }

  gotProducerId(producerId: number): void {
    if (this.#producerIds.has(producerId)) this.#world.fail(`producer id ${producerId} is given a second time`)
    this.#producerIds.add(producerId)
  }

  /** Records before `offset` may go. */
  deletes(topic: string, partition: number, offset: number): void {
    const key = `${topic}-${partition}`
    this.#deleted.set(key, Math.max(offset, this.#deleted.get(key) ?? 0))
  }

  wrote(value: string, place: Omit<Place, 'offset'>, { transaction, key }: WrittenAs = {}): void {
    const { topic, partition } = place
    const ofKey = key === undefined ? undefined : (this.#ofKeys.get(key) ?? [])
    if (key !== undefined) this.#ofKeys.set(key, ofKey!)
    ofKey?.push(value)
    this.#written.set(value, { topic, partition, offset: undefined, ofKey })
    if (transaction === undefined) return
    transaction.values.push(value)
    this.#transactionOf.set(value, transaction)
  }

  begin(name: string): LedgerTransaction {
    const transaction: LedgerTransaction = { name, fate: 'open', values: [] }
    this.transactions.push(transaction)
    return transaction
  }

  acked(value: string, offset: number): void {
    const written = this.#written.get(value)!
    written.offset = offset
    this.acknowledged++
    this.#at({ topic: written.topic, partition: written.partition, offset }, value, 'acknowledged')
  }

  /** A reader has it, who sees what is below the high watermark, or of that what is committed. */
  read(place: Place, value: string, isCommittedOnly: boolean, reader: string): void {
    this.readRecords++
    const written = this.#written.get(value)
    if (written?.topic !== place.topic || written.partition !== place.partition) {
      this.#world.fail(`${reader} read "${value}" at ${textOf(place)}, which nobody wrote there`)
      return
    }
    this.#at(place, value, `read by ${reader}`)
    if (!isCommittedOnly) return
    const transaction = this.#transactionOf.get(value)
    if (transaction?.fate === 'aborted' || transaction?.fate === 'open') {
      this.#world.fail(
        `${reader} read "${value}" at ${textOf(place)} of transaction ${transaction.name}: ${transaction.fate}`,
      )
    }
  }

  #at(place: Place, value: string, how: string): void {
    const log = `${place.topic}-${place.partition}`
    let values = this.#values.get(log)
    if (values === undefined) {
      values = new Map()
      this.#values.set(log, values)
    }
    const known = values.get(place.offset)
    if (known !== undefined && known !== value) {
      this.#world.fail(`two values at ${textOf(place)}: "${known}", and "${value}" was ${how}`)
    }
    values.set(place.offset, value)
    if (!value.startsWith('once ')) return
    const before = this.#places.get(value)
    if (before !== undefined && before !== textOf(place)) {
      this.#world.fail(`"${value}" is at ${before}, and ${how} at ${textOf(place)}, too`)
    }
    this.#places.set(value, textOf(place))
  }

  /**
   * After all is over: `found` are the values of partitions that a reader of committed records has found. Everything that
   * was acknowledged there must be among them, but for what was deleted, or had a later value of its key.
   */
  checkComplete(reader: string, found: ReadonlyMap<string, ReadonlySet<string>>): void {
    const isThere = (value: string): boolean => {
      const { topic, partition } = this.#written.get(value)!
      return found.get(`${topic}-${partition}`)?.has(value) ?? false
    }
    for (const [value, { topic, partition, offset, ofKey }] of this.#written) {
      if (!found.has(`${topic}-${partition}`)) continue
      if (offset === undefined || offset < (this.#deleted.get(`${topic}-${partition}`) ?? 0)) continue
      const fate = this.#transactionOf.get(value)?.fate ?? 'committed'
      if (fate !== 'committed' || isThere(value)) continue
      if (ofKey?.slice(ofKey.indexOf(value)).some(isThere)) continue
      this.#world.fail(
        `"${value}" was acknowledged at ${textOf({ topic, partition, offset })}, and ${reader} never read it`,
      )
    }
    for (const { name, fate, values: all } of this.transactions) {
      const values = all.filter((value) => {
        const { topic, partition, offset } = this.#written.get(value)!
        if (!found.has(`${topic}-${partition}`)) return false
        return offset !== undefined && offset >= (this.#deleted.get(`${topic}-${partition}`) ?? 0)
      })
      const seen = values.filter(isThere).length
      if (seen === values.length ? fate !== 'aborted' || seen === 0 : seen === 0 && fate !== 'committed') continue
      this.#world.fail(`transaction ${name} is ${fate}, and ${reader} read ${seen} of its ${values.length} records`)
    }
  }
}

export function textOf({ topic, partition, offset }: Place): string {
  return `${topic}-${partition}@${offset}`
}
