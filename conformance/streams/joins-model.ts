import type { OutputRecord } from './apps.ts'

/** One record of the input of Joins.java. */
export interface InputRecord {
  topic: string
  partition: number
  timestampMs: number
  key: string
  value: string
}

interface Timed {
  item: string
  text: string
  timestampMs: number
}

interface Step {
  startMs: number
  orders: Timed[]
  prices: Timed[]
}

const byKey = -1
const windowMs = 10_000
const joinMs = 5_000
/**
 * The records of a step are processed in any order, and the end of one must not be so far from the beginning of the one
 * before that an order is told to be without a price at once, as Streams does when later ones have gone before.
 */
const spanMs = 2_500
const stepMs = 2_000
const closingMs = 60_000

/** What Joins.java is to make of its input, which comes in steps: each when the one before is in the output. */
export class JoinsModel {
  private readonly items: readonly string[]
  private readonly partitions: number
  private nextMs: number
  private readonly random: () => number
  private readonly steps: Step[] = []
  private readonly people: Map<string, string> = new Map()
  private readonly towns: Map<string, string> = new Map()
  private readonly lateOrders: string[] = []
  private recordCount = 0

  constructor(random: () => number, partitions: number, nowMs: number) {
    this.random = random
    this.partitions = partitions
    this.items = Array.from({ length: 24 }, (_, i) => `i${i}`)
    this.nextMs = nowMs - 3_600_000
  }

  /** Orders with and without a price near, and changes in both tables. */
  step(): InputRecord[] {
    const step = this.newStep(stepMs)
    const records: InputRecord[] = []
    for (const item of this.items) {
      for (let i = this.below(3); i >= 0; i--) records.push(this.order(step, item, this.below(spanMs)))
      for (let i = this.below(3); i > 0; i--) records.push(this.price(step, item, this.below(spanMs)))
    }
    // One table in a step, and no key twice: of changes that cross, a join by foreign key may miss one.
    const [topic, table] =
      this.steps.length % 2 === 0 ? (['people', this.people] as const) : (['towns', this.towns] as const)
    for (let k = 0; k < 16; k++) if (this.random() < 0.8) records.push(this.change(topic, table, `k${k}`))
    return records
  }

  /**
   * Orders with a price, from each partition to each: when they are in the output, so is all that was written before,
   * and nothing of it is made late by what comes now.
   */
  barrier(): InputRecord[] {
    const step = this.newStep(stepMs)
    const prices = this.items.map((item) => this.price(step, item, 0))
    const orders = Array.from({ length: this.partitions }, (_, partition) =>
      this.items.map((item) => ({ ...this.order(step, item, 0), partition })),
    )
    return [...prices, ...orders.flat()]
  }

  /** Orders that all have a price: they close everything before them. */
  closingStep(): InputRecord[] {
    const step = this.newStep(closingMs)
    return this.items.flatMap((item) => [this.order(step, item, 0), this.price(step, item, 0)])
  }

  /**
   * In the last step, an order without a price; and behind it one of two steps ago: it is too late for its window, and that
   * it has no price is told at once.
   */
  late(): InputRecord[] {
    const inTime = this.order(this.steps[this.steps.length - 1]!, 'late', 0)
    const text = 'late too-late'
    this.lateOrders.push(`${text} at none`)
    return [inTime, { ...inTime, timestampMs: inTime.timestampMs - 2 * closingMs, value: text }]
  }

  /** What is in `priced` without waiting for a later step. */
  get due(): string[] {
    return this.steps.flatMap((step) => pairsOf(step.orders, this.pricesAround(step))).concat(this.lateOrders)
  }

  /** The values of `priced`, sorted, but for lonely orders of the last step. */
  get priced(): string[] {
    const lonely = this.steps.slice(0, -1).flatMap((step) => lonelyOf(step.orders, this.pricesAround(step)))
    return [...this.due, ...lonely].sort()
  }

