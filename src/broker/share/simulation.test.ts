import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CoordinatorError } from '../../coordinator/coordinator-error.ts'
import { MemoryCoordinatorLog } from '../../coordinator/memory-log.testkit.ts'
import { ShareCoordinator } from '../../coordinator/share/share-coordinator.ts'
import { RetryingPersister, type SharePersister } from '../../coordinator/share/share-persister.ts'
import { silentLogger } from '../../platform/logger.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { errors } from '../../protocol/errors.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { ShareError } from './share-error.ts'
import { KEY, MemoryPersister, ShareBench } from './share-partition.testkit.ts'
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
  readonly bench: ShareBench<SharePersister>
  readonly #fail: (isFailing: boolean) => void
  readonly held = new Map<number, { readonly member: string; untilMs: number }>()
  readonly done = new Set<number>()
  readonly deliveries = new Map<number, number>()

  /** `fail`: the next write of the state fails, or not any more. */
  constructor(bench: ShareBench<SharePersister>, fail: (isFailing: boolean) => void) {
    this.bench = bench.append(3, 4)
    this.#fail = fail
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
    this.#fail(fails && type !== AcknowledgeType.renew)
    const startOffset = this.bench.share.window.startOffset
    let isTaken = true
    try {
      await this.bench.acknowledge(member, from, to, type)
    } catch (reason) {
      expect(reason).toBeInstanceOf(ShareError)
      isTaken = false
    }
    this.#fail(false)
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
      await this.bench.release(step.member)
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

const steps = fc.array(step, { maxLength: 40 })

async function tell(ledger: Ledger, story: readonly Step[]): Promise<void> {
  await ledger.bench.load()
  for (const next of story) await ledger.run(next)
  await ledger.drain()
}

const RULE = 'a record has one owner at a time, what is done is not seen again, and nothing is lost'

test(RULE, async () => {
  const check = async (story: readonly Step[]) => {
    const persister = new MemoryPersister()
    const fail = (isFailing: boolean) => {
      persister.failures.splice(0, 1, ...(isFailing ? [errors.COORDINATOR_NOT_AVAILABLE] : []))
    }
    await tell(new Ledger(new ShareBench(persister), fail), story)
  }
  await fc.assert(fc.asyncProperty(steps, check), { numRuns: 150 })
})

/** A share coordinator, and the log that outlives it. Snapshots and prunings come often. */
class DurableState {
  readonly time = new VirtualTime()
  readonly log = new MemoryCoordinatorLog()
  readonly persister: SharePersister
  #shares = this.#start()

  constructor() {
    const current = () => this.#shares
    this.persister = new RetryingPersister({
      get shares() {
        return current()
      },
      time: this.time,
      hasTopic: () => true,
      makeTopic: async () => errors.NONE.code,
    })
  }

  #start(): ShareCoordinator {
    return new ShareCoordinator({
      log: this.log,
      config: {
        updatesPerSnapshot: 3,
        coldSnapshotIntervalMs: 2000,
        pruneIntervalMs: 700,
        writeTimeoutMs: 5000,
        lingerMs: -1,
      },
      codec: Codec.none,
      partitionCount: () => 1,
      exists: () => true,
      time: this.time,
      logger: silentLogger,
    })
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const note = () => {
      isSettled = true
    }
    promise.then(note, note)
    for (let i = 0; i < 20 && !isSettled; i++) await this.time.advance(0)
    expect(isSettled, 'it ends without time passing').toBe(true)
    return await promise
  }

  async load(): Promise<void> {
    await this.settle(this.#shares.onElection(0, 0))
  }

  /** What is not in the log is gone. */
  async crash(): Promise<void> {
    this.#shares = this.#start()
    await this.load()
  }
}

class DurableBench extends ShareBench<SharePersister> {
  readonly state: DurableState

  constructor(state: DurableState) {
    super(state.persister, state.time)
    this.state = state
  }

  override settle<T>(promise: Promise<T>): Promise<T> {
    return this.state.settle(promise)
  }

  /** The leader of the partition and the coordinator of its state crash together. */
  override async takeOver(): Promise<void> {
    await this.state.crash()
    await super.takeOver()
  }
}

test(`${RULE}, also by a coordinator that crashes, and whose log is pruned`, async () => {
  let prunedCount = 0
  const check = async (story: readonly Step[]) => {
    const state = new DurableState()
    await state.load()
    await state.settle(state.persister.initialize(KEY, 0, -1))
    const fail = (isFailing: boolean) => {
      state.log.failures.splice(0, 1, ...(isFailing ? [new CoordinatorError(errors.MESSAGE_TOO_LARGE)] : []))
    }
    await tell(new Ledger(new DurableBench(state), fail), story)
    if (new BatchView(state.log.batches.get(0)![0]!).baseOffset > 0) prunedCount++
  }
  await fc.assert(fc.asyncProperty(steps, check), { numRuns: 100 })
  expect(prunedCount).toBeGreaterThan(0)
})
