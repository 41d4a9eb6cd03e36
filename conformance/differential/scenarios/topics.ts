import { ZERO_UUID } from '../../../src/protocol/uuid.ts'
import type { Body, Probe } from '../probe.ts'
import { batch, makeTopic, type Scenario, untilLed, write } from '../scenario.ts'

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAEA'
/** A node that there is not. */
const STRANGER = { voterId: 5, voterDirectoryId: UNKNOWN_ID }
const NAMES = ['', '.', '..', 'a/b', 'a b', 'a'.repeat(250), 'ü', 'a,b', 'a\nb']

function creation(name: string, more: Body = {}): Body {
  return { name, numPartitions: 1, replicationFactor: 1, ...more }
}

/** Learns the ids that the answer gave to the topics. */
async function create(probe: Probe, version: number, topics: Body[], more: Body = {}): Promise<Body> {
  const answer = await probe.send('CreateTopics', version, { topics, timeoutMs: 10_000, ...more })
  for (const topic of answer.topics ?? []) {
    if (topic.topicId && topic.topicId !== ZERO_UUID) probe.learn(topic.topicId, `<id of ${topic.name}>`)
  }
  return answer
}

function assigned(...replicas: number[][]): Body {
  const assignments = replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds }))
  return { numPartitions: -1, replicationFactor: -1, assignments }
}

async function learnIds(probe: Probe, names: readonly string[]): Promise<void> {
  const answer = await probe.quietly('Metadata', 12, {
    topics: names.map((name) => ({ name })),
    allowAutoTopicCreation: false,
  })
  for (const topic of answer.topics) probe.learn(topic.topicId, `<id of ${topic.name}>`)
}

/** The one voter of the metadata log, as changes of the voters name it. */
async function ownVoter(probe: Probe): Promise<Body> {
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const described = await probe.quietly('DescribeQuorum', 2, { topics })
  const [voter] = described.topics[0].partitions[0].currentVoters
  return { voterId: voter.replicaId, voterDirectoryId: voter.replicaDirectoryId }
}

const creating: Scenario[] = [
  {
    title: 'names, counts and assignments',
    api: 'CreateTopics',
    run: async (probe, version, name) => {
      await create(probe, version, [creation(name)])
      await create(probe, version, [creation(name)])
      for (const bad of NAMES) await create(probe, version, [creation(bad)])
      await create(probe, version, [creation(`${name}.x`)])
      await create(probe, version, [creation(`${name}_x`)])
      const counts: ReadonlyArray<readonly [number, number]> = [
        [0, 1],
        [-1, 1],
        [-2, 1],
        [1, 0],
        [1, -1],
        [1, 2],
        [1, -2],
        [3, 1],
      ]
      for (const [index, [numPartitions, replicationFactor]] of counts.entries()) {
        await create(probe, version, [creation(`${name}-c${index}`, { numPartitions, replicationFactor })])
      }
      const layouts = [
        assigned([1], [1]),
        assigned([2]),
        assigned([1, 1]),
        assigned([]),
        assigned([-1]),
        assigned([1], [1, 2]),
      ]
      layouts.push({ ...assigned([1]), numPartitions: 1 }, { ...assigned([1]), replicationFactor: 1 })
      layouts.push({ numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 3, brokerIds: [1] }] })
      for (const [index, layout] of layouts.entries())
        await create(probe, version, [creation(`${name}-a${index}`, layout)])
      await create(probe, version, [])
      await create(probe, version, [creation(`${name}-twice`), creation(`${name}-twice`), creation(`${name}-once`)])
    },
  },
  {
    title: 'configs of a new topic',
    api: 'CreateTopics',
    run: async (probe, version, name) => {
      const configs: ReadonlyArray<readonly [string, string | null]> = [
        ['retention.ms', '1000'],
        ['retention.ms', 'soon'],
        ['retention.ms', null],
        ['retention.ms', '-2'],
        ['no.such.config', '1'],
        ['cleanup.policy', 'compact,delete'],
        ['cleanup.policy', 'shred'],
        ['cleanup.policy', ''],
        ['compression.type', 'rar'],
        ['segment.bytes', '10'],
        ['min.insync.replicas', '0'],
        ['max.message.bytes', '99999999999'],
        ['message.timestamp.type', 'Never'],
        ['unclean.leader.election.enable', 'maybe'],
        ['min.cleanable.dirty.ratio', '1.5'],
        ['remote.storage.enable', 'true'],
        ['flush.messages', '1'],
      ]
      for (const [index, [key, value]] of configs.entries()) {
        await create(probe, version, [creation(`${name}-${index}`, { configs: [{ name: key, value }] })])
      }
      const twice = [
        { name: 'retention.ms', value: '1' },
        { name: 'retention.ms', value: '2' },
      ]
      await create(probe, version, [creation(`${name}-twice`, { configs: twice })])
      const local = [
        { name: 'local.retention.ms', value: '100' },
        { name: 'retention.ms', value: '50' },
      ]
      await create(probe, version, [creation(`${name}-local`, { configs: local })])
    },
  },
  {
    title: 'only validated',
    api: 'CreateTopics',
    from: 1,
    run: async (probe, version, name) => {
      await create(probe, version, [creation(name), creation('bad/name')], { validateOnly: true })
      await probe.send('Metadata', 9, { topics: [{ name }], allowAutoTopicCreation: false })
    },
  },
  {
    title: 'topics are deleted by name and by id',
    api: 'DeleteTopics',
    run: async (probe, version, name) => {
      const id = await makeTopic(probe, name)
      await makeTopic(probe, `${name}-b`)
      if (version < 6) {
        const ask = (topicNames: string[]) => probe.send('DeleteTopics', version, { topicNames, timeoutMs: 5000 })
        await ask([`${name}-b`, `${name}-none`])
        await ask([`${name}-b`])
        await ask([name, name])
        await ask(['', 'a/b'])
        await ask([])
        return
      }
      const ask = (topics: Body[]) => probe.send('DeleteTopics', version, { topics, timeoutMs: 5000 })
      await ask([{ name: `${name}-b`, topicId: ZERO_UUID }])
      await ask([{ name: `${name}-none`, topicId: ZERO_UUID }])
      await ask([{ name: null, topicId: UNKNOWN_ID }])
      await ask([{ name: null, topicId: ZERO_UUID }])
      await ask([{ name, topicId: id }])
      await ask([
        { name: null, topicId: id },
        { name: null, topicId: id },
      ])
      await ask([{ name: null, topicId: id }])
      await ask([{ name: null, topicId: id }])
      await ask([])
    },
  },
  {
    title: 'partitions are added',
    api: 'CreatePartitions',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      const ask = (topics: Body[], validateOnly = false) =>
        probe.send('CreatePartitions', version, { topics, timeoutMs: 5000, validateOnly })
      const to = (count: number, assignments: number[][] | null = null) => ({
        name,
        count,
        assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
      })
      await ask([to(5)], true)
      for (const count of [2, 1, 0, -1]) await ask([to(count)])
      await ask([to(3, [[2]])])
      await ask([to(3, [[1], [1]])])
      await ask([to(3, [[]])])
      await ask([to(3, [[1, 1]])])
      await ask([to(3, [[1]])])
      await ask([to(4)])
      await ask([{ name: `${name}-none`, count: 3, assignments: null }])
      await ask([to(6), to(7)])
      await ask([])
      await probe.send('Metadata', 9, { topics: [{ name }], allowAutoTopicCreation: false })
    },
  },
]

