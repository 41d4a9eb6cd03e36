import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchesIn } from '../protocol/records/batch.ts'
import { Codec } from '../protocol/records/layout.ts'
import { LogError } from './append-error.ts'
import type { PartitionLog } from './partition-log.ts'
import { TailBudget } from './tail-cache.ts'
import { batchOf, CLIENT, openLog, readBatches, readValues, SeededRandom, testEnvironment } from './testkit.ts'

const CONFIG = { segmentBytes: 600, indexIntervalBytes: 64, segmentIndexBytes: 240, fileDeleteDelayMs: 10 }
const PRODUCER_ID = 7

type Step =
  | { kind: 'append'; counts: number[]; codec: 0 | 1; idempotent: boolean }
  | { kind: 'repeat' }
  | { kind: 'flush' }
  | { kind: 'crash'; keep: number; flip: boolean }
  | { kind: 'restart' }
  | { kind: 'full'; bytes: number }
  | { kind: 'broken' }
  | { kind: 'truncate'; back: number }
  | { kind: 'deleteRecords'; share: number }
  | { kind: 'retire' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: appends() },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('repeat' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), keep: fc.nat(1000), flip: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('full' as const), bytes: fc.nat(400) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('broken' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), back: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deleteRecords' as const), share: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retire' as const) }) },
)

function appends(): fc.Arbitrary<Step> {
  return fc.record({
    kind: fc.constant('append' as const),
    counts: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    codec: fc.constantFrom(0 as const, 1 as const),
    idempotent: fc.boolean(),
  })
}

/** Runs steps on a log and beside it on a plain list, and compares the two after each. */
class Run {
  readonly environment
  log: PartitionLog
  /** The records from offset 0 on. */
  values: string[] = []
  start = 0
  sequence = 0
  #lastIdempotent: { values: string[]; sequence: number; offset: number } | undefined
  #serial = 0
  readonly #random: SeededRandom

