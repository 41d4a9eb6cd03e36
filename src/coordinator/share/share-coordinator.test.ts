import { expect, test } from 'vitest'
import { silentLogger } from '../../platform/logger.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { errors } from '../../protocol/errors.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { MemoryCoordinatorLog } from '../memory-log.testkit.ts'
import { ShareCoordinator } from './share-coordinator.ts'

const TOPIC = 'kZ2nDsw0T_qn3bZd9sSSAA'
const OTHER = 'kZ2nDsw0T_qn3bZd9sSSAQ'
const UPDATES_PER_SNAPSHOT = 3
const PRUNE_MS = 200_000

class Bench {
  readonly time = new VirtualTime()
  readonly log = new MemoryCoordinatorLog()
  shares = this.#start()

  #start(): ShareCoordinator {
    return new ShareCoordinator({
      log: this.log,
      config: {
        updatesPerSnapshot: UPDATES_PER_SNAPSHOT,
        coldSnapshotIntervalMs: 300_000,
        pruneIntervalMs: PRUNE_MS,
        writeTimeoutMs: 5000,
        lingerMs: -1,
      },
      codec: Codec.none,
      partitionCount: () => 1,
      exists: (topicId, partition) => topicId === TOPIC && partition < 2,
      time: this.time,
      logger: silentLogger,
    })
  }

  async load(): Promise<this> {
    await this.#run(this.shares.onElection(0, 0))
    return this
  }

  /** The state as it is after a crash. */
  async restart(): Promise<void> {
    this.shares = this.#start()
    await this.load()
  }

  async #run<T>(promise: Promise<T>): Promise<T> {
    await this.time.advance(1)
    return await promise
  }

  async initialize(stateEpoch: number, startOffset: number, { topicId = TOPIC, partition = 0, groupId = 'g' } = {}) {
    const partitions = [{ partition, stateEpoch, startOffset }]
    const { results } = await this.#run(this.shares.initialize({ groupId, topics: [{ topicId, partitions }] }))
    return results[0]?.partitions[0]
  }

  /** The offset that the log begins with, of all that was ever written. */
  get logStart(): number {
    return new BatchView(this.log.batches.get(0)![0]!).baseOffset
  }

  async write(startOffset: number, batch?: [number, number, number, number], { leaderEpoch = 0, stateEpoch = 0 } = {}) {
    const [firstOffset, lastOffset, deliveryState, deliveryCount] = batch ?? []
    const stateBatches =
      batch === undefined
        ? []
        : [
            {
              firstOffset: firstOffset!,
              lastOffset: lastOffset!,
              deliveryState: deliveryState!,
              deliveryCount: deliveryCount!,
            },
          ]
    const partitions = [{ partition: 0, stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount: 0, stateBatches }]
    const { results } = await this.#run(this.shares.write({ groupId: 'g', topics: [{ topicId: TOPIC, partitions }] }))
    return results[0]!.partitions[0]!
  }

  async read(leaderEpoch: number) {
    const topics = [{ topicId: TOPIC, partitions: [{ partition: 0, leaderEpoch }] }]
    const { results } = await this.#run(this.shares.read({ groupId: 'g', topics }))
    return results[0]!.partitions[0]!
  }

  async summary() {
    const topics = [{ topicId: TOPIC, partitions: [{ partition: 0, leaderEpoch: -1 }] }]
    const { results } = await this.#run(this.shares.summarise({ groupId: 'g', topics }))
    return results[0]!.partitions[0]!
  }

  async delete(partition = 0) {
    const topics = [{ topicId: TOPIC, partitions: [{ partition }] }]
    const { results } = await this.#run(this.shares.delete({ groupId: 'g', topics }))
    return results[0]!.partitions[0]!
  }
}

function bench(): Promise<Bench> {
  return new Bench().load()
}

test('a share partition must be initialised before it is read or written (KIP-932)', async () => {
  const b = await bench()
  expect(await b.read(0)).toMatchObject({ errorCode: errors.INVALID_REQUEST.code })
  expect(await b.write(0)).toMatchObject({ errorCode: errors.INVALID_REQUEST.code })
  expect(await b.summary()).toMatchObject({ errorCode: 0, startOffset: -1, deliveryCompleteCount: -1 })
  expect(await b.initialize(0, -1)).toMatchObject({ errorCode: 0, errorMessage: null })
  expect(await b.read(0)).toMatchObject({ errorCode: 0, stateEpoch: 0, startOffset: -1, stateBatches: [] })
})

test('what was written is read back, also after a crash and over snapshots', async () => {
  const b = await bench()
  await b.initialize(0, 0)
  for (let i = 0; i < 3 * UPDATES_PER_SNAPSHOT; i++) {
    expect(await b.write(0, [10 * i, 10 * i + 8, 2, 1])).toMatchObject({ errorCode: 0 })
  }
  const before = await b.read(0)
  expect(before.stateBatches).toHaveLength(3 * UPDATES_PER_SNAPSHOT)
  await b.restart()
  expect(await b.read(0)).toEqual(before)
})

test('what lies before the start offset is forgotten, and an unknown start offset keeps the old one', async () => {
  const b = await bench()
  await b.initialize(0, 0)
  await b.write(0, [0, 9, 2, 1])
  await b.write(5, [20, 29, 0, 1])
  await b.write(-1, [30, 39, 0, 2])
  expect(await b.read(0)).toMatchObject({
    startOffset: 5,
    stateBatches: [
      { firstOffset: 5, lastOffset: 9 },
      { firstOffset: 20, lastOffset: 29 },
      { firstOffset: 30, lastOffset: 39 },
    ],
  })
})

