import { afterEach, expect, test } from 'vitest'
import type { DiskOperation } from '../../platform/memory-disk.ts'
import { apis } from '../../protocol/api-keys.ts'
import { nameOfError } from '../simulation/client.ts'
import { TestCluster } from './cluster.testkit.ts'
import { BROKER_CONFIG, TestPartition } from './cluster-partition.testkit.ts'

const SEED = 51
/** The metadata log is in the first one. */
const FIRST = '/data-a'
const SECOND = '/data-b'
const VICTIM = 1
const CONTROLLER = 4
/** What a full disk refuses. */
const GROWING: readonly DiskOperation[] = ['open', 'write', 'replace']
/** Less than replica.lag.time.max.ms, by which followers are noticed that do nothing. */
const HOLD_UP_MS = 15_000
/** log.dir.failure.timeout.ms */
const FAILURE_TIMEOUT_MS = 30_000
/** replica.high.watermark.checkpoint.interval.ms, and some more. */
const CHECKPOINT_MS = 6000

let cluster: TestCluster

afterEach(() => cluster.close())

/** Brokers with two log directories each, and a controller. */
async function start(): Promise<void> {
  const settings = { 'log.dirs': `${FIRST},${SECOND}`, 'log.segment.delete.delay.ms': '1000' }
  cluster = await TestCluster.started(SEED, settings, undefined, { brokers: 3, controllers: 1 })
}

/** Partitions that the broker leads, half of them in each directory. */
async function createSome(count: number): Promise<TestPartition[]> {
  const partitions: TestPartition[] = []
  for (let index = 0; index < count; index++) {
    const partition = new TestPartition(cluster, `topic${index}`)
    await partition.create([VICTIM, 2, 3])
    await partition.produce(3)
    expect(partition.leaderId).toBe(VICTIM)
    partitions.push(partition)
  }
  return partitions
}

const pathOf = (partition: TestPartition, id: number) => partition.replica(id)!.log.directory.replace(/\/[^/]*$/, '')

async function directoriesOf(id: number) {
  const { results } = await cluster.done(cluster.client.call(id, apis.DescribeLogDirs, 4, { topics: null }))
  return results.map(({ logDir, errorCode, topics }) => ({
    logDir,
    error: nameOfError(errorCode),
    topics: topics.map(({ name }) => name).sort(),
  }))
}

async function move(id: number, topic: string, path: string): Promise<string> {
  const dirs = [{ path, topics: [{ name: topic, partitions: [0] }] }]
  const { results } = await cluster.done(cluster.client.call(id, apis.AlterReplicaLogDirs, 2, { dirs }))
  return nameOfError(results[0]!.partitions[0]!.errorCode)
}

async function expectEqual(partition: TestPartition): Promise<void> {
  await partition.untilEqual(1, 2, 3)
  for (const id of [1, 2, 3]) expect(await partition.valuesOf(id)).toEqual(partition.acknowledged)
}

test('KIP-858: what is in a log directory that fails is led elsewhere; the other directory goes on serving', async () => {
  await start()
  const partitions = await createSome(4)
  const lost = partitions.filter((partition) => pathOf(partition, VICTIM) === SECOND)
  const kept = partitions.filter((partition) => pathOf(partition, VICTIM) === FIRST)
  expect([lost.length, kept.length]).toEqual([2, 2])
  const keptEpochs = kept.map((partition) => partition.leader!.leaderEpoch)
  const disk = cluster.node(VICTIM).disk
  disk.fault = (_, path) => (path.startsWith(SECOND) ? 'EIO' : undefined)
  for (const partition of partitions) await partition.produce(3)
  await cluster.until(() => lost.every((partition) => partition.isr.join() === '2,3'))
  for (const partition of lost) {
    expect(partition.leaderId).not.toBe(VICTIM)
    // Brokers that did not see the failure have it from the controller.
    await cluster.until(() => partition.replica(3)!.leaderEpoch === partition.leader!.leaderEpoch)
    expect(await partition.describe(3)).toMatchObject({ offlineReplicas: [VICTIM], leaderId: partition.leaderId })
  }
  for (const [index, partition] of kept.entries()) {
    expect(partition.leader!.leaderEpoch).toBe(keptEpochs[index])
    expect(partition.leaderId).toBe(VICTIM)
    expect(partition.isr).toEqual([1, 2, 3])
    expect(await partition.describe(3)).toMatchObject({ offlineReplicas: [] })
    await expectEqual(partition)
  }
  // The whole directory is given up with the next checkpoint that cannot be written.
  await cluster.pass(CHECKPOINT_MS)
  const [first, second] = await directoriesOf(VICTIM)
  expect(first).toEqual({ logDir: FIRST, error: 'NONE', topics: kept.map(({ topic }) => topic).sort() })
  expect(second).toEqual({ logDir: SECOND, error: 'KAFKA_STORAGE_ERROR', topics: [] })
})