  constructor(seed: number, tailCacheBytes: number) {
    this.#random = new SeededRandom(seed + 1)
    this.environment = testEnvironment({ tailCacheBytes, tailBudget: new TailBudget(500) })
    this.log = openLog(this.environment, CONFIG)
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'append':
        return this.#append(step)
      case 'repeat':
        return this.#repeat()
      case 'flush':
        await this.log.flush()
        expect(this.log.recoveryPoint).toBe(this.log.logEndOffset)
        return
      case 'crash':
        return this.#crash(step.keep / 1000, step.flip)
      case 'restart': {
        await this.log.close()
        const { logStartOffset, highWatermark } = this.log
        this.log = openLog(this.environment, CONFIG, { cleanShutdown: true, logStartOffset, highWatermark })
        return
      }
      case 'full':
        return this.#fail(step.bytes)
      case 'broken':
        return this.#fail(undefined)
      case 'truncate':
        return this.#truncate(step.back)
      case 'deleteRecords': {
        const { logStartOffset, logEndOffset } = this.log
        this.log.advanceHighWatermark(logEndOffset)
        const offset = logStartOffset + Math.floor(((logEndOffset - logStartOffset) * step.share) / 100)
        this.log.advanceLogStart(offset, 'the test')
        this.start = offset
        return
      }
      case 'retire':
        this.log.retire()
        await this.environment.time.advance(20)
        expect(this.log.logStartOffset).toBe(this.start)
    }
  }

  #newValues(count: number): string[] {
    return Array.from({ length: count }, () => `v${this.#serial++}`)
  }

  async #append(step: Step & { kind: 'append' }): Promise<void> {
    const codec = step.codec === 0 ? Codec.none : Codec.gzip
    const pending = step.counts.map((count) => {
      const values = this.#newValues(count)
      const offset = this.values.length
      this.values.push(...values)
      if (!step.idempotent) return { offset, promise: this.log.append([batchOf(values, { codec })], CLIENT) }
      const sequence = this.sequence
      this.#lastIdempotent = { values, sequence, offset }
      this.sequence += count
      const producer = { producerId: PRODUCER_ID, producerEpoch: 0, baseSequence: sequence }
      return { offset, promise: this.log.append([batchOf(values, { codec, ...producer })], CLIENT) }
    })
    for (const { offset, promise } of pending) expect((await promise).firstOffset).toBe(offset)
  }

  async #repeat(): Promise<void> {
    const last = this.#lastIdempotent
    if (!last) return
    const producer = { producerId: PRODUCER_ID, producerEpoch: 0, baseSequence: last.sequence }
    const info = await this.log.append([batchOf(last.values, producer)], CLIENT)
    expect(info).toMatchObject({ duplicate: true, firstOffset: last.offset })
  }

  async #crash(keep: number, flip: boolean): Promise<void> {
    const { recoveryPoint, highWatermark } = this.log
    // Some files were synced by rolls that have not been taken into account yet, so nothing is known past this.
    this.log.closeFiles()
    this.environment.disk.crash((_, unsynced) => Math.floor(unsynced * keep))
    if (flip) this.#flipBehind(recoveryPoint)
    const logStartOffset = this.start
    this.log = openLog(this.environment, CONFIG, { recoveryPoint, logStartOffset, highWatermark })
    expect(this.log.offline).toBeUndefined()
    expect(this.log.logEndOffset).toBeGreaterThanOrEqual(recoveryPoint)
    expect(this.log.logEndOffset).toBeLessThanOrEqual(this.values.length)
    this.#shorten(this.log.logEndOffset)
  }

  /** Spoils a byte of the newest batch, if that was not flushed. */
  #flipBehind(recoveryPoint: number): void {
    const { disk } = this.environment
    const names = disk.list('/data/topic-0').map((entry) => entry.name)
    const newest = names.filter((name) => name.endsWith('.log')).pop()!
    if (Number(newest.slice(0, 20)) < recoveryPoint) return
    const file = disk.open(`/data/topic-0/${newest}`, 'write')
    const at = this.#random.below(Math.max(1, file.sizeBytes()))
    if (!isGuarded(disk.readFile(file.path), at)) return
    const byte = Buffer.alloc(1)
    file.readSync(byte, at)
    file.writeSync([Buffer.from([byte[0]! ^ (1 << this.#random.below(8))])], at)
    file.syncNow()
  }

  #shorten(endOffset: number): void {
    this.values.length = endOffset
    const lost = this.#lastIdempotent && this.#lastIdempotent.offset >= endOffset
    const entry = this.log.activeProducers().find((producer) => producer.producerId === PRODUCER_ID)
    if (lost || !entry) this.#lastIdempotent = undefined
    this.sequence = entry ? entry.lastSequence + 1 : 0
  }

  /** Appends that do not fit (or meet a broken disk) leave no trace, and the next one succeeds. */
  async #fail(roomBytes: number | undefined): Promise<void> {
    const { disk } = this.environment
    if (roomBytes !== undefined) disk.capacityBytes = disk.usedBytes() + roomBytes
    else disk.fault = (operation, path) => (operation === 'write' && path.endsWith('.log') ? 'EIO' : undefined)
    const before = this.log.logEndOffset
    const batches = [1, 2, 3, 4].map((count) => this.#newValues(count))
    const producer = { producerId: PRODUCER_ID, producerEpoch: 0, baseSequence: this.sequence }
    const outcomes = await Promise.allSettled([
      ...batches.map((values) => this.log.append([batchOf(values)], CLIENT)),
      this.log.append([batchOf(['last'], producer)], CLIENT),
    ])
    disk.capacityBytes = Number.POSITIVE_INFINITY
    disk.fault = () => undefined
    const written = [...batches, ['last']].filter((_, i) => outcomes[i]!.status === 'fulfilled')
    this.values.push(...written.flat())
    expect(this.log.logEndOffset).toBe(before + written.flat().length)
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue
      expect(outcome.reason).toBeInstanceOf(LogError)
      expect(outcome.reason.error.name).toBe('KAFKA_STORAGE_ERROR')
    }
    if (outcomes[4]!.status === 'fulfilled') {
      this.#lastIdempotent = { values: ['last'], sequence: this.sequence, offset: this.values.length - 1 }
      this.sequence += 1
    }
    expect(this.log.offline).toBeUndefined()
  }

  /** Truncation is at batch boundaries, and is flushed here: a crash may bring back what it cut off. */
  async #truncate(back: number): Promise<void> {
    const batches = await readBatches(this.log, this.start)
    const bases = batches.map((batch) => batch.baseOffset).filter((base) => base >= this.start)
    const offset = bases[bases.length - 1 - back]
    if (offset === undefined) return
    await this.log.truncateTo(offset)
    this.#shorten(offset)
    for (const { name } of this.environment.disk.list('/data/topic-0')) {
      this.environment.disk.open(`/data/topic-0/${name}`, 'write').syncNow()
    }
  }

  async check(): Promise<void> {
    expect(this.log.logStartOffset).toBe(this.start)
    expect(this.log.logEndOffset).toBe(this.values.length)
    const expected = this.values.map((value, offset) => [offset, value] as const).slice(this.start)
    const found = (await readValues(this.log, this.start)).filter(([offset]) => offset >= this.start)
    expect(found).toEqual(expected)
    for (const offset of [this.start, (this.start + this.values.length) >>> 1]) {
      if (offset < this.values.length)
        expect((await readValues(this.log, offset)).at(-1)?.[0]).toBe(this.values.length - 1)
    }
  }
}

/** Neither base offset nor leader epoch are covered by the CRC of a batch. */
function isGuarded(bytes: Buffer, at: number): boolean {
  for (const batch of batchesIn(bytes)) {
    if (at >= batch.end) continue
    const within = at - batch.position
    return (within >= 8 && within < 12) || within >= 16
  }
  return false
}

describe('a log and a list', () => {
  it.each([0, 400])('say the same, whatever happens to the disk (tail cache of %i bytes)', async (tailCacheBytes) => {
    const plan = fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 40 }), async (seed, steps) => {
      const run = new Run(seed, tailCacheBytes)
      for (const each of steps) {
        await run.take(each)
        await run.check()
      }
    })
    await fc.assert(plan, { numRuns: 150 })
  })
})
