import { afterEach, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import type { DescribeQuorumResponse } from '../../protocol/messages/describe-quorum.ts'
import { type Shape, TestCluster } from './cluster.testkit.ts'

/** Nodes that get their metadata by snapshot (KIP-630), on whole clusters. */

const SEED = 630
const DIRECTORY = '/data/__cluster_metadata-0'
const SETTINGS = {
  'metadata.log.max.record.bytes.between.snapshots': '500',
  'metadata.log.segment.ms': '1000',
  'metadata.max.retention.ms': '1000',
}

let cluster: TestCluster
/** Requests for pieces of snapshots that the nodes have sent. */
let asked: string[]

afterEach(() => cluster.close())

async function start(shape?: Shape): Promise<void> {
  cluster = await TestCluster.started(SEED, SETTINGS, undefined, shape)
  asked = []
  const { network } = cluster.world
  const { onBytes } = network
  network.onBytes = (from, to, chunk, connection, isRequest) => {
    onBytes(from, to, chunk, connection, isRequest)
    // The api key comes after the length of the frame.
    if (isRequest && chunk.length > 6 && chunk.readInt16BE(4) === apis.FetchSnapshot.key) asked.push(from)
  }
}

/** Where the metadata log of a node begins. */
function logStart(id: number): number {
  const segments = cluster
    .node(id)
    .disk.list(DIRECTORY)
    .filter(({ name }) => name.endsWith('.log'))
  return Math.min(...segments.map(({ name }) => Number.parseInt(name, 10)))
}

/** Where the metadata log of the leader ends. */
async function logEnd(): Promise<number> {
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const partitionOf = (answer: DescribeQuorumResponse) => answer.topics[0]?.partitions[0]
  const isGood = (answer: DescribeQuorumResponse) => partitionOf(answer)?.errorCode === 0
  const answer = await cluster.done(cluster.client.anybody(apis.DescribeQuorum, 2, { topics }, isGood))
  return Math.max(...partitionOf(answer!)!.currentVoters.map(({ logEndOffset }) => Number(logEndOffset)))
}

/** Topics as a node knows them. */
async function topicsOf(id: number): Promise<string[]> {
  const body = { topics: null, allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false }
  const { topics } = await cluster.done(cluster.client.call(id, apis.Metadata, 12, body))
  return topics.map(({ name }) => name!).sort()
}

async function untilLogsBeginPast(offset: number, ids: readonly number[]): Promise<void> {
  await cluster.until(() => ids.every((id) => logStart(id) > offset))
}

test('KIP-630: a voter that was away for longer than the log goes back has the snapshot of its leader', async () => {
  await start()
  await cluster.createTopic('before', 2)
  cluster.kill(3)
  const hadUpTo = await logEnd()
  await cluster.createTopic('meanwhile', 2)
  await untilLogsBeginPast(hadUpTo, [1, 2])
  expect(asked).toEqual([])
  await cluster.restart(3)
  expect(asked).toContain('node-3')
  expect(logStart(3)).toBeGreaterThan(hadUpTo)
  expect(await topicsOf(3)).toEqual(['before', 'meanwhile'])
  // It goes on from there after a restart, too.
  cluster.kill(3)
  await cluster.createTopic('later', 2)
  await cluster.restart(3)
  expect(await topicsOf(3)).toEqual(['before', 'later', 'meanwhile'])
})

test('KIP-630: a broker that joins late begins with the snapshot of the leader', async () => {
  await start({ brokers: 4, controllers: 1, later: [4] })
  await cluster.createTopic('before', 2)
  await untilLogsBeginPast(0, [1, 5])
  await cluster.restart(4)
  expect(asked).toContain('node-4')
  expect(logStart(4)).toBeGreaterThan(0)
  expect(await topicsOf(4)).toContain('before')
})