test('KIP-858: new replicas are made where the disk works, and after a repair all is as before', async () => {
  await start()
  const partitions = await createSome(2)
  const lost = partitions.find((partition) => pathOf(partition, VICTIM) === SECOND)!
  const node = cluster.node(VICTIM)
  node.disk.fault = (_, path) => (path.startsWith(SECOND) ? 'EIO' : undefined)
  await lost.produce(3)
  await cluster.until(() => lost.isr.join() === '2,3')
  for (const topic of ['new0', 'new1']) {
    const made = new TestPartition(cluster, topic)
    await made.create([VICTIM, 2, 3])
    expect(pathOf(made, VICTIM)).toBe(FIRST)
    await made.produce(2)
    await expectEqual(made)
  }
  cluster.kill(VICTIM)
  await lost.produce(2)
  // The disk that the next process finds has no fault.
  await cluster.restart(VICTIM)
  await cluster.until(() => lost.isr.join() === '1,2,3')
  expect(pathOf(lost, VICTIM)).toBe(SECOND)
  expect((await lost.describe(VICTIM)).offlineReplicas).toEqual([])
  await expectEqual(lost)
  expect((await directoriesOf(VICTIM)).map(({ error }) => error)).toEqual(['NONE', 'NONE'])
})

test.each<[string, (topic: string) => string]>([
  ['logs', (topic) => `${SECOND}/${topic}`],
  ['the meta.properties', () => `${SECOND}/meta.properties`],
])(
  'KIP-858: a broker that starts with a directory of which %s cannot be read serves what is in the other one',
  async (_, damaged) => {
    await start()
    const partitions = await createSome(2)
    const lost = partitions.find((partition) => pathOf(partition, VICTIM) === SECOND)!
    const kept = partitions.find((partition) => partition !== lost)!
    cluster.kill(VICTIM)
    await lost.produce(2)
    cluster.node(VICTIM).disk.fault = (_, path) => (path.startsWith(damaged(lost.topic)) ? 'EIO' : undefined)
    await cluster.restart(VICTIM)
    await cluster.until(() => kept.isr.join() === '1,2,3')
    await cluster.pass(5000)
    expect(lost.isr).toEqual([2, 3])
    expect(await lost.describe(2)).toMatchObject({ offlineReplicas: [VICTIM] })
    await kept.produce(2)
    await expectEqual(kept)
    // It must not have made an empty one in its place.
    const names = cluster.node(VICTIM).disk.list(FIRST)
    expect(names.map(({ name }) => name)).not.toContain(`${lost.topic}-0`)
  },
)

test('KIP-858: a broker whose failed directory no controller hears of in log.dir.failure.timeout.ms stops', async () => {
  await start()
  const partitions = await createSome(2)
  const kept = partitions.find((partition) => pathOf(partition, VICTIM) === FIRST)!
  const node = cluster.node(VICTIM)
  cluster.kill(CONTROLLER)
  node.disk.fault = (_, path) => (path.startsWith(SECOND) ? 'EIO' : undefined)
  const { server } = node.life!
  await cluster.pass(CHECKPOINT_MS + FAILURE_TIMEOUT_MS - 2000)
  expect(server!.failure).toBe(undefined)
  await cluster.until(() => !node.isUp)
  expect(server!.failure).toContain(`log directory ${SECOND} has failed`)
  await cluster.restart(CONTROLLER)
  await cluster.until(() => kept.isr.join() === '2,3')
  await kept.produce(2)
  await cluster.restart(VICTIM)
  await expectEqual(kept)
})

test.each([
  [
    'the directory that has the metadata log, too',
    `${FIRST}/replication-offset-checkpoint`,
    'where the metadata log is',
  ],
  ['the metadata log', `${FIRST}/__cluster_metadata-0`, 'The metadata log has failed'],
  ['all directories', '/', 'fail'],
  ['what it reads of the metadata log', `${FIRST}/__cluster_metadata-0`, 'cannot be read', 'read'],
])('a broker stops that loses %s; the others go on', async (_, lost, why, only = '') => {
  await start()
  const partitions = await createSome(2)
  const node = cluster.node(VICTIM)
  const { server } = node.life!
  node.disk.fault = (operation, path) => (path.startsWith(lost) && operation.startsWith(only) ? 'EIO' : undefined)
  await cluster.until(() => !node.isUp)
  expect(server!.failure).toContain(why)
  for (const partition of partitions) {
    await partition.produce(2)
    expect(partition.isr).toEqual([2, 3])
  }
  await cluster.restart(VICTIM)
  for (const partition of partitions) await expectEqual(partition)
})

