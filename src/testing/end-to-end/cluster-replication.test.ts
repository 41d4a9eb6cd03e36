import { afterEach, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import type { Partition } from '../../replication/partition.ts'
import { ConnectionLost } from '../simulation/connection.ts'
import { TestCluster } from './cluster.testkit.ts'

const TOPIC_CONFIG = 2
const BROKER_CONFIG = 4
const SET = 0
const VALUE_BYTES = 1000

let cluster: TestCluster

afterEach(() => cluster.close())

/** The replica that a node has; undefined for none. */
function replicaOf(id: number): Partition | undefined {
  return cluster.node(id).life?.replicas?.get('topic', 0)
}

function leader(): Partition | undefined {
  return [1, 2, 3].map(replicaOf).find((replica) => replica?.isLeader)
}

const isrOf = (replica: Partition | undefined) => [...(replica?.state.isr ?? [])].sort()
const bytesOf = (records: readonly Buffer[] | null) => (records ?? []).reduce((bytes, { length }) => bytes + length, 0)
const endOf = (id: number) => replicaOf(id)?.log.logEndOffset

/** Appends records that all in sync have when this resolves; one whose answer is late may be there twice. */
async function produce(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await cluster.done(produceOne())
}

async function produceOne(): Promise<void> {
  for (;;) {
    const place = (await cluster.client.placeOf('topic', 0))!
    const records = [buildBatch([{ timestamp: 0, key: null, value: Buffer.alloc(VALUE_BYTES) }])]
    const topicData = [{ name: 'topic', partitionData: [{ index: 0, records }] }]
    const body = { transactionalId: null, acks: -1, timeoutMs: 2000, topicData }
    try {
      const { responses } = await cluster.client.call(place.leader, apis.Produce, 9, body)
      if (responses[0]!.partitionResponses[0]!.errorCode === 0) return
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
    }
    cluster.client.forget('topic', 0)
    await cluster.client.backOff()
  }
}

async function configure(resourceType: number, resourceName: string, name: string, value: string): Promise<void> {
  const resources = [{ resourceType, resourceName, configs: [{ name, configOperation: SET, value }] }]
  const body = { resources, validateOnly: false }
  const isDone = ({ responses }: { responses: readonly { errorCode: number }[] }) => responses[0]!.errorCode === 0
  await cluster.done(cluster.client.anybody(apis.IncrementalAlterConfigs, 1, body, isDone))
}

test('a consumer is sent to the replica in its rack, which has what is committed (KIP-392)', async () => {
  const settings = { 'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector' }
  cluster = await TestCluster.started(1, settings, (id) => ({ 'broker.rack': `rack-${id}` }))
  const topicId = await cluster.createTopic('topic', 1)
  await produce(2)
  const { leader: leaderId } = leader()!.state
  const near = leaderId === 3 ? 1 : leaderId + 1
  const fetch = async (id: number, fetchOffset: number, maxWaitMs: number) => {
    const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }]
    const body = { maxWaitMs, minBytes: 1, topics: [{ topicId, partitions }], rackId: `rack-${near}` }
    const { responses } = await cluster.client.call(id, apis.Fetch, 17, body)
    return responses[0]!.partitions[0]!
  }
  const sent = await cluster.done(fetch(leaderId, 0, 0))
  expect(sent).toMatchObject({ errorCode: 0, preferredReadReplica: near })
  expect(bytesOf(sent.records)).toBe(0)
  await cluster.until(() => replicaOf(near)!.log.highWatermark === 2)
  const served = await cluster.done(fetch(near, 0, 0))
  expect(served).toMatchObject({ errorCode: 0, highWatermark: 2, preferredReadReplica: -1 })
  expect(bytesOf(served.records)).toBeGreaterThan(2 * VALUE_BYTES)
  const waiting = fetch(near, 2, 2500)
  await produce(1)
  expect(await cluster.done(waiting)).toMatchObject({ errorCode: 0, highWatermark: 3 })
})

test('a partition whose log is damaged is led elsewhere', async () => {
  cluster = await TestCluster.started(2)
  await cluster.createTopic('topic', 1)
  await produce(1)
  const damaged = leader()!
  const { leader: id, leaderEpoch } = damaged.state
  cluster.node(id).life!.enter(() => (damaged.log as unknown as { fail(reason: string): void }).fail('it is damaged'))
  await cluster.until(() => leader() !== undefined && leader()!.leaderEpoch > leaderEpoch)
  await produce(1)
  expect(leader()!.state.leader).not.toBe(id)
  expect(isrOf(leader())).toEqual([1, 2, 3].filter((each) => each !== id))
})

