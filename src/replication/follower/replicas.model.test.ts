import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PartitionLog } from '../../log/partition-log.ts'
import { batchOf, marker, readBatches, SeededRandom } from '../../log/testkit.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { ReplicaCluster, type ReplicaNode } from './replicas.testkit.ts'

const CONFIG = { segmentBytes: 700, indexIntervalBytes: 64, segmentIndexBytes: 240, fileDeleteDelayMs: 10 }

type Step =
  | { kind: 'append'; node: number; sizes: number[]; how: 'plain' | 'idempotent' | 'transactional'; commits: boolean }
  | { kind: 'elect'; node: number; toldMs: number[] }
  | { kind: 'wait'; ms: number }
  | { kind: 'kill'; node: number; isPowerFailure: boolean; restMs: number }
  | { kind: 'isolate'; node: number }
  | { kind: 'heal' }
  | { kind: 'deleteRecords'; share: number }
  | { kind: 'flush'; node: number }

const node = fc.integer({ min: 1, max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      node,
      sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
      how: fc.constantFrom('plain' as const, 'idempotent' as const, 'transactional' as const),
      commits: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('elect' as const),
      node,
      toldMs: fc.array(fc.nat(600), { minLength: 3, maxLength: 3 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(200) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('kill' as const),
      node,
      isPowerFailure: fc.boolean(),
      restMs: fc.nat(800),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('isolate' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heal' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deleteRecords' as const), share: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const), node }) },
)

/** Everything that replicas must have in common, from `offset` on. */
async function contentOf(log: PartitionLog, from: number, to = Number.POSITIVE_INFINITY) {
  const batches = await readBatches(log, from)
  const within = batches.filter(({ nextOffset }) => nextOffset <= to)
  return within.map((batch) => ({
    base: batch.baseOffset,
    bytes: batch.buffer.toString('base64', batch.position, batch.end),
  }))
}

class Run {
  readonly cluster: ReplicaCluster
  /** Nodes that lost what they had said they had: not to be elected before they have it again. */
  readonly #lost = new Set<number>()
  /** Each record that was committed. */
  readonly #committed = new Map<number, string>()
  #serial = 0
  #producerEpoch = 0
  #sequence = 0

  constructor(seed: number) {
    this.cluster = new ReplicaCluster(new SeededRandom(seed + 1), CONFIG)
  }

  get leader(): ReplicaNode {
    return this.cluster.node(this.cluster.state.leader)
  }

  async take(each: Step): Promise<void> {
    const { cluster } = this
    switch (each.kind) {
      case 'append':
        return this.#append(each)
      case 'elect':
        return this.#elect(each.node, each.toldMs)
      case 'wait':
        return cluster.time.advance(each.ms)
      case 'kill':
        return this.#kill(each.node, each.isPowerFailure, each.restMs)
      case 'isolate':
        for (const { host } of cluster.nodes) {
          cluster.network.cut(`node${each.node}`, host)
          cluster.network.cut(host, `node${each.node}`)
        }
        return
      case 'heal':
        return cluster.network.heal()
      case 'deleteRecords': {
        const { isUp, partition } = this.leader
        if (!isUp || !partition.isLeader) return
        const { logStartOffset, highWatermark } = partition.log
        const offset = logStartOffset + Math.floor(((highWatermark - logStartOffset) * each.share) / 100)
        partition.log.advanceLogStart(offset, 'the test')
        return
      }
      case 'flush': {
        const flushed = cluster.node(each.node)
        if (!flushed.isUp) return
        await flushed.log.flush()
        flushed.checkpoint()
      }
    }
  }

