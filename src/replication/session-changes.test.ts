import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../platform/logger.ts'
import { errors } from '../protocol/errors.ts'
import { FetchReader, type FetchSpec } from './fetch-reader.ts'
import { LedPartitionHarness } from './leader.testkit.ts'
import type { Partition } from './partition.ts'
import { SessionChanges } from './session-changes.ts'

const FOLLOWER = 2
const TWIN = 3
const ALL = [1, FOLLOWER, TWIN]

interface Spec extends FetchSpec {
  fetchOffset: number
  currentLeaderEpoch: number
}

/** Partitions that are led here, and a follower that fetches them by a session; a twin of it does without. */
class World {
  readonly led: LedPartitionHarness[] = []
  readonly specs: Spec[] = []
  readonly gone = new Set<number>()
  readonly reader: FetchReader
  readonly changes: SessionChanges<Spec>
  wake = () => {}

  constructor(count: number) {
    for (let partition = 0; partition < count; partition++) {
      this.led.push(new LedPartitionHarness({ partition, isr: ALL }))
      this.specs.push({
        topic: 'topic',
        topicId: undefined,
        partition,
        fetchOffset: 0,
        maxBytes: 1_000_000,
        currentLeaderEpoch: 4,
        lastFetchedEpoch: -1,
        logStartOffset: 0,
      })
    }
    const get = (_: string, partition: number) =>
      this.gone.has(partition) ? undefined : this.led[partition]?.partition
    this.reader = new FetchReader({ get }, this.led[0]!.environment.time, silentLogger)
    this.changes = new SessionChanges({ get }, FOLLOWER, 100 + FOLLOWER, this.specs)
  }

  /** Answers, by partition, what was looked at; it is answered to the follower. */
  async fetch(maxWaitMs = 0, isThrottled?: (partition: Partition) => boolean) {
    const params = {
      replicaId: FOLLOWER,
      replicaEpoch: 100 + FOLLOWER,
      upTo: 'logEnd',
      mustLead: true,
      minBytes: 1,
      maxBytes: 1_000_000,
      maxWaitMs,
      isThrottled,
    } as const
    const { specs, results } = await this.reader.fetchChanges(params, this.changes, (wake) => {
      this.wake = wake
    })
    this.changes.answered(specs, results)
    return new Map(specs.map(({ partition }, index) => [partition, results[index]!]))
  }

  /** The follower has what there is, and says so with the next fetch. */
  catchUp(partition: number): void {
    const spec = this.specs[partition]!
    spec.fetchOffset = this.led[partition]!.log.logEndOffset
    this.changes.add(spec)
  }

  async pass(durationMs: number): Promise<void> {
    for (const each of new Set(this.led.map(({ environment }) => environment.time))) await each.advance(durationMs)
  }
}

