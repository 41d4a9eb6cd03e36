import fc from 'fast-check'
import { expect, test } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import { ShareError } from './share-error.ts'
import { ShareBench } from './share-partition.testkit.ts'
import { AcknowledgeType } from './share-partition.ts'

const MEMBERS = ['a', 'b', 'c']
const LOCK_MS = 1000
const DELIVERY_LIMIT = 4

type Step =
  | { readonly kind: 'append'; readonly count: number }
  | {
      readonly kind: 'fetch'
      readonly member: string
      readonly maxRecords: number
      readonly isRecordLimit: boolean
      readonly maxBatches: number
      /** The answer does not reach the member. */
      readonly isLost: boolean
    }
  | {
      readonly kind: 'acknowledge'
      readonly member: string
      readonly from: number
      readonly count: number
      readonly type: number
      readonly fails: boolean
    }
  | { readonly kind: 'leave'; readonly member: string }
  | { readonly kind: 'wait'; readonly forMs: number }
  | { readonly kind: 'takeOver' }

const member = fc.constantFrom(...MEMBERS)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 6 }) }),
  fc.record({
    kind: fc.constant('fetch' as const),
    member,
    maxRecords: fc.integer({ min: 1, max: 8 }),
    isRecordLimit: fc.boolean(),
    maxBatches: fc.integer({ min: 1, max: 3 }),
    isLost: fc.nat(5).map((n) => n === 0),
  }),
  fc.record({
    kind: fc.constant('acknowledge' as const),
    member,
    from: fc.nat(20),
    count: fc.integer({ min: 1, max: 6 }),
    type: fc.integer({ min: 1, max: 4 }),
    fails: fc.nat(5).map((n) => n === 0),
  }),
  fc.record({ kind: fc.constant('leave' as const), member }),
  fc.record({ kind: fc.constant('wait' as const), forMs: fc.integer({ min: 1, max: 1500 }) }),
  fc.record({ kind: fc.constant('takeOver' as const) }),
)

/** What the members know: who has which record until when, and what is done with for good. */
class Ledger {
  readonly bench = new ShareBench().append(3, 4)
  readonly held = new Map<number, { readonly member: string; untilMs: number }>()
  readonly done = new Set<number>()
  readonly deliveries = new Map<number, number>()

  constructor() {
    this.bench.limits = { deliveryCount: DELIVERY_LIMIT, recordLocks: 12, lockDurationMs: LOCK_MS, mayRenew: true }
  }

  get nowMs(): number {
    return this.bench.time.monotonicMs()
  }

  fetch(
    member: string,
    options: { maxRecords: number; isRecordLimit: boolean; maxBatches: number; isLost: boolean },
  ): number {
    let count = 0
    const acquired = this.bench.fetch(member, options)
    if (options.isLost) {
      const ranges = acquired.map(([firstOffset, lastOffset, deliveryCount]) => ({
        firstOffset,
        lastOffset,
        deliveryCount,
      }))
      this.bench.share.giveBack(member, ranges)
      return 0
    }
    for (const [first, last] of acquired) {
      for (let offset = first; offset <= last; offset++) {
        const held = this.held.get(offset)
        // One member at a time has a record, and nothing that is done with is seen again.
        expect(held === undefined || held.untilMs <= this.nowMs, `${offset} is held by ${held?.member}`).toBe(true)
        expect(this.done.has(offset), `${offset} is done with`).toBe(false)
        this.held.set(offset, { member, untilMs: this.nowMs + LOCK_MS })
        this.deliveries.set(offset, (this.deliveries.get(offset) ?? 0) + 1)
        count++
      }
    }
    if (options.isRecordLimit) expect(count).toBeLessThanOrEqual(options.maxRecords)
    return count
  }

  async acknowledge(member: string, from: number, to: number, type: number, fails = false): Promise<void> {
    if (fails && type !== AcknowledgeType.renew) this.bench.persister.failures.push(errors.COORDINATOR_NOT_AVAILABLE)
    const startOffset = this.bench.share.window.startOffset
    let isTaken = true
    try {
      await this.bench.acknowledge(member, from, to, type)
    } catch (reason) {
      expect(reason).toBeInstanceOf(ShareError)
      isTaken = false
    }
    this.bench.persister.failures.length = 0
    if (!isTaken) return
    for (let offset = Math.max(from, startOffset); offset <= to; offset++) this.#taken(member, offset, type)
  }

  #taken(member: string, offset: number, type: number): void {
    const held = this.held.get(offset)
    expect(held?.member, `${offset} acknowledged by ${member}`).toBe(member)
    expect(held!.untilMs).toBeGreaterThan(this.nowMs)
    if (type === AcknowledgeType.renew) {
      held!.untilMs = this.nowMs + LOCK_MS
      return
    }
    this.held.delete(offset)
    if (type !== AcknowledgeType.release) this.done.add(offset)
  }

  async run(step: Step): Promise<void> {
    if (step.kind === 'append') this.bench.append(step.count)
    else if (step.kind === 'fetch') this.fetch(step.member, step)
    else if (step.kind === 'acknowledge') {
      const from = this.bench.share.window.startOffset + step.from
      await this.acknowledge(step.member, from, from + step.count - 1, step.type, step.fails)
    } else if (step.kind === 'leave') {
      await this.bench.share.release(step.member)
      for (const [offset, { member }] of this.held) if (member === step.member) this.held.delete(offset)
    } else if (step.kind === 'wait') await this.bench.time.advance(step.forMs)
    else {
      await this.bench.takeOver()
      this.held.clear()
    }
  }

  /** Takes and accepts all there is, waiting for locks. */
  async drain(): Promise<void> {
    const end = this.bench.log.at(-1)!.lastOffset + 1
    for (let i = 0; i < 200 && this.bench.share.window.startOffset < end; i++) {
      await this.bench.time.advance(LOCK_MS)
      this.fetch('z', { maxRecords: 100, isRecordLimit: false, maxBatches: 100, isLost: false })
      const mine = [...this.held].filter(([, { member, untilMs }]) => member === 'z' && untilMs > this.nowMs)
      for (const [offset] of mine) await this.acknowledge('z', offset, offset, AcknowledgeType.accept)
    }
    expect(this.bench.share.window.startOffset).toBe(end)
    for (let offset = 0; offset < end; offset++) {
      const isSpent = (this.deliveries.get(offset) ?? 0) >= DELIVERY_LIMIT
      expect(this.done.has(offset) || isSpent, `${offset} is lost`).toBe(true)
    }
  }
}

test('a record has one owner at a time, what is done is not seen again, and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const ledger = new Ledger()
      await ledger.bench.load()
      for (const next of steps) await ledger.run(next)
      await ledger.drain()
    }),
    { numRuns: 150 },
  )
})