const seeing: Scenario[] = [
  {
    title: 'topics by name, by id, all, none',
    api: 'Metadata',
    run: async (probe, version, name) => {
      const id = await makeTopic(probe, name, { partitions: 2 })
      const flags = {
        ...(version >= 4 ? { allowAutoTopicCreation: false } : {}),
        ...(version >= 8 ? { includeTopicAuthorizedOperations: true } : {}),
        ...(version >= 8 && version <= 10 ? { includeClusterAuthorizedOperations: true } : {}),
      }
      const ask = (topics: Body[] | null) => probe.send('Metadata', version, { topics, ...flags })
      await ask([{ name }])
      await ask([{ name }, { name }])
      if (version >= 1) await ask([])
      if (version >= 4)
        await ask([{ name: `${name}-none` }, { name }, ...NAMES.slice(0, 7).map((bad) => ({ name: bad }))])
      if (version >= 12) {
        await ask([{ name: null, topicId: id }])
        await ask([{ name: null, topicId: UNKNOWN_ID }])
        await ask([{ name: null, topicId: ZERO_UUID }])
        await ask([{ name, topicId: id }])
      }
    },
  },
  {
    title: 'a topic made by asking for it',
    api: 'Metadata',
    from: 4,
    run: async (probe, version, name) => {
      const ask = (topic: string) =>
        probe.send('Metadata', version, { topics: [{ name: topic }], allowAutoTopicCreation: true })
      await ask('bad/name')
      await probe.quietly('Metadata', 9, { topics: [{ name }], allowAutoTopicCreation: true })
      await untilLed(probe, name, 1)
      await learnIds(probe, [name])
      await ask(name)
    },
  },
  {
    title: 'partitions page by page',
    api: 'DescribeTopicPartitions',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 3 })
      await makeTopic(probe, `${name}-b`, { partitions: 2 })
      const topics = [{ name: `${name}-b` }, { name }, { name: `${name}-none` }]
      const ask = (body: Body) =>
        probe.send('DescribeTopicPartitions', version, { topics, responsePartitionLimit: 2000, ...body })
      await ask({})
      for (const responsePartitionLimit of [1, 2, 4, 0, -1]) await ask({ responsePartitionLimit })
      await ask({ cursor: { topicName: name, partitionIndex: 1 } })
      await ask({ cursor: { topicName: `${name}-a`, partitionIndex: 0 }, responsePartitionLimit: 1 })
      await ask({ cursor: { topicName: name, partitionIndex: 9 } })
      await ask({ cursor: { topicName: name, partitionIndex: -1 } })
      await ask({ topics: [{ name: 'bad/name' }] })
    },
  },
  {
    title: 'the cluster',
    api: 'DescribeCluster',
    run: async (probe, version) => {
      const operations = { includeClusterAuthorizedOperations: true }
      await probe.send('DescribeCluster', version, {})
      await probe.send('DescribeCluster', version, operations)
      if (version >= 1) await probe.send('DescribeCluster', version, { endpointType: 2 })
      if (version >= 1) await probe.send('DescribeCluster', version, { endpointType: 7 })
      if (version >= 2) await probe.send('DescribeCluster', version, { includeFencedBrokers: true })
    },
  },
  {
    title: 'log directories',
    api: 'DescribeLogDirs',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      await write(probe, name, batch(3))
      const ask = (topics: Body[]) => probe.send('DescribeLogDirs', version, { topics })
      await ask([{ topic: name, partitions: [0, 1, 7] }])
      await ask([{ topic: `${name}-none`, partitions: [0] }])
      await ask([])
    },
  },
  {
    title: 'the quorum',
    api: 'DescribeQuorum',
    run: async (probe, version) => {
      const ask = (topicName: string, partitionIndex: number) =>
        probe.send('DescribeQuorum', version, { topics: [{ topicName, partitions: [{ partitionIndex }] }] })
      await ask('__cluster_metadata', 0)
      await ask('__cluster_metadata', 1)
      await ask('other', 0)
      await probe.send('DescribeQuorum', version, { topics: [] })
    },
  },
  {
    title: 'voters that cannot be added',
    api: 'AddRaftVoter',
    run: async (probe, version) => {
      const own = await ownVoter(probe)
      const listeners = [{ name: 'CONTROLLER', host: '127.0.0.1', port: 9 }]
      const add = (more: Body) =>
        probe.send('AddRaftVoter', version, { clusterId: null, timeoutMs: 1000, ...STRANGER, listeners, ...more })
      await add({ clusterId: 'another' })
      await add(own)
      await add({ ...own, voterDirectoryId: STRANGER.voterDirectoryId })
      await add({ voterId: -1 })
      await add({ voterDirectoryId: ZERO_UUID })
      await add({ listeners: [] })
      await add({ listeners: [{ ...listeners[0], name: 'ANOTHER' }] })
      await add({})
    },
  },
  {
    title: 'voters that cannot be removed',
    api: 'RemoveRaftVoter',
    run: async (probe, version) => {
      const own = await ownVoter(probe)
      const remove = (more: Body) => probe.send('RemoveRaftVoter', version, { clusterId: null, ...STRANGER, ...more })
      await remove({ clusterId: 'another' })
      await remove({})
      await remove(own)
      await remove({ ...own, voterDirectoryId: STRANGER.voterDirectoryId })
      await remove({ voterId: -1 })
      await remove({ ...own, voterDirectoryId: ZERO_UUID })
    },
  },
  {
    title: 'features, read only',
    api: 'UpdateFeatures',
    run: async (probe, version) => {
      const ask = (feature: string, maxVersionLevel: number, more: Body = {}) =>
        probe.send('UpdateFeatures', version, {
          timeoutMs: 5000,
          featureUpdates: [{ feature, maxVersionLevel, ...more }],
          ...(version >= 1 ? { validateOnly: true } : {}),
        })
      if (version < 1) {
        await ask('no.such.feature', 1)
        return
      }
      await ask('no.such.feature', 1, { upgradeType: 1 })
      await ask('metadata.version', 999, { upgradeType: 1 })
      await ask('metadata.version', 7, { upgradeType: 1 })
      await ask('group.version', 1, { upgradeType: 1 })
      await ask('group.version', 0, { upgradeType: 1 })
      await ask('group.version', 5, { upgradeType: 1 })
      await ask('group.version', 1, { upgradeType: 9 })
      const twice = [1, 0].map((maxVersionLevel) => ({ feature: 'group.version', maxVersionLevel, upgradeType: 2 }))
      for (const featureUpdates of [[], twice]) {
        await probe.send('UpdateFeatures', version, { timeoutMs: 5000, featureUpdates, validateOnly: true })
      }
    },
  },
  {
    title: 'versions and features',
    api: 'ApiVersions',
    run: async (probe, version) => {
      const software = version >= 3 ? { clientSoftwareName: 'differential', clientSoftwareVersion: '1.0' } : {}
      await probe.send('ApiVersions', version, software)
      if (version < 3) return
      for (const name of ['', 'a b', 'a/b', '-a', 'a-', 'a']) {
        await probe.send('ApiVersions', version, { clientSoftwareName: name, clientSoftwareVersion: '1.0' })
      }
      await probe.send('ApiVersions', version, { clientSoftwareName: 'a', clientSoftwareVersion: ' ' })
    },
  },
]

export const topicScenarios: readonly Scenario[] = [...creating, ...seeing]