describe('the session of a follower', () => {
  let world: World

  beforeEach(() => {
    world = new World(3)
  })

  it('costs only what has changed', async () => {
    expect((await world.fetch()).size).toBe(3)
    expect((await world.fetch()).size).toBe(0)
    await world.led[1]!.write(2)
    expect(await world.fetch()).toMatchObject(new Map([[1, { sizeBytes: expect.any(Number), logEndOffset: 2 }]]))
    world.catchUp(1)
    expect([...(await world.fetch()).keys()]).toEqual([1])
    // The twin moves the high watermark, of which the follower is told.
    world.led[1]!.fetch(TWIN)
    expect((await world.fetch()).get(1)).toMatchObject({ sizeBytes: 0, highWatermark: 2 })
    expect((await world.fetch()).size).toBe(0)
  })

  it('gives records again until the follower says that it has them', async () => {
    await world.led[0]!.write(1)
    for (let time = 0; time < 3; time++) expect((await world.fetch()).get(0)!.sizeBytes).toBeGreaterThan(0)
  })

  it('waits until something is appended, and not for what is committed', async () => {
    await world.fetch()
    await world.led[1]!.write(1)
    world.catchUp(1)
    await world.fetch()
    let outcome: unknown = 'waits'
    const waiting = world.fetch(60_000).then((looked) => {
      outcome = looked
    })
    world.led[1]!.fetch(TWIN)
    await world.pass(100)
    expect(outcome).toBe('waits')
    await world.led[2]!.write(1)
    await waiting
    expect(outcome).toMatchObject(
      new Map([
        [1, { highWatermark: 1, sizeBytes: 0 }],
        [2, { logEndOffset: 1 }],
      ]),
    )
  })

  it.each<[string, (world: World) => void]>([
    ['the state of a partition changes', ({ led }) => led[0]!.update({ leaderEpoch: 5 })],
    ['a partition goes', ({ led, gone }) => gone.add(0) && led[0]!.partition.end(errors.UNKNOWN_TOPIC_OR_PARTITION)],
    ['the time is up', ({ led }) => void led[0]!.environment.time.advance(60_000)],
    ['its connection ends', (each) => each.wake()],
    ['the broker stops', ({ reader }) => reader.stopWaiting()],
  ])('waits no longer when %s', async (_, happens) => {
    await world.fetch()
    const waiting = world.fetch(60_000)
    await world.pass(0)
    happens(world)
    await expect(waiting).resolves.toBeDefined()
  })

  it('is not woken by what is throttled (KIP-73)', async () => {
    world.led[0]!.update({ isr: [1, TWIN] })
    await world.led[0]!.write(1)
    let looks = 0
    const isThrottled = ({ partition }: Partition) => {
      looks++
      return partition === 0
    }
    const waiting = world.fetch(60_000, isThrottled)
    await world.pass(0)
    const looksBefore = looks
    await world.led[0]!.write(1)
    await world.pass(0)
    expect(looks).toBe(looksBefore)
    await world.led[1]!.write(1)
    await waiting
    expect(looks).toBeGreaterThan(looksBefore)
  })

  it('that is given up leaves no fetch waiting', async () => {
    await world.fetch()
    const waiting = world.fetch(60_000)
    await world.pass(0)
    world.changes.close()
    await expect(waiting).resolves.toBeDefined()
  })

  it('tells of a log start that has moved by itself', async () => {
    await world.led[0]!.write(3)
    world.catchUp(0)
    for (const each of world.led) each.fetch(TWIN)
    await world.fetch()
    await world.fetch()
    expect((await world.fetch()).size).toBe(0)
    world.led[0]!.log.advanceLogStart(2, 'retention')
    expect((await world.fetch()).get(0)).toMatchObject({ logStartOffset: 2 })
  })

  it('looks at a partition with every fetch while its follower is not in sync', async () => {
    const [led] = world.led
    led!.brokers.get(FOLLOWER)!.fenced = true
    led!.update({ isr: [1, TWIN] })
    for (let time = 0; time < 3; time++) expect((await world.fetch()).has(0)).toBe(true)
    expect(led!.changes.isrs).toEqual([])
    led!.brokers.get(FOLLOWER)!.fenced = false
    await world.fetch()
    expect(led!.changes.isrs).toEqual([[1, TWIN, FOLLOWER]])
    led!.changes.answer()
    await world.fetch()
    expect((await world.fetch()).has(0)).toBe(false)
  })

  it('leaves nobody behind who watches', async () => {
    await world.fetch()
    world.changes.delete(world.specs[0]!)
    await world.led[0]!.write(1)
    expect((await world.fetch()).size).toBe(0)
    world.changes.close()
    await world.led[1]!.write(1)
    expect(world.changes.take()).toEqual([])
  })

  it('knows as much of a follower as if all of it were looked at every time', async () => {
    const index = fc.integer({ min: 0, max: 1 })
    const step = fc.oneof(
      fc.record({ what: fc.constant('pass'), index, ms: fc.integer({ min: 1, max: 40_000 }) }),
      fc.record({
        what: fc.constantFrom('fetch', 'fetch', 'fetch', 'append', 'catchUp', 'epoch', 'out', 'in', 'start'),
        index,
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const random = new World(2)
        for (const each of steps) await take(random, each)
      }),
      { numRuns: 60 },
    )
  })
})

async function take(world: World, step: { what: string; index: number; ms?: number }): Promise<void> {
  const led = world.led[step.index]!
  switch (step.what) {
    case 'pass':
      return world.pass(step.ms!)
    case 'append':
      return led.write(1)
    case 'catchUp':
      return world.catchUp(step.index)
    case 'epoch':
      led.update({ leaderEpoch: led.partition.leaderEpoch + 1 })
      return
    case 'out':
      led.update({ isr: [1] })
      return
    case 'in':
      led.update({ isr: ALL })
      return
    case 'start':
      led.log.advanceLogStart(led.log.highWatermark, 'retention')
      return
  }
  // The follower has heard of the epochs; its twin asks for the same.
  for (const [index, spec] of world.specs.entries()) {
    const { partition } = world.led[index]!
    if (spec.currentLeaderEpoch !== partition.leaderEpoch) world.changes.add(spec)
    spec.currentLeaderEpoch = partition.leaderEpoch
    if (spec.fetchOffset < partition.log.logStartOffset) world.catchUp(index)
    world.led[index]!.fetch(TWIN, spec.fetchOffset)
  }
  await world.fetch()
  for (const [index, { partition }] of world.led.entries()) {
    const [follower, twin] = [FOLLOWER, TWIN].map((id) => partition.inSyncFollower(id))
    expect(follower?.lastCaughtUpMs, `partition ${index}`).toBe(twin?.lastCaughtUpMs)
    expect(follower?.logEndOffset, `partition ${index}`).toBe(twin?.logEndOffset)
  }
}