  /** `key value` of `sold`, sorted: all windows but those of the last step. */
  get sold(): string[] {
    const counts = new Map<string, number>()
    for (const { item, timestampMs } of this.steps.slice(0, -1).flatMap(({ orders }) => orders)) {
      const key = `${item}@${timestampMs - (timestampMs % windowMs)}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    return [...counts].map(([key, count]) => `${key} ${count}`).sort()
  }

  get homes(): Map<string, string> {
    const homes = [...this.people].map(([key, person]) => [key, person, this.towns.get(person.split(' ')[1]!)])
    return sortedMap(homes.flatMap(([key, person, town]) => (town ? [[key!, `${person} ${town}`]] : [])))
  }

  get both(): Map<string, string> {
    const keys = new Set([...this.people.keys(), ...this.towns.keys()])
    return sortedMap([...keys].map((key) => [key, `${this.people.get(key) ?? null}/${this.towns.get(key) ?? null}`]))
  }

  private newStep(afterMs: number): Step {
    this.nextMs += afterMs
    const step = { startMs: this.nextMs, orders: [], prices: [] }
    this.steps.push(step)
    return step
  }

  /** Prices that are near enough to a step's orders to be looked at. */
  private pricesAround({ startMs }: Step): Timed[] {
    const isNear = (step: Step) => Math.abs(step.startMs - startMs) <= spanMs + joinMs
    return this.steps.filter(isNear).flatMap(({ prices }) => prices)
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit)
  }

  private order(step: Step, item: string, afterMs: number): InputRecord {
    const order = { item, text: `${item} o${this.recordCount++}`, timestampMs: step.startMs + afterMs }
    step.orders.push(order)
    const { text, timestampMs } = order
    return { topic: 'orders', partition: this.recordCount % this.partitions, timestampMs, key: '', value: text }
  }

  private price(step: Step, item: string, afterMs: number): InputRecord {
    const price = { item, text: `p${this.recordCount++}`, timestampMs: step.startMs + afterMs }
    step.prices.push(price)
    return { topic: 'prices', partition: byKey, timestampMs: price.timestampMs, key: item, value: price.text }
  }

  private change(topic: string, table: Map<string, string>, key: string): InputRecord {
    const record = { topic, partition: byKey, timestampMs: this.nextMs, key }
    if (this.random() < 0.25) {
      table.delete(key)
      return { ...record, value: '' }
    }
    const name = `${topic[0]}${this.recordCount++}`
    const value = topic === 'people' ? `${name} k${this.below(16)}` : name
    table.set(key, value)
    return { ...record, value }
  }
}

function isNear(order: Timed, price: Timed): boolean {
  return order.item === price.item && Math.abs(order.timestampMs - price.timestampMs) <= joinMs
}

function pairsOf(orders: readonly Timed[], prices: readonly Timed[]): string[] {
  return orders.flatMap((order) =>
    prices.filter((price) => isNear(order, price)).map((price) => `${order.text} at ${price.text}`),
  )
}

function lonelyOf(orders: readonly Timed[], prices: readonly Timed[]): string[] {
  return orders.filter((order) => !prices.some((price) => isNear(order, price))).map(({ text }) => `${text} at none`)
}

function sortedMap(entries: Array<string[]>): Map<string, string> {
  const sorted = entries.sort(([a], [b]) => (a! < b! ? -1 : 1))
  return new Map(sorted as Array<[string, string]>)
}

/** The last value of each key of a topic, without those that were deleted. */
export function tableOf(records: readonly OutputRecord[], topic: string): Map<string, string> {
  const last = new Map<string, string>()
  for (const record of records) if (record.topic === topic) last.set(record.key, record.value)
  return sortedMap([...last].filter(([, value]) => value !== 'null'))
}

export function valuesOf(records: readonly OutputRecord[], topic: string): string[] {
  return records.flatMap((record) => (record.topic === topic ? [record.value] : [])).sort()
}

export function linesOf(records: readonly OutputRecord[], topic: string): string[] {
  return records.flatMap((record) => (record.topic === topic ? [`${record.key} ${record.value}`] : [])).sort()
}
