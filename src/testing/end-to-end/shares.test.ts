import { afterEach, expect, test } from 'vitest'
import { NodeNetwork } from '../../platform/node-network.ts'
import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { startTestBroker, type TestBroker } from '../test-broker.ts'
import { WireClient } from '../wire-client.ts'

const GROUP = 'group'
const SAFE_DOWNGRADE = 2
const UPGRADE = 1

let broker: TestBroker
const clients: WireClient[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await broker.server.stop()
})

async function started(): Promise<WireClient> {
  const overrides = {
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
  }
  broker = await startTestBroker({ overrides })
  return connect()
}

function connect(): WireClient {
  const client = new WireClient(new NodeNetwork(), broker.port)
  clients.push(client)
  return client
}

/** A topic with one record, which the group begins with; answers its id. */
async function topicOf(client: WireClient, name: string): Promise<string> {
  const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  const made = await client.call(apis.CreateTopics, 7, { topics: [topic], timeoutMs: 1000, validateOnly: false })
  const { topicId } = made.topics[0]!
  const records = [buildBatch([{ timestamp: 1_700_000_000_000, key: null, value: Buffer.alloc(10) }])]
  const topicData = [{ name, partitionData: [{ index: 0, records }] }]
  await client.call(apis.Produce, 9, { transactionalId: null, acks: -1, timeoutMs: 1000, topicData })
  await client.call(apis.FindCoordinator, 6, { key: '', keyType: 2, coordinatorKeys: [`${GROUP}:${topicId}:0`] })
  const topics = [{ topicId, partitions: [{ partition: 0, stateEpoch: 0, startOffset: 0 }] }]
  const { results } = await client.call(apis.InitializeShareGroupState, 0, { groupId: GROUP, topics })
  expect(results[0]!.partitions[0]).toMatchObject({ errorCode: 0 })
  return topicId
}

function fetch(client: WireClient, memberId: string, topicId: string, epoch = 0, maxWaitMs = 600_000) {
  return client.call(apis.ShareFetch, 2, {
    groupId: GROUP,
    memberId,
    shareSessionEpoch: epoch,
    maxWaitMs,
    minBytes: 1,
    maxBytes: 1_000_000,
    maxRecords: 100,
    batchSize: 100,
    shareAcquireMode: 0,
    isRenewAck: false,
    topics: epoch === 0 ? [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }] : [],
    forgottenTopicsData: [],
  })
}

async function setShareVersion(client: WireClient, level: number): Promise<void> {
  const upgradeType = level === 0 ? SAFE_DOWNGRADE : UPGRADE
  const featureUpdates = [{ feature: 'share.version', maxVersionLevel: level, allowDowngrade: false, upgradeType }]
  const answer = await client.call(apis.UpdateFeatures, 1, { timeoutMs: 1000, featureUpdates, validateOnly: false })
  expect(answer).toMatchObject({ errorCode: 0 })
}

test('who waits for records of a topic hears when it is deleted', async () => {
  const admin = await started()
  const topicId = await topicOf(admin, 'topic')
  const first = await fetch(admin, 'one', topicId)
  expect(first.responses[0]!.partitions[0]!.acquiredRecords).toHaveLength(1)
  const second = connect()
  await fetch(second, 'two', topicId, 0, 0)
  const waiting = fetch(second, 'two', topicId, 1)
  for (let epoch = 1; epoch <= 5; epoch++) await fetch(admin, 'one', topicId, epoch, 0)
  await admin.call(apis.DeleteTopics, 6, { topics: [{ name: 'topic' }], timeoutMs: 1000 })
  // Ten minutes are not up.
  expect(await waiting).toMatchObject({ errorCode: 0 })
  expect(await fetch(admin, 'one', topicId, 6)).toMatchObject({ errorCode: errors.UNKNOWN_SERVER_ERROR.code })
})

test('share groups that are switched off leave nothing behind (share.version)', async () => {
  const admin = await started()
  const topicId = await topicOf(admin, 'topic')
  await fetch(admin, 'one', topicId)
  await setShareVersion(admin, 0)
  expect(await fetch(admin, 'one', topicId, 1)).toMatchObject({ errorCode: errors.UNSUPPORTED_VERSION.code })
  await setShareVersion(admin, 1)
  expect(await fetch(admin, 'one', topicId, 1)).toMatchObject({ errorCode: errors.SHARE_SESSION_NOT_FOUND.code })
  const again = await fetch(admin, 'one', topicId)
  expect(again.responses[0]!.partitions[0]!.acquiredRecords).toMatchObject([{ firstOffset: 0, deliveryCount: 1 }])
})
