import { afterEach, expect, test } from 'vitest'
import { readMetaProperties } from '../../metadata/format/meta-properties.ts'
import { apis } from '../../protocol/api-keys.ts'
import type { DescribeQuorumResponse } from '../../protocol/messages/describe-quorum.ts'
import { readQuorumState } from '../../replication/raft/quorum-state.ts'
import { nameOfError } from '../simulation/client.ts'
import { type Shape, TestCluster } from './cluster.testkit.ts'

/** Voters in the metadata log, and changes of them (KIP-853), on whole clusters. */

const SEED = 853
const NODES = [1, 2, 3]
const NEW_NODE = 4
/** Many times what an election takes. */
const NO_ELECTION_MS = 8000
const METADATA_DIRECTORY = '/data/__cluster_metadata-0'
const CONTROLLER_PORT = 9093
const OTHER_CONTROLLER_PORT = 9193
const AUTO_JOIN = 'controller.quorum.auto.join.enable'
/** What may pass: no leader yet, or the change before is not committed, or the new voter has not caught up. */
const PASSING_ERRORS = ['REQUEST_TIMED_OUT', 'NOT_LEADER_OR_FOLLOWER', 'NOT_CONTROLLER', 'BROKER_NOT_AVAILABLE']

interface Quorum {
  readonly leaderId: number
  readonly voters: ReadonlyMap<number, string>
  readonly observers: ReadonlyMap<number, string>
  readonly portOf: (id: number) => number | undefined
}

let cluster: TestCluster

afterEach(() => cluster.close())

async function started(shape: Partial<Shape>, ownSettings?: (id: number) => Record<string, string>): Promise<void> {
  cluster = await TestCluster.started(SEED, {}, ownSettings, { brokers: 3, controllers: 0, ...shape })
}

const partitionOf = ({ topics }: DescribeQuorumResponse) => topics[0]?.partitions[0]

async function quorum(): Promise<Quorum> {
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const isGood = (answer: DescribeQuorumResponse) => partitionOf(answer)?.errorCode === 0
  const answer = await cluster.done(cluster.client.anybody(apis.DescribeQuorum, 2, { topics }, isGood))
  const { leaderId, currentVoters, observers } = partitionOf(answer!)!
  const byId = (replicas: typeof currentVoters) =>
    new Map(replicas.map(({ replicaId, replicaDirectoryId }) => [replicaId, replicaDirectoryId]))
  return {
    leaderId,
    voters: byId(currentVoters),
    observers: byId(observers),
    portOf: (id) => answer!.nodes.find(({ nodeId }) => nodeId === id)?.listeners[0]?.port,
  }
}

async function untilQuorum(isSo: (quorum: Quorum) => boolean): Promise<Quorum> {
  const { time } = cluster.world
  const endMs = time.monotonicMs() + 60_000
  for (;;) {
    const now = await quorum()
    if (isSo(now)) return now
    if (time.monotonicMs() >= endMs) throw new Error(`the voters are ${[...now.voters]}`)
    await cluster.pass(100)
  }
}

const sortedIds = ({ voters }: Quorum) => [...voters.keys()].sort()

function directoryId(id: number): string {
  return readMetaProperties(cluster.node(id).disk, '/data')!.directoryId!
}

/** As `kafka-metadata-quorum add-controller` asks. Answers the name of the error. */
async function addVoter(id: number): Promise<string> {
  const { host } = cluster.node(id)
  const body = {
    clusterId: null,
    timeoutMs: 30_000,
    voterId: id,
    voterDirectoryId: directoryId(id),
    listeners: [{ name: 'CONTROLLER', host, port: CONTROLLER_PORT }],
  }
  const answer = await cluster.done(cluster.client.anybody(apis.AddRaftVoter, 1, body, hasSettled))
  return nameOfError(answer!.errorCode)
}

/** As `kafka-metadata-quorum remove-controller` asks. Answers the name of the error. */
async function removeVoter(id: number, voterDirectoryId = directoryId(id)): Promise<string> {
  const body = { clusterId: null, voterId: id, voterDirectoryId }
  const answer = await cluster.done(cluster.client.anybody(apis.RemoveRaftVoter, 0, body, hasSettled))
  return nameOfError(answer!.errorCode)
}

function hasSettled({ errorCode }: { errorCode: number }): boolean {
  return !PASSING_ERRORS.includes(nameOfError(errorCode))
}