test('a new leader fences older ones by reading', async () => {
  const b = await bench()
  await b.initialize(0, 0)
  await b.read(3)
  expect(await b.write(0, undefined, { leaderEpoch: 2 })).toMatchObject({ errorCode: errors.FENCED_LEADER_EPOCH.code })
  expect(await b.read(2)).toMatchObject({ errorCode: errors.FENCED_LEADER_EPOCH.code })
  expect(await b.read(-1)).toMatchObject({ errorCode: 0 })
  expect(await b.summary()).toMatchObject({ leaderEpoch: 3 })
})

test('a new state epoch fences writers of the old one', async () => {
  const b = await bench()
  await b.initialize(1, 0)
  expect(await b.initialize(0, 5)).toMatchObject({ errorCode: errors.FENCED_STATE_EPOCH.code })
  expect(await b.initialize(2, 5)).toMatchObject({ errorCode: 0 })
  expect(await b.write(0, undefined, { stateEpoch: 1 })).toMatchObject({ errorCode: errors.FENCED_STATE_EPOCH.code })
  expect(await b.read(0)).toMatchObject({ stateEpoch: 2, startOffset: 5 })
})

test('deleting makes a share partition unknown; what is unknown is deleted already', async () => {
  const b = await bench()
  await b.initialize(0, 0)
  expect(await b.delete()).toMatchObject({ errorCode: 0 })
  expect(await b.delete()).toMatchObject({ errorCode: 0 })
  await b.restart()
  expect(await b.read(0)).toMatchObject({ errorCode: errors.INVALID_REQUEST.code })
})

test('partitions that do not exist are refused', async () => {
  const b = await bench()
  expect(await b.initialize(0, 0, { topicId: OTHER })).toMatchObject({
    errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION.code,
  })
  expect(await b.initialize(0, 0, { partition: 2 })).toMatchObject({
    errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION.code,
  })
  expect(await b.initialize(0, 0, { partition: -1 })).toMatchObject({
    errorCode: errors.INVALID_REQUEST.code,
    errorMessage: 'The partition id cannot be a negative number.',
  })
  expect(await b.initialize(0, 0, { groupId: '' })).toBeUndefined()
})

test('the state of a deleted topic goes', async () => {
  const b = await bench()
  await b.initialize(0, 0)
  const forgotten = b.shares.onTopicsDeleted(new Set([TOPIC]))
  await b.time.advance(1)
  await forgotten
  expect(await b.read(0)).toMatchObject({ errorCode: errors.INVALID_REQUEST.code })
})

test('a quiet share partition is written anew once, so that the log before it can go', async () => {
  const b = await bench()
  await b.initialize(0, 0)
  const before = b.log.appendCount
  await b.time.advance(600_001)
  expect(b.log.appendCount).toBe(before + 1)
  await b.time.advance(1_000_000)
  expect(b.log.appendCount).toBe(before + 1)
})

test('a coordinator that does not lead the partition says so', async () => {
  const b = await bench()
  b.shares.onResignation(0, 1)
  expect(await b.write(0)).toMatchObject({ errorCode: errors.NOT_COORDINATOR.code })
})

test('records that later ones have replaced are pruned, and what is left tells the same', async () => {
  const b = await bench()
  await b.initialize(0, 0)
  await b.initialize(0, 7, { partition: 1 })
  const writeMany = async () => {
    for (let i = 0; i < 2 * (UPDATES_PER_SNAPSHOT + 1); i++) await b.write(i, [i, i, 2, 1])
  }
  await writeMany()
  await b.time.advance(PRUNE_MS)
  // The other share partition began at offset 1 and has not been written since.
  expect(b.logStart).toBe(1)
  await b.initialize(1, 8, { partition: 1 })
  await writeMany()
  const before = [await b.read(0), await b.summary()]
  await b.time.advance(PRUNE_MS)
  expect(b.logStart).toBeGreaterThan(1)
  const pruned = b.logStart
  await b.restart()
  expect([await b.read(0), await b.summary()]).toEqual(before)
  // After a restart, too.
  await writeMany()
  await b.initialize(2, 9, { partition: 1 })
  await b.time.advance(PRUNE_MS)
  expect(b.logStart).toBeGreaterThan(pruned)
})

test('a quiet share partition does not keep the log from being pruned for ever', async () => {
  const b = await bench()
  await b.initialize(0, 7, { partition: 1 })
  await b.initialize(0, 0)
  for (let i = 0; i < 6; i++) {
    for (let j = 0; j <= UPDATES_PER_SNAPSHOT; j++) await b.write(i, [i, i, 2, 1])
    await b.time.advance(PRUNE_MS)
  }
  expect(b.logStart).toBeGreaterThan(6)
})

test('what is not committed yet replaces nothing', async () => {
  const b = await bench()
  await b.initialize(0, 3)
  b.log.isHeld = true
  const again = b.shares.initialize({
    groupId: 'g',
    topics: [{ topicId: TOPIC, partitions: [{ partition: 0, stateEpoch: 1, startOffset: 5 }] }],
  })
  await b.time.advance(PRUNE_MS)
  expect(b.logStart).toBe(0)
  b.log.failures.push(new CoordinatorError(errors.NOT_ENOUGH_REPLICAS))
  b.log.release()
  await again
  await b.time.advance(PRUNE_MS)
  await b.restart()
  expect(await b.read(0)).toMatchObject({ errorCode: 0, stateEpoch: 0, startOffset: 3 })
})

test('where there is no share partition left, nothing of the log is needed', async () => {
  const b = await bench()
  await b.initialize(0, 0)
  await b.delete()
  await b.time.advance(PRUNE_MS)
  expect(b.log.batches.get(0)).toEqual([])
})
