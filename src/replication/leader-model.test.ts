import fc from 'fast-check'
import { expect, it } from 'vitest'
import { errors } from '../protocol/errors.ts'
import { LAG_MS, LedPartitionHarness } from './leader.testkit.ts'

const FOLLOWERS = [2, 3] as const
type Follower = (typeof FOLLOWERS)[number]

interface Fetch {
  readonly brokerId: Follower
  readonly brokerEpoch: number
  readonly offset: number
}

/** What the controller has decided, in its order; the leader hears of it later. */
interface Decision {
  readonly isr: readonly number[]
  readonly partitionEpoch: number
  readonly leaderEpoch: number
  readonly brokers: ReadonlyMap<number, { readonly epoch: number; readonly fenced: boolean }>
}

/**
 * A leader, whose controller and followers do what real ones may: fetches are late, come twice or from an earlier life of
 * the broker, followers crash and lose what they have, answers and metadata are late and come in any order to each other.
 */
class Cluster {
  readonly led = new LedPartitionHarness({}, 2)
  /** What the followers really have. */
  readonly ends: Record<Follower, number> = { 2: 0, 3: 0 }
  readonly #epochs: Record<Follower, number> = { 2: 102, 3: 103 }
  readonly #fenced = new Set<Follower>()
  readonly #onTheWay: Fetch[] = []
  readonly #untold: Decision[] = []
  isr: readonly number[] = [1, 2, 3]
  #partitionEpoch = 10
  #leaderEpoch = 4
  acked = 0
  #highWatermark = 0

  async append(acks: number): Promise<void> {
    const appended = this.led.append(acks, 2 ** 31)
    await this.led.settle()
    if (acks !== -1 || typeof appended.outcome !== 'object' || !('lastOffset' in appended.outcome)) return
    this.acked = Math.max(this.acked, appended.outcome.lastOffset + 1)
  }

