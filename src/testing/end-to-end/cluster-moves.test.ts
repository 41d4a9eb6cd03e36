import { afterEach, expect, test } from 'vitest'
import { TestCluster } from './cluster.testkit.ts'
import { BROKER_CONFIG, TestPartition, TOPIC_CONFIG } from './cluster-partition.testkit.ts'

const SEED = 31
const VALUE_BYTES = 1000

let cluster: TestCluster
let partition: TestPartition

afterEach(() => cluster.close())

/** Three brokers with a partition, a fourth one that is started later, and a controller. */
async function start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
  const shape = { brokers: 4, controllers: 1, later: [4] }
  cluster = await TestCluster.started(SEED, { 'log.segment.delete.delay.ms': '1000', ...settings }, undefined, shape)
  partition = new TestPartition(cluster, 'topic')
  await partition.create([1, 2, 3])
}

const state = () => partition.leader?.state
const isMoved = () => state()?.addingReplicas.length === 0 && state()?.removingReplicas.length === 0

const directoriesOf = (id: number) =>
  cluster
    .node(id)
    .disk.list('/data')
    .map(({ name }) => name)
    .filter((name) => name.startsWith('topic-'))

/** That all of these have exactly what was acknowledged; or also what was not, where answers came late. */
async function expectComplete(...ids: number[]): Promise<void> {
  await partition.untilEqual(...ids)
  const first = await partition.valuesOf(ids[0]!)
  for (const id of ids.slice(1)) expect(await partition.valuesOf(id)).toEqual(first)
  expect([...new Set(first)]).toEqual(partition.acknowledged)
}

test('a partition is moved to a broker that has joined since, while records are produced with acks=all', async () => {
  await start()
  await partition.produce(20)
  let isOver = false
  const produceOn = async () => {
    while (!isOver) await partition.produceOne()
  }
  const producing = produceOn()
  await cluster.restart(4)
  const before = partition.acknowledged.length
  // Who leads goes, too.
  const { leaderId: old } = partition
  const replicas = [1, 2, 3].filter((id) => id !== old).concat(4)
  await partition.reassign(replicas)
  await cluster.until(() => isMoved() && partition.replica(old) === undefined)
  const until = partition.acknowledged.length + 20
  await cluster.until(() => partition.acknowledged.length >= until)
  isOver = true
  await cluster.done(producing)
  expect(before).toBeGreaterThan(20)
  expect(partition.isr).toEqual(replicas)
  expect(state()).toMatchObject({ replicas, addingReplicas: [], removingReplicas: [] })
  await expectComplete(...replicas)
  // Its files go after log.segment.delete.delay.ms.
  await cluster.until(() => directoriesOf(old).length === 0)
})

test('a move that is taken back half-way leaves the partition as it was', async () => {
  await start({ 'replica.fetch.max.bytes': '2000' })
  await partition.produce(30, VALUE_BYTES)
  await partition.configure(TOPIC_CONFIG, { 'follower.replication.throttled.replicas': '*' })
  await partition.configure(BROKER_CONFIG, { 'follower.replication.throttled.rate': '500' })
  await cluster.restart(4)
  await partition.reassign([4, 2, 3])
  await cluster.until(() => (partition.endOf(4) ?? 0) > 0)
  expect(state()).toMatchObject({ addingReplicas: [4], removingReplicas: [1] })
  expect(partition.endOf(4)).toBeLessThan(30)
  await partition.reassign(null)
  await cluster.until(() => isMoved() && partition.replica(4) === undefined)
  expect([...state()!.replicas].sort()).toEqual([1, 2, 3])
  expect(partition.isr).toEqual([1, 2, 3])
  await partition.produce(5)
  await expectComplete(1, 2, 3)
  await cluster.until(() => directoriesOf(4).length === 0)
})

test('a move to a broker that has fallen silent is taken back, and the broker knows when it is heard again', async () => {
  await start()
  await partition.produce(5)
  await cluster.restart(4)
  cluster.node(4).pause()
  await partition.reassign([4, 2, 3])
  await partition.produce(5)
  expect(state()).toMatchObject({ addingReplicas: [4], removingReplicas: [1] })
  expect(partition.isr).toEqual([1, 2, 3])
  await partition.reassign(null)
  await cluster.until(() => isMoved() && state()?.replicas.length === 3)
  cluster.node(4).resume()
  await partition.produce(5)
  await cluster.until(() => partition.replica(4) === undefined && directoriesOf(4).length === 0)
  expect([...state()!.replicas].sort()).toEqual([1, 2, 3])
  await expectComplete(1, 2, 3)
  expect((await partition.describe(1)).isrNodes.length).toBe(3)
})

/** Of virtual time, for 40 records of 1000 bytes. */
async function moveMs(rates: Readonly<Record<string, string>>): Promise<number> {
  await start({ 'replica.fetch.max.bytes': '2000' })
  await partition.produce(40, VALUE_BYTES)
  await partition.configure(TOPIC_CONFIG, {
    'leader.replication.throttled.replicas': '*',
    'follower.replication.throttled.replicas': '*',
  })
  if (Object.keys(rates).length > 0) await partition.configure(BROKER_CONFIG, rates)
  await cluster.restart(4)
  const { time } = cluster.world
  const startMs = time.monotonicMs()
  await partition.reassign([4, 2, 3])
  await cluster.until(() => isMoved() && state()?.replicas.includes(4) === true)
  await expectComplete(2, 3, 4)
  return time.monotonicMs() - startMs
}

test('KIP-73: a move takes as long as the throttled rate of leaders or followers says, and ends', async () => {
  const freeMs = await moveMs({})
  cluster.close()
  const rate = '2000'
  const byLeaderMs = await moveMs({ 'leader.replication.throttled.rate': rate })
  cluster.close()
  const byFollowerMs = await moveMs({ 'follower.replication.throttled.rate': rate })
  expect(freeMs).toBeLessThan(3000)
  // 40 kB at 2 kB each second: there is no credit for what was not used before.
  expect(byLeaderMs).toBeGreaterThan(15_000)
  expect(byFollowerMs).toBeGreaterThan(15_000)
})
