import { afterEach, expect, test } from 'vitest'
import { TestCluster } from './cluster.testkit.ts'
import { TestPartition, TOPIC_CONFIG } from './cluster-partition.testkit.ts'

const SEED = 41
/** Longer than sessions of brokers, and than anything else that could yet happen. */
const LONG_MS = 10_000

let cluster: TestCluster
let partition: TestPartition

afterEach(() => cluster.close())

/** The first of three brokers leads; the quorum does not depend on any of them. */
async function start(configs: Readonly<Record<string, string>>): Promise<void> {
  const settings = { 'unclean.leader.election.interval.ms': '1000' }
  cluster = await TestCluster.started(SEED, settings, undefined, { brokers: 3, controllers: 1 })
  partition = new TestPartition(cluster, 'topic')
  await partition.create([1, 2, 3], configs)
  await partition.produce(5)
}

/** The third lacks what the others acknowledge; then these die, the leader last. */
async function loseAllInSync(endSecond: () => Promise<void> | void): Promise<void> {
  cluster.kill(3)
  await cluster.until(() => partition.isr.join() === '1,2')
  await partition.produce(5)
  await endSecond()
  await cluster.until(() => partition.isr.join() === '1')
  // One that nobody is told of: with one replica left, nothing is acknowledged with acks=all.
  await cluster.done(partition.produceOne(1))
  cluster.kill(1)
  await cluster.pass(LONG_MS)
}

async function expectEqual(): Promise<string[]> {
  await partition.untilEqual(1, 2, 3)
  const values = await partition.valuesOf(1)
  expect(await partition.valuesOf(2)).toEqual(values)
  expect(await partition.valuesOf(3)).toEqual(values)
  return values
}

test('with unclean.leader.election.enable a replica that lags may lead, and all others truncate to it', async () => {
  await start({ 'unclean.leader.election.enable': 'true' })
  const before = [...partition.acknowledged]
  await loseAllInSync(() => cluster.kill(2))
  // What must never be lost is, now, and is meant to be.
  cluster.world.afterEvent = () => {}
  await cluster.restart(3)
  await cluster.until(() => partition.leaderId === 3)
  expect(partition.endOf(3)).toBe(5)
  await cluster.done(partition.produceOne(1))
  await cluster.done(partition.produceOne(1))
  await cluster.restart(1)
  await cluster.restart(2)
  await cluster.until(() => partition.isr.join() === '1,2,3')
  expect(partition.leader!.state).toMatchObject({ leader: 3, leaderRecoveryState: 0 })
  await partition.produce(2)
  expect(await expectEqual()).toEqual([...before, 'v11', 'v12', 'v13', 'v14'])
})

test('it may also be allowed when nobody leads already', async () => {
  await start({})
  await loseAllInSync(() => cluster.kill(2))
  cluster.world.afterEvent = () => {}
  await cluster.restart(3)
  await cluster.pass(LONG_MS)
  expect(partition.leaderId).toBe(-1)
  await partition.configure(TOPIC_CONFIG, { 'unclean.leader.election.enable': 'true' })
  await cluster.until(() => partition.leaderId === 3)
  await cluster.restart(1)
  await cluster.restart(2)
  await cluster.until(() => partition.isr.join() === '1,2,3')
  expect((await expectEqual()).length).toBe(5)
})

test('KIP-966: without it nobody leads until an eligible replica, which ended cleanly, is back', async () => {
  await start({})
  await loseAllInSync(() => cluster.done(cluster.node(2).stop()))
  await cluster.restart(3)
  await cluster.pass(LONG_MS)
  expect(partition.leaderId).toBe(-1)
  const waiting = await partition.describe(3)
  expect(waiting).toMatchObject({ leaderId: -1, isrNodes: [], eligibleLeaderReplicas: [1, 2] })
  await cluster.restart(2)
  await cluster.until(() => partition.leaderId === 2)
  await cluster.until(() => partition.isr.join() === '2,3')
  await partition.produce(2)
  await cluster.restart(1)
  await cluster.until(() => partition.isr.join() === '1,2,3')
  // The one that was not acknowledged is gone, like every tail that a new leader does not have.
  expect(await expectEqual()).toEqual(partition.acknowledged)
})

test('KIP-966: who ended uncleanly is not eligible any more; where nobody is, who led last may lead', async () => {
  await start({})
  await loseAllInSync(() => cluster.kill(2))
  await cluster.restart(3)
  await cluster.restart(2)
  await cluster.pass(LONG_MS)
  expect(partition.leaderId).toBe(-1)
  const waiting = await partition.describe(3)
  expect(waiting).toMatchObject({ leaderId: -1, isrNodes: [], eligibleLeaderReplicas: [1], lastKnownElr: [1] })
  await cluster.restart(1)
  await cluster.until(() => partition.leaderId === 1)
  await cluster.until(() => partition.isr.join() === '1,2,3')
  await partition.produce(2)
  const values = await expectEqual()
  expect(values.filter((value) => value !== 'v10')).toEqual(partition.acknowledged)
})