  sendFetch(brokerId: Follower): void {
    if (this.#fenced.has(brokerId)) return
    this.#onTheWay.push({ brokerId, brokerEpoch: this.#epochs[brokerId], offset: this.ends[brokerId] })
  }

  receiveFetch(choice: number, isTwice: boolean, count: number): void {
    if (this.#onTheWay.length === 0) return
    const index = choice % this.#onTheWay.length
    const fetch = isTwice ? this.#onTheWay[index]! : this.#onTheWay.splice(index, 1)[0]!
    const { brokerId, brokerEpoch, offset } = fetch
    if (offset > this.led.log.logEndOffset) return
    const refusal = this.led.partition.fetchedBy({ ...fetch, logStartOffset: 0 })
    // Its answer reaches only the life of the broker that asked, and only where it still is.
    if (refusal !== undefined || brokerEpoch !== this.#epochs[brokerId] || offset !== this.ends[brokerId]) return
    this.ends[brokerId] = Math.min(offset + count, this.led.log.logEndOffset)
  }

  /** The broker is gone, and with it what was not on its disk. */
  crash(brokerId: Follower, lost: number): void {
    this.ends[brokerId] = Math.max(0, this.ends[brokerId] - lost)
    this.#epochs[brokerId] += 100
    this.#fenced.add(brokerId)
    this.#decide(this.isr.filter((id) => id !== brokerId))
  }

  unfence(brokerId: Follower): void {
    this.#fenced.delete(brokerId)
    this.#decide(this.isr)
  }

  reelect(): void {
    this.#leaderEpoch += 1
    this.#decide(this.isr)
  }

  #decide(isr: readonly number[]): void {
    this.isr = isr
    this.#partitionEpoch += 1
    const brokers = new Map<number, { epoch: number; fenced: boolean }>([[1, { epoch: 101, fenced: false }]])
    for (const id of FOLLOWERS) brokers.set(id, { epoch: this.#epochs[id], fenced: this.#fenced.has(id) })
    this.#untold.push({ isr, partitionEpoch: this.#partitionEpoch, leaderEpoch: this.#leaderEpoch, brokers })
  }

  hearMetadata(): void {
    const decision = this.#untold.shift()
    if (decision === undefined) return
    const { isr, partitionEpoch, leaderEpoch, brokers } = decision
    for (const [id, broker] of brokers) this.led.brokers.set(id, { ...broker, inControlledShutdown: false })
    this.led.update({ isr, partitionEpoch, leaderEpoch })
  }

  /** The controller decides on the oldest request; the answer is late, or lost, where the metadata tell. */
  answer(isAnswered: boolean): void {
    const asked = this.led.changes.asked.shift()
    if (asked === undefined) return
    const { change, onAnswer } = asked
    const refuse = (error: (typeof errors)[keyof typeof errors]) => {
      onAnswer({ error, leaderEpoch: -1, partitionEpoch: -1, isr: [] })
    }
    const isOutOfDate = change.leaderEpoch !== this.#leaderEpoch || change.partitionEpoch !== this.#partitionEpoch
    if (isOutOfDate) {
      refuse(errors.INVALID_UPDATE_VERSION)
      return
    }
    const isEligible = change.isr.every(({ brokerId, brokerEpoch }) => {
      if (brokerId === 1) return true
      const id = brokerId as Follower
      return !this.#fenced.has(id) && (brokerEpoch === -1 || brokerEpoch === this.#epochs[id])
    })
    if (!isEligible) {
      refuse(errors.INELIGIBLE_REPLICA)
      return
    }
    this.#decide(change.isr.map(({ brokerId }) => brokerId))
    const answer = { leaderEpoch: this.#leaderEpoch, partitionEpoch: this.#partitionEpoch, isr: this.isr }
    if (isAnswered) onAnswer({ error: errors.NONE, ...answer })
  }

  check(): void {
    const { highWatermark } = this.led
    expect(highWatermark).toBeGreaterThanOrEqual(this.#highWatermark)
    this.#highWatermark = highWatermark
    expect(this.acked).toBeLessThanOrEqual(highWatermark)
    for (const id of FOLLOWERS) {
      if (this.isr.includes(id)) expect(this.ends[id], `end of follower ${id}`).toBeGreaterThanOrEqual(highWatermark)
    }
  }
}

const follower = fc.constantFrom(...FOLLOWERS)

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<[string, number]>(['append', 1], ['append', -1]) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('sendFetch'), follower) },
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constant('receiveFetch'), fc.nat(20), fc.boolean(), fc.integer({ min: 0, max: 4 })),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('crash'), follower, fc.nat(3)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('unfence'), follower) },
  { weight: 1, arbitrary: fc.constant<[string]>(['reelect']) },
  { weight: 4, arbitrary: fc.constant<[string]>(['hearMetadata']) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('answer'), fc.boolean()) },
  { weight: 1, arbitrary: fc.constant<[string]>(['wait']) },
)

async function run(cluster: Cluster, [name, ...values]: readonly unknown[]): Promise<void> {
  const [first, second, third] = values as [never, never, never]
  switch (name) {
    case 'append':
      return cluster.append(first)
    case 'sendFetch':
      return cluster.sendFetch(first)
    case 'receiveFetch':
      return cluster.receiveFetch(first, second, third)
    case 'crash':
      return cluster.crash(first, second)
    case 'unfence':
      return cluster.unfence(first)
    case 'reelect':
      return cluster.reelect()
    case 'hearMetadata':
      return cluster.hearMetadata()
    case 'answer':
      return cluster.answer(first)
    case 'wait':
      await cluster.led.environment.time.advance(LAG_MS)
      return cluster.led.partition.checkInSync()
  }
}

it('what is committed is with all that the controller may choose the next leader from, whatever happens', async () => {
  let joined = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 50, maxLength: 200, size: 'max' }), async (steps) => {
      const cluster = new Cluster()
      for (const each of steps) {
        const before = cluster.isr.length
        await run(cluster, each)
        if (cluster.isr.length > before) joined += 1
        cluster.check()
      }
    }),
    { numRuns: 150, seed: 4 },
  )
  // Or the rest would have shown little.
  expect(joined).toBeGreaterThan(10)
})
