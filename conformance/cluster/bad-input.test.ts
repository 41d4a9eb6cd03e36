import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apis } from '../../src/protocol/api-keys.ts'
import { PATIENCE_MS, requestOn } from '../harness/admin.ts'
import { Cluster, type ClusterNode } from '../harness/cluster.ts'
import { eventually } from '../harness/process.ts'
import { activeController, shortSessions } from './story.ts'

const staleBrokerEpoch = 77
const broker = { roles: 'broker' } as const

let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.of({
    nodes: [{}, {}, {}, broker],
    overrides: { ...shortSessions, 'initial.broker.registration.timeout.ms': '4000' },
  })
  await cluster.launch(cluster.nodes.slice(0, 3))
  await cluster.admin.createTopics({ topic: { partitions: 3, replicas: 3 } })
})
afterAll(() => cluster?.destroy())

/** What every file holds, apart from the lock and the metadata log, which a node of the cluster may follow. */
function contents(dir: string): Map<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => !/\.lock$|__cluster_metadata-0/.test(path))
  const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
  return new Map(paths.map((path) => [path, digest(path)]))
}

/** Starts the node, which has to end by itself, and answers what it said. What was in its directory is as it was. */
async function refusal(node: ClusterNode): Promise<string> {
  const before = contents(node.dir)
  const daemon = await node.launch()
  expect(await daemon.exited, daemon.output()).toBe(1)
  const after = contents(node.dir)
  const changed = [...before].filter(([path, digest]) => path.includes('/data/') && after.get(path) !== digest)
  expect(changed.map(([path]) => path)).toEqual([])
  const lines = daemon.output().trim().split('\n')
  return lines.at(-1)!
}

/** The cluster is as it was: everything in sync, all where it was. */
async function expectUnharmed(): Promise<void> {
  await cluster.admin.brokersAre([1, 2, 3])
  const view = await cluster.admin.settled()
  expect([...view.brokers].sort()).toEqual([1, 2, 3].map((id) => [id, cluster.node(id).port]))
  expect((await cluster.admin.quorum()).voters).toEqual([1, 2, 3])
}

const meta = ({ dataDir }: ClusterNode) => join(dataDir, 'meta.properties')

test('a broker of another cluster', async () => {
  const node = cluster.node(4)
  await node.format('AnotherClusterAAAAAAAA')
  const said = await refusal(node)
  expect(said).toMatch(/^ottla: The cluster does not accept broker 4: .* is of another cluster than .*AnotherClusterAA/)
  rmSync(node.dataDir, { recursive: true })
  await node.format()
  await expectUnharmed()
})

test('a broker with the id of another that lives', async () => {
  const node = cluster.node(4)
  const own = readFileSync(meta(node), 'utf8')
  writeFileSync(meta(node), own.replace('node.id=4', 'node.id=2'))
  node.overrides = { 'node.id': '2' }
  // Node 2 may lead the quorum, which does not talk to itself.
  const why = /^ottla: The cluster does not accept broker 2: (DUPLICATE_BROKER_REGISTRATION|.*knows another node 2)/
  expect(await refusal(node)).toMatch(why)
  node.overrides = {}
  writeFileSync(meta(node), own)
  await expectUnharmed()
})

test('a broker with the directory id of another', async () => {
  const node = cluster.node(4)
  const own = readFileSync(meta(node), 'utf8')
  const foreign = cluster.node(2).formattedDirectoryId
  writeFileSync(meta(node), own.replace(/directory\.id=.*/, `directory.id=${foreign}`))
  expect(await refusal(node)).toMatch(/^ottla: The cluster does not accept broker 4: INVALID_REGISTRATION/)
  writeFileSync(meta(node), own)
  await expectUnharmed()
})

test('a directory of another node', async () => {
  const node = cluster.node(4)
  const own = readFileSync(meta(node), 'utf8')
  writeFileSync(meta(node), own.replace('node.id=4', 'node.id=2'))
  expect(await refusal(node)).toMatch(/^ottla: Stored node id 2 doesn't match previous node id 4 in /)
  writeFileSync(meta(node), own)
  await expectUnharmed()
})

test('a voter whose disk was wiped, formatted or not', async () => {
  const node = cluster.node(3)
  await node.stop()
  rmSync(node.dataDir, { recursive: true })
  const daemon = await node.launchUnformatted()
  expect(await daemon.exited).toBe(1)
  expect(daemon.output()).toMatch(/^ottla: .* is not formatted; format it with: ottla storage format [^\n]*\n$/)

  // With a new directory id it is not the voter that it was: it follows, and has no vote (KIP-853).
  await node.format(cluster.clusterId, false)
  const directoryId = node.formattedDirectoryId
  await node.start()
  await cluster.admin.settled()
  const voters = await eventually('the new directory among the observers', PATIENCE_MS, async () => {
    const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
    const { topics: answers } = await cluster.admin.request(apis.DescribeQuorum, 2, { topics })
    const { currentVoters, observers } = answers[0]!.partitions[0]!
    const isThere = observers.some(({ replicaDirectoryId }) => replicaDirectoryId === directoryId)
    return isThere ? currentVoters : undefined
  })
  expect(voters.find(({ replicaId }) => replicaId === 3)).toMatchObject({ replicaDirectoryId: node.directoryId })
})

test('requests with the epoch of an earlier registration', async () => {
  const controller = await activeController(cluster)
  const heartbeat = { brokerId: 2, brokerEpoch: 1, currentMetadataOffset: 0, wantFence: true, wantShutDown: false }
  const beaten = await requestOn(controller.controllerPort, apis.BrokerHeartbeat, 1, heartbeat)
  expect(beaten.errorCode).toBe(staleBrokerEpoch)
  const altered = await requestOn(controller.controllerPort, apis.AlterPartition, 3, {
    brokerId: 2,
    brokerEpoch: 1,
    topics: [],
  })
  expect(altered.errorCode).toBe(staleBrokerEpoch)
  await cluster.admin.brokersAre([1, 2, 3])
})
