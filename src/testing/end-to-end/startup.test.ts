import { afterEach, expect, it } from 'vitest'
import { StartupError } from '../../config/startup-error.ts'
import { formatDirectories } from '../../metadata/format/format.ts'
import { MemoryDisk } from '../../platform/memory-disk.ts'
import { NodeNetwork } from '../../platform/node-network.ts'
import { nodePlatform } from '../../platform/node-platform.ts'
import { apis } from '../../protocol/api-keys.ts'
import { startTestBroker, type TestBroker, testBrokerConfig } from '../test-broker.ts'
import { WireClient } from '../wire-client.ts'

let brokers: TestBroker[] = []

afterEach(async () => {
  await Promise.all(brokers.map(({ server }) => server.stop()))
  brokers = []
})

async function start(...args: Parameters<typeof startTestBroker>): Promise<TestBroker> {
  const broker = await startTestBroker(...args)
  brokers.push(broker)
  return broker
}

async function expectServing({ port }: TestBroker): Promise<void> {
  const client = new WireClient(new NodeNetwork(), port)
  expect((await client.call(apis.ApiVersions, 0, {})).errorCode).toBe(0)
  client.close()
}

it('refuses a port that is taken, before it touches its directory', async () => {
  const first = await start()
  const disk = new MemoryDisk()
  const listeners = `PLAINTEXT://127.0.0.1:${first.port},CONTROLLER://127.0.0.1:0`
  const failure = await startTestBroker({ disk, overrides: { listeners } }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(StartupError)
  expect(String(failure)).toContain(`127.0.0.1:${first.port}: the port is in use`)
  expect(disk.exists('/data')).toBe(false)
  await expectServing(first)
})

it('refuses a directory that another broker has, and does not disturb it', async () => {
  const first = await start()
  await expect(startTestBroker({ disk: first.disk })).rejects.toThrow(StartupError)
  await expectServing(first)
})

it('refuses a directory of another node', async () => {
  const first = await start()
  await first.server.stop()
  const before = first.disk.readFile('/data/meta.properties')
  await expect(startTestBroker({ disk: first.disk, overrides: { 'node.id': '2' } })).rejects.toThrow(StartupError)
  expect(first.disk.readFile('/data/meta.properties').equals(before)).toBe(true)
})

it('needs its bootstrap.checkpoint only where the cluster begins, and says so there if it is damaged', async () => {
  const first = await start()
  await first.server.stop()
  first.disk.replaceFile('/data/bootstrap.checkpoint', Buffer.from('hi'))
  await expectServing(await start({ disk: first.disk }))
  const disk = new MemoryDisk()
  const id = 'T8ieC9GbRMy7po1nB9IrzQ'
  const initialVoters = [{ id: 1, host: '127.0.0.1', port: 1, directoryId: id }]
  const options = { clusterId: id, ignoreFormatted: false, initialVoters }
  formatDirectories({ ...nodePlatform(), disk }, testBrokerConfig(), options)
  disk.replaceFile('/data/bootstrap.checkpoint', Buffer.from('hi'))
  const failure = await startTestBroker({ disk }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(StartupError)
  expect(String(failure)).toContain('bootstrap.checkpoint')
})

it('leaves its ports and its directory to the next one when it stops', async () => {
  const first = await start()
  const listeners = `PLAINTEXT://127.0.0.1:${first.port},CONTROLLER://127.0.0.1:0`
  await first.server.stop()
  await first.server.stopped
  const second = await start({ disk: first.disk, overrides: { listeners } })
  expect(second.port).toBe(first.port)
  await expectServing(second)
})

it('answers a fetch that waits when it stops, instead of waiting with it', async () => {
  const broker = await start()
  const client = new WireClient(new NodeNetwork(), broker.port)
  const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  const { topics } = await client.call(apis.CreateTopics, 7, { topics: [topic], timeoutMs: 1000, validateOnly: false })
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
  const answer = client.call(apis.Fetch, 13, {
    maxWaitMs: 600_000,
    minBytes: 1,
    maxBytes: 1000,
    sessionEpoch: -1,
    topics: [{ topicId: topics[0]!.topicId, partitions }],
  })
  // The same connection is answered in order, so another one tells that the fetch has been taken.
  await expectServing(broker)
  await broker.server.stop()
  const response = await answer.catch(() => undefined)
  expect(response?.responses[0]?.partitions[0]?.errorCode ?? 0).toBe(0)
  expect(client.isClosed).toBe(true)
})
