import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildBatch } from '../../protocol/records/builder.ts'
import { Codec } from '../../protocol/records/layout.ts'
import type { PartitionLog } from '../partition-log.ts'
import { DIRECTORY, marker, openLog, type TestEnvironment, testEnvironment } from '../testkit.ts'
import { CLEANING, lastValues, readCommitted } from './cleaner.testkit.ts'

const HOUR_MS = 3_600_000
const CONFIG = {
  cleanupCompact: true,
  cleanupDelete: false,
  segmentBytes: 500,
  indexIntervalBytes: 100,
  deleteRetentionMs: 3 * HOUR_MS,
} as const
const FIRST_TRANSACTIONAL = 100
const CODECS = [Codec.none, Codec.none, Codec.gzip, Codec.lz4]

interface Written {
  readonly offset: number
  readonly key: string
  readonly value: string | undefined
  readonly timestamp: number
  state: 'committed' | 'aborted' | 'open'
  readonly producerId: number
}

type Step =
  | { readonly kind: 'append'; producerId: number; records: [number, boolean][]; codec: number }
  | { readonly kind: 'end'; producerId: number; commits: boolean }
  | { readonly kind: 'clean'; mapBytes: number }
  | { readonly kind: 'crash'; operations: number; keeps: boolean; mapBytes: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'restart' }

const record = fc.tuple(fc.integer({ min: 0, max: 7 }), fc.boolean())
const mapBytes = fc.constantFrom(2 ** 16, 64 * 24)
const transactional = fc.constantFrom(FIRST_TRANSACTIONAL, FIRST_TRANSACTIONAL + 1)
const append = fc.record({
  kind: fc.constant('append' as const),
  producerId: fc.oneof(fc.constantFrom(-1, -1, 1), transactional),
  records: fc.array(record, { minLength: 1, maxLength: 5 }),
  codec: fc.integer({ min: 0, max: 3 }),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: append },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end'), producerId: transactional, commits: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('clean'), mapBytes }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash'),
      operations: fc.integer({ min: 0, max: 60 }),
      keeps: fc.boolean(),
      mapBytes,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart') }) },
)

/** A log, and what it should say. */
class Run {
  readonly environment: TestEnvironment = testEnvironment({ producerIdExpirationMs: Number.MAX_SAFE_INTEGER })
  readonly written: Written[] = []
  readonly #sequences = new Map<number, number>()
  #log: PartitionLog = openLog(this.environment, CONFIG)
  #cleanedTo: number | undefined
  #count = 0

  async take(step: Step): Promise<void> {
    if (step.kind === 'append') await this.#append(step)
    else if (step.kind === 'end') await this.#end(step.producerId, step.commits)
    else if (step.kind === 'clean') this.#cleanedTo = await this.#clean(step.mapBytes)
    else if (step.kind === 'wait') await this.environment.time.advance(HOUR_MS)
    else if (step.kind === 'crash') await this.#crash(step)
    else await this.#restart()
    await this.#check()
  }

