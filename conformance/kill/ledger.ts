import type { StoredBatch } from './bytes.ts'

/** Repeatable randomness: the seed is in the output of a run. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What the ledger reads of a broker; a LedgerClient. */
export interface LogReader {
  endOffset(topic: string, partition: number): Promise<{ error: number; offset: number }>
  /** Batches from the one that holds `offset` on. */
  fetch(topic: string, partition: number, offset: number): Promise<{ error: number; batches: StoredBatch[] }>
}

/** What was acknowledged: for each partition, the value at each offset. Written by producers, never by the broker. */
export class Ledger {
  readonly topic: string
  readonly partitionCount: number
  private readonly acked: Map<number, string>[]
  /** Values that must be there once, at whatever offset. */
  private readonly somewhere: Set<string>[]
  /** Values that may be there, once. */
  private readonly perhaps: Set<string>[]

  constructor(topic: string, partitionCount: number) {
    this.topic = topic
    this.partitionCount = partitionCount
    this.acked = Array.from({ length: partitionCount }, () => new Map())
    this.somewhere = Array.from({ length: partitionCount }, () => new Set())
    this.perhaps = Array.from({ length: partitionCount }, () => new Set())
  }

  get ackedCount(): number {
    return this.acked.reduce((sum, partition) => sum + partition.size, 0)
  }

  acknowledge(partition: number, baseOffset: number, values: readonly Buffer[]): void {
    const offsets = this.acked[partition]!
    for (const [delta, value] of values.entries()) {
      const id = idOf(value)
      const other = offsets.get(baseOffset + delta)
      if (other !== undefined)
        throw new Error(`${partition}:${baseOffset + delta} was acknowledged for ${other} and ${id}`)
      offsets.set(baseOffset + delta, id)
    }
  }

  /** The broker says that it has these, but not where. */
  acknowledgeSomewhere(partition: number, values: readonly Buffer[]): void {
    for (const value of values) this.somewhere[partition]!.add(idOf(value))
  }

  /** Nobody knows what became of these. */
  allow(partition: number, values: readonly Buffer[]): void {
    for (const value of values) this.perhaps[partition]!.add(idOf(value))
  }

  /**
   * Reads everything and compares. All producers must be idle with nothing unacknowledged: then the log holds exactly
   * the ledger, dense from 0.
   */
  async check(client: LogReader): Promise<void> {
    for (let partition = 0; partition < this.partitionCount; partition++) await this.checkPartition(client, partition)
  }

  private async checkPartition(client: LogReader, partition: number): Promise<void> {
    const expected = this.acked[partition]!
    const unplaced = this.somewhere[partition]!
    const perhaps = this.perhaps[partition]!
    const { error, offset: end } = await client.endOffset(this.topic, partition)
    if (error !== 0) throw new Error(`end offset of ${partition}: error ${error}`)
    const where = `partition ${partition}, ${expected.size} and ${unplaced.size} acknowledged, end offset ${end}`
    const seen = new Set<string>()
    let extra = 0
    let next = 0
    while (next < end) {
      const { error: fetchError, batches } = await client.fetch(this.topic, partition, next)
      if (fetchError !== 0 || batches.length === 0) throw new Error(`${where}: fetch at ${next}: error ${fetchError}`)
      for (const { baseOffset, values } of batches) {
        if (baseOffset !== next) throw new Error(`${where}: batch at ${baseOffset} where ${next} was due`)
        for (const value of values) {
          const id = idOf(value)
          const isPlaced = expected.get(next) === id
          const isDue = isPlaced || (!expected.has(next) && (unplaced.has(id) || perhaps.has(id)))
          if (!isDue) throw new Error(`${where}: offset ${next} has ${id}, not ${expected.get(next)}`)
          if (seen.has(id)) throw new Error(`${where}: ${id} is there twice, again at ${next}`)
          seen.add(id)
          if (!isPlaced && perhaps.has(id)) extra++
          next++
        }
      }
    }
    if (seen.size !== expected.size + unplaced.size + extra) throw new Error(`${where}: only ${seen.size} found`)
  }
}

/** A value is `id` and a space, then padding. */
function idOf(value: Buffer): string {
  return value.toString('latin1', 0, value.indexOf(0x20))
}