test('a replica that catches up is held back (KIP-73)', async () => {
  cluster = await TestCluster.started(3, { 'replica.fetch.max.bytes': '2000', 'replication.quota.window.num': '60' })
  await cluster.createTopic('topic', 1)
  await produce(1)
  const away = leader()!.state.leader === 3 ? 2 : 3
  cluster.kill(away)
  await produce(20)
  await configure(TOPIC_CONFIG, 'topic', 'leader.replication.throttled.replicas', '*')
  await configure(BROKER_CONFIG, '', 'leader.replication.throttled.rate', '1')
  await cluster.restart(away)
  await cluster.pass(10_000)
  const end = leader()!.log.logEndOffset
  expect(endOf(away)).toBeLessThan(end)
  expect(isrOf(leader())).not.toContain(away)
  await configure(BROKER_CONFIG, '', 'leader.replication.throttled.rate', '1000000')
  await cluster.until(() => isrOf(leader()).includes(away))
  expect(endOf(away)).toBe(end)
})

test('a replica that is moved is complete at its new place, and gone from the old one', async () => {
  cluster = await TestCluster.started(4)
  const assignments = [{ partitionIndex: 0, brokerIds: [1, 2] }]
  const topic = { name: 'topic', numPartitions: -1, replicationFactor: -1, assignments, configs: [] }
  await cluster.done(
    cluster.client.anybody(
      apis.CreateTopics,
      7,
      { topics: [topic], timeoutMs: 10_000, validateOnly: false },
      ({ topics }) => [0, 36].includes(topics[0]!.errorCode),
    ),
  )
  await produce(3)
  const topics = [{ name: 'topic', partitions: [{ partitionIndex: 0, replicas: [2, 3] }] }]
  await cluster.done(
    cluster.client.anybody(
      apis.AlterPartitionReassignments,
      0,
      { timeoutMs: 10_000, topics },
      ({ errorCode, responses }) => errorCode === 0 && responses[0]!.partitions[0]!.errorCode === 0,
    ),
  )
  await cluster.until(() => replicaOf(1) === undefined && isrOf(leader()).join() === '2,3')
  expect(leader()!.state).toMatchObject({ replicas: [2, 3], addingReplicas: [], removingReplicas: [] })
  await produce(1)
  expect([endOf(2), endOf(3)]).toEqual([4, 4])
  const left = cluster
    .node(1)
    .disk.list('/data')
    .map(({ name }) => name)
  expect(left).not.toContain('topic-0')
})

test('records are deleted from all replicas before that is acknowledged (KIP-107)', async () => {
  cluster = await TestCluster.started(5)
  await cluster.createTopic('topic', 1)
  await produce(3)
  // All replicas have been looked at before records go: they are compared as far as they have been seen.
  await cluster.pass(1000)
  const topics = [{ name: 'topic', partitions: [{ partitionIndex: 0, offset: 2 }] }]
  const id = leader()!.state.leader
  const answer = await cluster.done(cluster.client.call(id, apis.DeleteRecords, 2, { topics, timeoutMs: 2500 }))
  expect(answer.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, lowWatermark: 2 })
  expect([1, 2, 3].map((each) => replicaOf(each)!.log.logStartOffset)).toEqual([2, 2, 2])
})

test('a replica that is cut off is in sync no more, and again when it has caught up', async () => {
  cluster = await TestCluster.started(6)
  await cluster.createTopic('topic', 1)
  await produce(1)
  const away = leader()!.state.leader === 3 ? 2 : 3
  cluster.kill(away)
  await produce(2)
  expect(isrOf(leader())).not.toContain(away)
  await cluster.restart(away)
  await cluster.until(() => isrOf(leader()).length === 3)
  expect(endOf(away)).toBe(leader()!.log.logEndOffset)
})

test('a broker that was stopped is in sync again as soon as it may be, without waiting for its next fetch', async () => {
  const waitMs = 20_000
  const settings = {
    'replica.lag.time.max.ms': '30000',
    'replica.fetch.wait.max.ms': String(waitMs),
    'replica.socket.timeout.ms': '60000',
  }
  cluster = await TestCluster.started(1, settings, undefined, { brokers: 3, controllers: 1 })
  await cluster.createTopic('topic', 1)
  const isrOfOthers = () => isrOf([2, 3].map(replicaOf).find((replica) => replica?.isLeader))
  await cluster.until(() => isrOf(leader()).length === 3)
  await cluster.done(cluster.node(1).stop())
  await cluster.until(() => isrOfOthers().length === 2)
  const { time } = cluster.world
  const startMs = time.monotonicMs()
  cluster.node(1).start()
  await cluster.until(() => isrOfOthers().length === 3)
  expect(time.monotonicMs() - startMs).toBeLessThan(waitMs / 2)
})
