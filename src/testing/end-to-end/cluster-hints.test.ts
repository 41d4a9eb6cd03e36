import { afterEach, beforeEach, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import { nameOfError } from '../simulation/client.ts'
import { TestCluster } from './cluster.testkit.ts'
import { TestPartition } from './cluster-partition.testkit.ts'

const SEED = 21
const NOBODY = { leaderId: -1, leaderEpoch: -1 }
const MEMBER = 'AAAAAAAAAAAAAAAAAAAAAg'

let cluster: TestCluster
let partition: TestPartition
let topicId: string
/** Who leads, in which epoch: not the first one. */
let leaderId: number
let leaderEpoch: number
/** Has a replica, and does not lead. */
let follower: number

beforeEach(async () => {
  cluster = await TestCluster.started(SEED, {}, (id) => ({ 'broker.rack': `rack-${id}` }))
  partition = new TestPartition(cluster, 'topic')
  await partition.create([1, 2, 3])
  await partition.produce(1)
  const old = partition.leaderId
  cluster.kill(old)
  await partition.produce(1)
  await cluster.restart(old)
  leaderId = partition.leaderId
  leaderEpoch = partition.leader!.leaderEpoch
  follower = old
  await cluster.until(() => partition.replica(old)?.leaderEpoch === leaderEpoch)
  cluster.client.forget('topic', 0)
  topicId = (await cluster.done(cluster.client.placeOf('topic', 0)))!.topicId
})

afterEach(() => cluster.close())

const endpoints = () => [{ nodeId: leaderId, host: `node-${leaderId}`, port: 9092, rack: `rack-${leaderId}` }]

async function produceTo(id: number, version: number) {
  const body = partition.body('v')
  const topicData = [{ ...body.topicData[0]!, topicId }]
  const answer = await cluster.done(cluster.client.call(id, apis.Produce, version, { ...body, topicData }))
  const { errorCode, currentLeader } = answer.responses[0]!.partitionResponses[0]!
  return { error: nameOfError(errorCode), currentLeader, nodeEndpoints: answer.nodeEndpoints }
}

async function fetchFrom(id: number, version: number, currentLeaderEpoch: number) {
  const partitions = [{ partition: 0, currentLeaderEpoch, fetchOffset: 0, partitionMaxBytes: 1000 }]
  const body = { maxWaitMs: 0, minBytes: 0, topics: [{ topic: 'topic', topicId, partitions }] }
  const answer = await cluster.done(cluster.client.call(id, apis.Fetch, version, body))
  const { errorCode, currentLeader } = answer.responses[0]!.partitions[0]!
  return { error: nameOfError(errorCode), currentLeader, nodeEndpoints: answer.nodeEndpoints }
}

test('KIP-951: a Produce request to who does not lead is told who does, from version 10 on', async () => {
  expect(leaderEpoch).toBeGreaterThan(0)
  const led = { leaderId, leaderEpoch }
  for (const version of [10, 12, 13]) {
    expect(await produceTo(follower, version)).toEqual({
      error: 'NOT_LEADER_OR_FOLLOWER',
      currentLeader: led,
      nodeEndpoints: endpoints(),
    })
    expect(await produceTo(leaderId, version)).toEqual({ error: 'NONE', currentLeader: NOBODY, nodeEndpoints: [] })
  }
  const older = await produceTo(follower, 9)
  expect(older).toEqual({ error: 'NOT_LEADER_OR_FOLLOWER', currentLeader: NOBODY, nodeEndpoints: [] })
})

test('KIP-951: a Fetch request in an epoch that has passed is told who leads now, from version 16 on', async () => {
  const led = { leaderId, leaderEpoch }
  const old = leaderEpoch - 1
  for (const version of [16, 18]) {
    const fenced = { error: 'FENCED_LEADER_EPOCH', currentLeader: led, nodeEndpoints: endpoints() }
    expect(await fetchFrom(leaderId, version, old)).toEqual(fenced)
    expect(await fetchFrom(follower, version, old)).toEqual(fenced)
    const sound = { error: 'NONE', currentLeader: NOBODY, nodeEndpoints: [] }
    expect(await fetchFrom(leaderId, version, leaderEpoch)).toEqual(sound)
    // Whoever is as new as the leader may read from those that follow it (KIP-392).
    expect(await fetchFrom(follower, version, leaderEpoch)).toEqual(sound)
  }
  for (const version of [12, 15]) {
    const older = await fetchFrom(leaderId, version, old)
    expect(older).toEqual({ error: 'FENCED_LEADER_EPOCH', currentLeader: NOBODY, nodeEndpoints: [] })
  }
})

test('KIP-951: a Fetch request to who has no replica is told who leads', async () => {
  const other = new TestPartition(cluster, 'other')
  await other.create([leaderId])
  const place = (await cluster.done(cluster.client.placeOf('other', 0)))!
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
  const fetch = async (version: number) => {
    const body = { maxWaitMs: 0, minBytes: 0, topics: [{ topic: 'other', topicId: place.topicId, partitions }] }
    const answer = await cluster.done(cluster.client.call(follower, apis.Fetch, version, body))
    const { errorCode, currentLeader } = answer.responses[0]!.partitions[0]!
    return { error: nameOfError(errorCode), currentLeader, nodeEndpoints: answer.nodeEndpoints }
  }
  await cluster.until(() => cluster.world.nodes.every(({ id }) => id === leaderId || other.replica(id) === undefined))
  const led = { leaderId, leaderEpoch: place.leaderEpoch }
  const misled = { error: 'NOT_LEADER_OR_FOLLOWER', currentLeader: led, nodeEndpoints: endpoints() }
  expect(await fetch(16)).toEqual(misled)
  expect(await fetch(15)).toEqual({ ...misled, currentLeader: NOBODY, nodeEndpoints: [] })
})

test('KIP-951: a ShareAcknowledge request to who does not lead is told who does', async () => {
  const request = { groupId: 'g', memberId: MEMBER, maxWaitMs: 0, minBytes: 0, maxBytes: 1000, maxRecords: 10 }
  const partitions = [{ partitionIndex: 0, acknowledgementBatches: [] }]
  const opened = await cluster.done(
    cluster.client.call(follower, apis.ShareFetch, 2, {
      ...request,
      shareSessionEpoch: 0,
      batchSize: 10,
      shareAcquireMode: 0,
      isRenewAck: false,
      topics: [{ topicId, partitions }],
      forgottenTopicsData: [],
    }),
  )
  expect(nameOfError(opened.errorCode)).toBe('NONE')
  for (const version of [1, 2]) {
    const acknowledgementBatches = [{ firstOffset: 0, lastOffset: 0, acknowledgeTypes: [1] }]
    const topics = [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches }] }]
    const shareSessionEpoch = version
    const body = { groupId: 'g', memberId: MEMBER, shareSessionEpoch, isRenewAck: false, topics }
    const answer = await cluster.done(cluster.client.call(follower, apis.ShareAcknowledge, version, body))
    const { errorCode, currentLeader } = answer.responses[0]!.partitions[0]!
    expect(nameOfError(errorCode)).toBe('NOT_LEADER_OR_FOLLOWER')
    expect(currentLeader).toEqual({ leaderId, leaderEpoch })
    expect(answer.nodeEndpoints).toEqual(endpoints())
  }
})