async function raiseKraftVersion(): Promise<void> {
  const body = {
    featureUpdates: [{ feature: 'kraft.version', maxVersionLevel: 1, upgradeType: 1 }],
    validateOnly: false,
  }
  // Until the voters have told the leader of their directories.
  await cluster.done(cluster.client.anybody(apis.UpdateFeatures, 2, body, ({ errorCode }) => errorCode === 0))
}

/** Whoever is elected notes that it leads, and that again only when another is. */
function hasLed(id: number): boolean {
  return readQuorumState(cluster.node(id).disk, METADATA_DIRECTORY)!.leaderId === id
}

async function nobodyIsElected(ids: readonly number[]): Promise<void> {
  await cluster.pass(NO_ELECTION_MS)
  expect(ids.filter(hasLed)).toEqual([])
}

/** Metadata go on, whichever brokers there are. */
async function createUnreplicated(name: string): Promise<void> {
  const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  const body = { topics: [topic], timeoutMs: 10_000, validateOnly: false }
  const isMade = ({ topics }: { topics: readonly { errorCode: number }[] }) => topics[0]!.errorCode === 0
  await cluster.done(cluster.client.anybody(apis.CreateTopics, 7, body, isMade))
}

async function restartAll(): Promise<void> {
  const { nodes } = cluster.world
  for (const { id } of nodes) cluster.kill(id)
  for (const node of nodes) node.start()
  await cluster.until(() => nodes.every(({ isServing }) => isServing))
}

test('a controller that is added counts: the quorum goes on when two of the other voters are gone', async () => {
  await started({ hasDynamicVoters: true, joiners: 2 })
  for (const id of [NEW_NODE, NEW_NODE + 1]) {
    await cluster.restart(id)
    const { voters } = await untilQuorum(({ observers }) => observers.get(id) === directoryId(id))
    expect(voters.has(id)).toBe(false)
    expect(await addVoter(id)).toBe('NONE')
  }
  expect(sortedIds(await quorum())).toEqual([1, 2, 3, 4, 5])
  expect((await quorum()).voters.get(NEW_NODE)).toBe(directoryId(NEW_NODE))
  expect(await addVoter(NEW_NODE)).toBe('DUPLICATE_VOTER')
  await createUnreplicated('before')
  const { leaderId } = await quorum()
  const victims = [...new Set([leaderId, ...NODES])].filter((id) => id <= NODES.length).slice(0, 2)
  for (const id of victims) cluster.kill(id)
  const after = await untilQuorum(({ leaderId: now }) => !victims.includes(now))
  expect(sortedIds(after)).toEqual([1, 2, 3, 4, 5])
  await createUnreplicated('between')
  for (const id of victims) await cluster.restart(id)
  await cluster.createTopic('after', 1)
})

test('a follower that is removed does not count, and is no voter after its restart', async () => {
  await started({ hasDynamicVoters: true })
  const { leaderId } = await quorum()
  const [removed, other] = NODES.filter((id) => id !== leaderId)
  expect(await removeVoter(removed!)).toBe('NONE')
  expect(await removeVoter(removed!)).toBe('VOTER_NOT_FOUND')
  await cluster.createTopic('before', 1)
  cluster.kill(removed!)
  await cluster.restart(removed!)
  const after = await untilQuorum(({ observers }) => observers.has(removed!))
  expect(sortedIds(after)).toEqual([leaderId, other!].sort())
  expect(after.leaderId).toBe(leaderId)
  cluster.kill(leaderId)
  // One of two voters: whoever was removed must not make them a majority again.
  await nobodyIsElected([removed!, other!])
  await cluster.restart(leaderId)
  await cluster.createTopic('after', 1)
})

test('the active leader that is removed hands over, and is no voter after its restart', async () => {
  await started({ hasDynamicVoters: true })
  await cluster.createTopic('before', 1)
  const { leaderId: removed } = await quorum()
  expect(await removeVoter(removed)).toBe('NONE')
  const others = NODES.filter((id) => id !== removed)
  const after = await untilQuorum(({ leaderId }) => leaderId !== removed)
  expect(sortedIds(after)).toEqual(others)
  await cluster.createTopic('between', 1)
  cluster.kill(removed)
  await cluster.restart(removed)
  const again = await untilQuorum(({ observers }) => observers.has(removed))
  expect(sortedIds(again)).toEqual(others)
  await cluster.createTopic('after', 1)
})

test('a controller that is to join becomes a voter by itself', async () => {
  await started({ hasDynamicVoters: true, joiners: 1 }, (id): Record<string, string> => {
    return id === NEW_NODE ? { [AUTO_JOIN]: 'true' } : {}
  })
  await cluster.restart(NEW_NODE)
  const { voters } = await untilQuorum((now) => now.voters.has(NEW_NODE))
  expect(voters.get(NEW_NODE)).toBe(directoryId(NEW_NODE))
  expect(voters.size).toBe(4)
})