test('a broker whose metadata log fails while it starts does not wait for ever to be let in', async () => {
  await start()
  cluster.kill(VICTIM)
  await cluster.pass(15_000)
  const node = cluster.node(VICTIM)
  let syncs = 0
  node.disk.fault = (operation, path) => {
    const isFailing = path.includes('__cluster_metadata-0') && path.endsWith('.log') && operation === 'sync'
    // The first one is of what the broker found.
    return isFailing && ++syncs > 1 ? 'EIO' : undefined
  }
  node.start()
  await expect(cluster.until(() => node.isServing)).rejects.toThrow('The metadata log has failed')
})

test.each([
  ['the metadata log', (path: string) => path.startsWith(`${FIRST}/__cluster_metadata-0`)],
  ['new logs', (path: string) => /^\/data-.\/late-0/.test(path)],
])(
  'a broker whose disk has no room for %s holds nobody up, and is in sync again once there is some',
  async (_, isFull) => {
    await start()
    const node = cluster.node(VICTIM)
    const [known] = await createSome(1)
    node.disk.fault = (operation, path) => (GROWING.includes(operation) && isFull(path) ? 'ENOSPC' : undefined)
    const late = new TestPartition(cluster, 'late')
    await late.create([VICTIM, 2, 3], {}, [2, 3])
    const { time } = cluster.world
    const startMs = time.monotonicMs()
    await late.produce(3)
    expect(time.monotonicMs() - startMs).toBeLessThan(HOLD_UP_MS)
    expect(late.leaderId).not.toBe(VICTIM)
    await known!.produce(3)
    node.disk.fault = () => undefined
    for (const partition of [late, known!]) {
      await cluster.until(() => [...partition.isr].sort().join() === '1,2,3')
      await partition.produce(2)
      await expectEqual(partition)
    }
  },
)

test('KIP-113: a follower is moved between directories while it follows, there and back', async () => {
  await start()
  const [partition] = await createSome(1)
  const { topic } = partition!
  const follower = 2
  await partition!.produce(50, 100)
  let isOver = false
  const produceOn = async () => {
    while (!isOver) await partition!.produceOne()
  }
  const producing = produceOn()
  for (let round = 0; round < 2; round++) {
    const source = pathOf(partition!, follower)
    const target = source === FIRST ? SECOND : FIRST
    expect(await move(follower, topic, target)).toBe('NONE')
    await cluster.until(() => pathOf(partition!, follower) === target)
    const until = partition!.acknowledged.length + 10
    await cluster.until(() => partition!.acknowledged.length >= until)
    const found = (await directoriesOf(follower)).filter(({ topics }) => topics.includes(topic))
    expect(found.map(({ logDir }) => logDir)).toEqual([target])
    // The old files go after log.segment.delete.delay.ms.
    await cluster.until(
      () =>
        !cluster
          .node(follower)
          .disk.list(source)
          .some(({ name }) => name.startsWith(topic)),
    )
  }
  isOver = true
  await cluster.done(producing)
  expect(partition!.isr).toEqual([1, 2, 3])
  await expectEqual(partition!)
  // The controller knows where it is: that the other directory fails does not matter to it.
  const other = pathOf(partition!, follower) === FIRST ? SECOND : FIRST
  expect(other).toBe(SECOND)
  cluster.node(follower).disk.fault = (_, path) => (path.startsWith(other) ? 'EIO' : undefined)
  await partition!.produce(2)
  await expectEqual(partition!)
  expect((await partition!.describe(3)).offlineReplicas).toEqual([])
})

test('KIP-113: a move takes as long as replica.alter.log.dirs.io.max.bytes.per.second says', async () => {
  await start()
  const [partition] = await createSome(1)
  const follower = 2
  await partition!.produce(6, 900_000)
  await partition!.untilEqual(1, 2, 3)
  const { time } = cluster.world
  const moveMs = async () => {
    const target = pathOf(partition!, follower) === FIRST ? SECOND : FIRST
    const startMs = time.monotonicMs()
    expect(await move(follower, partition!.topic, target)).toBe('NONE')
    await cluster.until(() => pathOf(partition!, follower) === target)
    return time.monotonicMs() - startMs
  }
  expect(await moveMs()).toBeLessThan(1000)
  await partition!.configure(BROKER_CONFIG, { 'replica.alter.log.dirs.io.max.bytes.per.second': '1000000' })
  // The last MB is copied at once.
  expect(await moveMs()).toBeGreaterThan(3000)
  await expectEqual(partition!)
})