  /** As clients do, without waiting for anything; they may take one for the leader that was. */
  #append({ node: id, sizes, how, commits }: Step & { kind: 'append' }): void {
    const asked = this.cluster.node(id)
    const { partition, isUp } = asked.isUp && asked.partition.isLeader ? asked : this.leader
    if (!isUp || !partition.isLeader) return
    const producerId = 7
    this.#producerEpoch += 1
    this.#sequence = 0
    const isTransactional = how === 'transactional'
    for (const size of sizes) {
      const values = Array.from({ length: size }, () => `v${this.#serial++}`)
      const producer = { producerId, producerEpoch: this.#producerEpoch, baseSequence: this.#sequence, isTransactional }
      this.#sequence += size
      const bytes = batchOf(values, {
        codec: size === 4 ? Codec.gzip : Codec.none,
        ...(how === 'plain' ? {} : producer),
      })
      partition.append([bytes], 1, 'client').catch(() => {})
    }
    if (!isTransactional) return
    const end = marker(commits ? 'commit' : 'abort', producerId, this.#producerEpoch)
    partition.append([end], 1, 'coordinator').catch(() => {})
  }

  #elect(id: number, toldMs: readonly number[]): void {
    const { cluster } = this
    const elected = cluster.node(id)
    const isBehind = [...this.#committed.keys()].some((offset) => elected.isUp && offset >= elected.log.logEndOffset)
    if (!isBehind) this.#lost.delete(id)
    if (!elected.isUp || this.#lost.has(id)) return
    const { state } = cluster
    const { leaderEpoch, partitionEpoch } = state
    const next = { ...state, leader: id, leaderEpoch: leaderEpoch + 1, partitionEpoch: partitionEpoch + 1 }
    cluster.state = next
    for (const each of cluster.nodes) {
      cluster.time.after(toldMs[each.id - 1]!, () => {
        if (each.isUp && each.partition.leaderEpoch < next.leaderEpoch) each.apply(next)
      })
    }
  }

  #kill(id: number, isPowerFailure: boolean, restMs: number): void {
    const { cluster } = this
    const killed = cluster.node(id)
    if (!killed.isUp) return
    if (isPowerFailure && this.#lost.size > 0 && !this.#lost.has(id)) return
    if (isPowerFailure) this.#lost.add(id)
    const { state } = killed.partition
    killed.kill(isPowerFailure)
    // A leader that lost records must not lead on in its epoch: others may have told of those.
    if (isPowerFailure && cluster.state.leader === id) this.#elect((id % 3) + 1, [0, 0, 0])
    const again = isPowerFailure ? () => cluster.state : () => state
    cluster.time.after(restMs, () => void killed.start(again()))
  }

  /** Committed is what the leader says is; that never changes, and every replica that knows of it has the same. */
  async check(): Promise<void> {
    for (const each of this.cluster.nodes) {
      if (!each.isUp || this.#lost.has(each.id)) continue
      const { logStartOffset, highWatermark } = each.log
      for (const { base, bytes } of await contentOf(each.log, logStartOffset, highWatermark)) {
        const known = this.#committed.get(base)
        if (known === undefined) this.#committed.set(base, bytes)
        else expect(bytes).toBe(known)
      }
    }
  }

  /** Nothing is wrong any more, and there is time: all replicas are the same in every respect. */
  async converge(): Promise<void> {
    const { cluster } = this
    cluster.network.heal()
    await cluster.time.advance(2000)
    if (!this.leader.isUp || !this.leader.partition.isLeader) this.#elect((cluster.state.leader % 3) + 1, [0, 0, 0])
    for (const each of cluster.nodes)
      if (each.partition.leaderEpoch < cluster.state.leaderEpoch) each.apply(cluster.state)
    await cluster.time.advance(8000)
    // What a leader of the last epoch alone had may still have to be committed.
    this.#append({ kind: 'append', node: 1, sizes: [1], how: 'plain', commits: true })
    await cluster.time.advance(5000)
    this.#lost.clear()
    await this.check()
    const [first, ...others] = cluster.nodes
    const start = Math.max(...cluster.nodes.map(({ log }) => log.logStartOffset))
    expect(first!.log.highWatermark).toBe(first!.log.logEndOffset)
    for (const other of others) {
      const { logEndOffset, highWatermark } = first!.log
      expect(other.log).toMatchObject({ logEndOffset, highWatermark })
      // A leader that is killed may forget that records were deleted; who followed it then does not.
      expect(other.log.logStartOffset).toBeGreaterThanOrEqual(this.leader.log.logStartOffset)
      expect(await contentOf(other.log, start)).toEqual(await contentOf(first!.log, start))
      expect(epochsFrom(other.log, start)).toEqual(epochsFrom(first!.log, start))
      expect(other.log.producer(7)).toEqual(first!.log.producer(7))
      expect(await abortedIn(other.log, start)).toEqual(await abortedIn(first!.log, start))
    }
  }
}

/** The epoch in force at each offset: compaction of the list at its start is each replica's own affair. */
function epochsFrom(log: PartitionLog, from: number) {
  return Array.from({ length: log.logEndOffset - from }, (_, index) => log.epochForOffset(from + index))
}

async function abortedIn(log: PartitionLog, from: number) {
  const aborted = new Set<string>()
  for (let offset = from; offset < log.lastStableOffset; ) {
    const data = await log.read(offset, { maxBytes: 100_000, minOneBatch: true, upTo: 'lastStable' })
    for (const { producerId, firstOffset } of data.abortedTransactions ?? [])
      aborted.add(`${producerId} ${firstOffset}`)
    if (data.sizeBytes === 0) break
    offset = data.nextOffset
  }
  return [...aborted].sort()
}

describe('replicas', () => {
  it('are the same below the high watermark at all times, and everywhere in the end (KIP-101, KIP-279)', async () => {
    const plan = fc.asyncProperty(fc.nat(), fc.array(step, { minLength: 5, maxLength: 40 }), async (seed, steps) => {
      const run = new Run(seed)
      await run.cluster.start()
      for (const each of steps) {
        await run.take(each)
        await run.cluster.time.advance(1)
        await run.check()
      }
      await run.converge()
    })
    await fc.assert(plan, { numRuns: 40 })
  }, 120_000)
})