  async #append({ producerId, records, codec }: Step & { kind: 'append' }): Promise<void> {
    const timestamp = this.environment.time.nowMs()
    const inputs = records.map(([key, hasValue]) => ({
      key: `k${key}`,
      value: hasValue ? `v${this.#count++}` : undefined,
    }))
    const baseSequence = this.#sequences.get(producerId) ?? 0
    const isTransactional = producerId >= FIRST_TRANSACTIONAL
    const identity = producerId < 0 ? {} : { producerId, producerEpoch: 0, baseSequence, isTransactional }
    const batch = buildBatch(
      inputs.map(({ key, value }) => ({
        timestamp,
        key: Buffer.from(key),
        value: value === undefined ? null : Buffer.from(value),
      })),
      { codec: CODECS[codec]!, ...identity },
    )
    const { firstOffset } = await this.#log.append([batch], { leaderEpoch: 0, origin: 'client' })
    this.#sequences.set(producerId, baseSequence + records.length)
    const state = isTransactional ? 'open' : 'committed'
    inputs.forEach((input, i) => {
      this.written.push({ ...input, offset: firstOffset + i, timestamp, state, producerId })
    })
    this.#log.advanceHighWatermark(this.#log.logEndOffset)
  }

  async #end(producerId: number, commits: boolean): Promise<void> {
    if (!this.written.some((one) => one.producerId === producerId && one.state === 'open')) return
    const batch = marker(commits ? 'commit' : 'abort', producerId, 0)
    await this.#log.append([batch], { leaderEpoch: 0, origin: 'coordinator' })
    for (const one of this.written) {
      if (one.producerId === producerId && one.state === 'open') one.state = commits ? 'committed' : 'aborted'
    }
    this.#log.advanceHighWatermark(this.#log.logEndOffset)
  }

  #clean(dedupeBufferBytes: number): Promise<number> {
    const range = this.#log.cleanableRange(this.#cleanedTo)
    if (range.cleanableBytes === 0) return Promise.resolve(range.firstDirtyOffset)
    return this.#log.clean(range, { ...CLEANING, dedupeBufferBytes })
  }

  /** The machine stops after some operations on the disk. */
  async #crash({ operations, keeps, mapBytes }: Step & { kind: 'crash' }): Promise<void> {
    const { disk } = this.environment
    await this.#log.flush()
    let left = operations
    disk.fault = (operation) => (operation !== 'read' && left-- <= 0 ? 'EIO' : undefined)
    try {
      await this.#clean(mapBytes)
    } catch {
      // It is about to be forgotten.
    }
    disk.fault = () => undefined
    const { recoveryPoint, highWatermark } = this.#log
    this.#log.closeFiles()
    disk.crash((_, unsyncedBytes) => (keeps ? unsyncedBytes : 0))
    this.#log = openLog(this.environment, CONFIG, { recoveryPoint, highWatermark, wasCompacted: true })
  }

  async #restart(): Promise<void> {
    const { highWatermark } = this.#log
    await this.#log.close()
    const { recoveryPoint } = this.#log
    this.#log = openLog(this.environment, CONFIG, { recoveryPoint, highWatermark, cleanShutdown: true })
  }

  async #check(): Promise<void> {
    const log = this.#log
    expect(log.offline).toBeUndefined()
    const stable = this.written.filter(({ offset, state }) => state === 'committed' && offset < log.lastStableOffset)
    const seen = await readCommitted(log)
    expect(lastValues(seen)).toEqual(lastValues(stable))
    const byOffset = new Map(stable.map((one) => [one.offset, one]))
    let previous = -1
    for (const one of seen) {
      expect(one.offset).toBeGreaterThan(previous)
      previous = one.offset
      expect(byOffset.get(one.offset)).toMatchObject(one)
    }
    const newest = (all: readonly { key: string | undefined; value: string | undefined; offset: number }[]) =>
      new Map(all.filter(({ value }) => value !== undefined).map(({ key, offset }) => [key, offset]))
    const kept = newest(seen)
    for (const [key, offset] of newest(stable)) {
      if (lastValues(stable).has(key!)) expect(kept.get(key)).toBe(offset)
    }
    for (const { producerId, lastSequence } of log.activeProducers()) {
      expect(lastSequence).toBe((this.#sequences.get(producerId) ?? 0) - 1)
    }
    expect(log.activeProducers()).toHaveLength([...this.#sequences.keys()].filter((id) => id >= 0).length)
    const names = this.environment.disk.list(DIRECTORY).map(({ name }) => name)
    expect(names.filter((name) => name.endsWith('.cleaned') || name.endsWith('.swap'))).toEqual([])
  }
}

describe('a compacted log', () => {
  test('says the same as one that is not, whatever it is compacted, stopped or cut off at', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const run = new Run()
        for (const one of steps) await run.take(one)
      }),
      { numRuns: 150 },
    )
  })
})
