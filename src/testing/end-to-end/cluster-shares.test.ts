import { afterEach, beforeEach, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { GROUP, nameOfError } from '../simulation/client.ts'
import { ConnectionLost } from '../simulation/connection.ts'
import { PASSING, TestCluster } from './cluster.testkit.ts'

const GROUP_CONFIG = 32
const SET = 0
const ACCEPT = 1
const FINAL_EPOCH = -1
const RECORDS = 10
const MEMBER = 'AAAAAAAAAAAAAAAAAAAAAg'

let cluster: TestCluster
let topicId: string

beforeEach(async () => {
  cluster = await TestCluster.started(3, {
    'share.coordinator.state.topic.num.partitions': '2',
    'share.coordinator.state.topic.replication.factor': '3',
    'share.coordinator.state.topic.min.isr': '2',
  })
  topicId = await cluster.createTopic('topic', 1)
  const configs = [{ name: 'share.auto.offset.reset', configOperation: SET, value: 'earliest' }]
  const resources = [{ resourceType: GROUP_CONFIG, resourceName: 'g', configs }]
  const body = { resources, validateOnly: false }
  await cluster.done(
    cluster.client.anybody(apis.IncrementalAlterConfigs, 1, body, ({ responses }) => responses[0]!.errorCode === 0),
  )
})

afterEach(() => cluster.close())

/** Asks until the partition is assigned, for which its share state must have been made. */
async function join(): Promise<void> {
  for (let memberEpoch = 0; ; ) {
    const answer = await cluster.done(
      cluster.askCoordinator(
        'g',
        GROUP,
        apis.ShareGroupHeartbeat,
        1,
        { groupId: 'g', memberId: MEMBER, memberEpoch, rackId: null, subscribedTopicNames: ['topic'] },
        ({ errorCode }) => errorCode,
      ),
    )
    expect(nameOfError(answer.errorCode)).toBe('NONE')
    memberEpoch = answer.memberEpoch
    if (answer.assignment?.topicPartitions.some(({ partitions }) => partitions.length > 0)) return
    await cluster.pass(1000)
  }
}

/** Asks whoever leads the partition, until `ask` answers something. */
async function askLeader<T>(ask: (leader: number) => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const place = (await cluster.client.placeOf('topic', 0))!
    try {
      const answer = await ask(place.leader)
      if (answer !== undefined) return answer
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
    }
    cluster.client.forget('topic', 0)
    await cluster.client.backOff()
  }
}

async function produce(): Promise<void> {
  const value = Buffer.alloc(10)
  const records = [buildBatch(Array.from({ length: RECORDS }, () => ({ timestamp: 0, key: null, value })))]
  const topicData = [{ name: 'topic', partitionData: [{ index: 0, records }] }]
  const body = { transactionalId: null, acks: -1, timeoutMs: 2000, topicData }
  await askLeader(async (leader) => {
    const { responses } = await cluster.client.call(leader, apis.Produce, 9, body)
    return responses[0]!.partitionResponses[0]!.errorCode === 0 ? true : undefined
  })
}

async function fetchFrom(leader: number, shareSessionEpoch: number, maxWaitMs = 1000) {
  const partitions = [{ partitionIndex: 0, acknowledgementBatches: [] }]
  const { errorCode, responses, nodeEndpoints } = await cluster.client.call(leader, apis.ShareFetch, 2, {
    groupId: 'g',
    memberId: MEMBER,
    shareSessionEpoch,
    maxWaitMs,
    minBytes: 1,
    maxBytes: 1_000_000,
    maxRecords: 100,
    batchSize: 100,
    shareAcquireMode: 0,
    isRenewAck: false,
    topics: shareSessionEpoch === 0 ? [{ topicId, partitions }] : [],
    forgottenTopicsData: [],
  })
  expect(nameOfError(errorCode)).toBe('NONE')
  return { partition: responses[0]?.partitions[0], nodeEndpoints }
}

/** The first offsets that a member of no session gets, and who gave them. */
function fetch() {
  return askLeader(async (leader) => {
    const { partition } = await fetchFrom(leader, 0)
    const acquired = partition?.acquiredRecords[0]
    return acquired === undefined ? undefined : { leader, acquired }
  })
}

async function accept(leader: number, firstOffset: number, lastOffset: number): Promise<string> {
  const acknowledgementBatches = [{ firstOffset, lastOffset, acknowledgeTypes: [ACCEPT] }]
  const topics = [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches }] }]
  const body = { groupId: 'g', memberId: MEMBER, shareSessionEpoch: 1, isRenewAck: false, topics }
  const { responses } = await cluster.client.call(leader, apis.ShareAcknowledge, 2, body)
  return nameOfError(responses[0]!.partitions[0]!.errorCode)
}

async function lag(): Promise<number> {
  const { groups } = await cluster.done(
    cluster.askCoordinator(
      'g',
      GROUP,
      apis.DescribeShareGroupOffsets,
      1,
      { groups: [{ groupId: 'g', topics: [{ topicName: 'topic', partitions: [0] }] }] },
      (response) => response.groups[0]!.errorCode || response.groups[0]!.topics[0]!.partitions[0]!.errorCode,
      [...PASSING, 'NETWORK_EXCEPTION', 'NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'OFFSET_NOT_AVAILABLE'],
    ),
  )
  return groups[0]!.topics[0]!.partitions[0]!.lag
}

test('KIP-932: what a share group has accepted stays accepted, whichever broker dies', async () => {
  await join()
  await cluster.done(produce())
  let next = 0
  for (let round = 0; round < 3; round++) {
    const { leader, acquired } = await cluster.done(fetch())
    expect([acquired.firstOffset, acquired.lastOffset]).toEqual([next, RECORDS - 1])
    expect(await cluster.done(accept(leader, next, next + 1))).toBe('NONE')
    next += 2
    // What was not accepted is free for others.
    await cluster.done(fetchFrom(leader, FINAL_EPOCH, 0))
    // In turn the leader of the partition and the others, among whom is who coordinates.
    const victim = [leader, (leader % 3) + 1, ((leader + 1) % 3) + 1][round]!
    cluster.kill(victim)
    expect(await lag()).toBe(RECORDS - next)
    await cluster.restart(victim)
  }
})

test('KIP-951: who does not lead the partition says who does', async () => {
  await join()
  const { leader } = (await cluster.done(cluster.client.placeOf('topic', 0)))!
  const other = (leader % 3) + 1
  const { partition, nodeEndpoints } = await cluster.done(fetchFrom(other, 0))
  expect(nameOfError(partition!.errorCode)).toBe('NOT_LEADER_OR_FOLLOWER')
  expect(partition!.currentLeader.leaderId).toBe(leader)
  expect(nodeEndpoints).toMatchObject([{ nodeId: leader, host: `node-${leader}` }])
})