test('a controller that is to join takes the place of what it was before it lost its disk', async () => {
  await started({ hasDynamicVoters: true, joiners: 1 }, (id): Record<string, string> => {
    return id === NEW_NODE ? { [AUTO_JOIN]: 'true' } : {}
  })
  await cluster.restart(NEW_NODE)
  await untilQuorum((now) => now.voters.has(NEW_NODE))
  const old = directoryId(NEW_NODE)
  cluster.kill(NEW_NODE)
  cluster.replaceDisk(NEW_NODE)
  expect(directoryId(NEW_NODE)).not.toBe(old)
  await cluster.restart(NEW_NODE)
  const { voters } = await untilQuorum((now) => now.voters.get(NEW_NODE) === directoryId(NEW_NODE))
  expect(voters.size).toBe(4)
})

test('fixed voters get into the log by kraft.version 1, and are there after a restart of all nodes', async () => {
  await started({ joiners: 1 })
  await cluster.createTopic('before', 1)
  await cluster.restart(NEW_NODE)
  await untilQuorum(({ observers }) => observers.has(NEW_NODE))
  expect(await addVoter(NEW_NODE)).toBe('UNSUPPORTED_VERSION')
  await raiseKraftVersion()
  expect(await addVoter(NEW_NODE)).toBe('NONE')
  const expected = new Map([...NODES, NEW_NODE].map((id) => [id, directoryId(id)]))
  expect((await quorum()).voters).toEqual(expected)
  // The configuration still names three.
  await restartAll()
  expect((await quorum()).voters).toEqual(expected)
  for (const id of NODES) useBootstrapServers(id)
  await restartAll()
  expect((await quorum()).voters).toEqual(expected)
  await cluster.createTopic('after', 1)
})

function useBootstrapServers(id: number): void {
  const config = cluster.node(id).config as Record<string, string>
  delete config['controller.quorum.voters']
  config['controller.quorum.bootstrap.servers'] = NODES.map((each) => `node-${each}:${CONTROLLER_PORT}`).join(',')
}

test.each(['follower', 'leader'])('a %s that comes back at another address tells it', async (role) => {
  await started({ hasDynamicVoters: true })
  const { leaderId, portOf } = await quorum()
  const moved = role === 'leader' ? leaderId : NODES.find((id) => id !== leaderId)!
  expect(portOf(moved)).toBe(CONTROLLER_PORT)
  cluster.kill(moved)
  const listeners = `PLAINTEXT://node-${moved}:9092,CONTROLLER://node-${moved}:${OTHER_CONTROLLER_PORT}`
  Object.assign(cluster.node(moved).config, { listeners })
  await cluster.restart(moved)
  const after = await untilQuorum((now) => now.portOf(moved) === OTHER_CONTROLLER_PORT)
  expect(sortedIds(after)).toEqual(NODES)
  // It is a voter there: of the other two one may die.
  cluster.kill(NODES.find((id) => id !== moved)!)
  await untilQuorum(({ leaderId: now }) => cluster.node(now).isUp)
})

test.each(['follower', 'leader'])('a %s that has lost its disk is no voter until it is added again', async (role) => {
  await started({ hasDynamicVoters: true })
  const before = await quorum()
  const lost = role === 'leader' ? before.leaderId : NODES.find((id) => id !== before.leaderId)!
  const old = directoryId(lost)
  cluster.kill(lost)
  cluster.replaceDisk(lost)
  await cluster.restart(lost)
  const now = await untilQuorum(({ observers }) => observers.get(lost) === directoryId(lost))
  expect(now.voters.get(lost)).toBe(old)
  // By now it has in its log that another directory is the voter.
  cluster.kill(lost)
  cluster.kill(now.leaderId)
  cluster.node(lost).start()
  // Two of three nodes, and one of three voters.
  await nobodyIsElected(NODES.filter((id) => id !== now.leaderId))
  await cluster.restart(now.leaderId)
  await cluster.until(() => cluster.node(lost).isServing)
  expect(await addVoter(lost)).toBe('DUPLICATE_VOTER')
  expect(await removeVoter(lost)).toBe('VOTER_NOT_FOUND')
  expect(await removeVoter(lost, old)).toBe('NONE')
  expect(await addVoter(lost)).toBe('NONE')
  expect((await quorum()).voters).toEqual(new Map(NODES.map((id) => [id, directoryId(id)])))
})
