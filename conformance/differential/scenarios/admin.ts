import type { Body, Probe } from '../probe.ts'
import { batch, makeTopic, produceBody, type Scenario, settled, write } from '../scenario.ts'

const PREFERRED = 0
const UNCLEAN = 1

function electionBody(version: number, electionType: number, topicPartitions: Body[] | null): Body {
  return { ...(version >= 1 ? { electionType } : {}), topicPartitions, timeoutMs: 10_000 }
}

/** A user's quota, or another entity's. */
function entity(...parts: readonly (readonly [type: string, name: string | null])[]): Body[] {
  return parts.map(([entityType, entityName]) => ({ entityType, entityName }))
}

function set(key: string, value: number): Body {
  return { key, value, remove: false }
}

function remove(key: string): Body {
  return { key, value: 0, remove: true }
}

function alterQuotas(probe: Probe, version: number, entries: Body[], note: string, validateOnly = false) {
  return probe.send('AlterClientQuotas', version, { entries, validateOnly }, note)
}

async function describeQuotas(probe: Probe, version: number, components: Body[], strict: boolean, note: string) {
  await settled(probe)
  return probe.send('DescribeClientQuotas', version, { components, strict }, note)
}

const EXACT = 0
const DEFAULT = 1
const SPECIFIED = 2

function filter(entityType: string, matchType: number, match: string | null = null): Body {
  return { entityType, matchType, match }
}

/** Entities and operations that are refused, or not, each in a request of its own. */
function quotaCases(name: string): readonly (readonly [note: string, entity: Body[], ops: Body[]])[] {
  const user = entity(['user', name])
  return [
    ['unknown key', user, [set('no_such_rate', 1)]],
    ['key of addresses', user, [set('connection_creation_rate', 1)]],
    ['zero', user, [set('producer_byte_rate', 0)]],
    ['negative', user, [set('producer_byte_rate', -5)]],
    ['fraction of a byte', user, [set('producer_byte_rate', 1.5)]],
    ['too large', user, [set('producer_byte_rate', 1e19)]],
    ['fraction of a percent', user, [set('request_percentage', 0.5)]],
    ['fraction of a mutation', user, [set('controller_mutation_rate', 0.25)]],
    ['the same key twice', user, [set('producer_byte_rate', 1), set('producer_byte_rate', 2)]],
    ['nothing to do', user, []],
    ['removal of what is not there', user, [remove('consumer_byte_rate')]],
    ['removal of an unknown key', user, [remove('no_such_rate')]],
    ['no entity', [], [set('producer_byte_rate', 1)]],
    ['unknown kind', entity(['group', name]), [set('producer_byte_rate', 1)]],
    ['empty name', entity(['user', '']), [set('producer_byte_rate', 1)]],
    ['user and address', entity(['user', name], ['ip', '127.0.0.2']), [set('producer_byte_rate', 1)]],
    ['address', entity(['ip', '127.0.0.2']), [set('connection_creation_rate', 100)]],
    ['address with a key of users', entity(['ip', '127.0.0.2']), [set('producer_byte_rate', 100)]],
    ['fraction of a connection', entity(['ip', '127.0.0.2']), [set('connection_creation_rate', 0.5)]],
    ['too many connections', entity(['ip', '127.0.0.2']), [set('connection_creation_rate', 3e9)]],
    ['no address', entity(['ip', 'no such host!']), [set('connection_creation_rate', 5)]],
    ['address removed', entity(['ip', '127.0.0.2']), [remove('connection_creation_rate')]],
  ]
}

const quotaScenarios: readonly Scenario[] = [
  {
    title: 'entities and keys',
    api: 'AlterClientQuotas',
    run: async (probe, version, name) => {
      for (const [note, named, ops] of quotaCases(name)) {
        await alterQuotas(probe, version, [{ entity: named, ops }], note)
      }
      await describeQuotas(probe, 1, [filter('user', EXACT, name)], true, 'what is left')
      const clean = ['request_percentage', 'controller_mutation_rate'].map(remove)
      await alterQuotas(probe, version, [{ entity: entity(['user', name]), ops: clean }], 'removal')
      await describeQuotas(probe, 1, [filter('user', EXACT, name)], false, 'nothing is left')
    },
  },
  {
    title: 'several entities at once, validation only, the same entity twice',
    api: 'AlterClientQuotas',
    run: async (probe, version, name) => {
      const one = { entity: entity(['user', `${name}-1`]), ops: [set('producer_byte_rate', 1e9)] }
      const two = { entity: entity(['client-id', `${name}-2`]), ops: [set('no_such_rate', 5)] }
      const three = { entity: entity(['user', `${name}-3`], ['client-id', 'x']), ops: [set('consumer_byte_rate', 1e9)] }
      await alterQuotas(probe, version, [one, two, three], 'validation only', true)
      await describeQuotas(probe, 1, [filter('user', EXACT, `${name}-1`)], false, 'nothing yet')
      await alterQuotas(probe, version, [one, two, three], 'one refused')
      await describeQuotas(probe, 1, [filter('user', EXACT, `${name}-1`)], false, 'the first')
      await describeQuotas(probe, 1, [filter('user', EXACT, `${name}-3`)], false, 'the third')
      await describeQuotas(probe, 1, [filter('user', EXACT, `${name}-3`)], true, 'the third, strictly')
      await alterQuotas(probe, version, [one, one], 'twice')
      await alterQuotas(probe, version, [], 'none')
      const gone = [one, three].map((entry) => ({ ...entry, ops: entry.ops.map(({ key }) => remove(key)) }))
      await alterQuotas(probe, version, gone, 'removed')
    },
  },
  {
    title: 'filters',
    api: 'DescribeClientQuotas',
    run: async (probe, version, name) => {
      const client = (id: string | null) => entity(['user', name], ['client-id', id])
      const entries = [
        { entity: entity(['user', name]), ops: [set('producer_byte_rate', 1e9), set('request_percentage', 5000)] },
        { entity: client('a'), ops: [set('consumer_byte_rate', 1e9)] },
        { entity: client(null), ops: [set('consumer_byte_rate', 2e9)] },
      ]
      await alterQuotas(probe, 1, entries, 'set')
      const user = filter('user', EXACT, name)
      const filters: readonly (readonly [Body[], string])[] = [
        [[user], 'user'],
        [[user, filter('client-id', EXACT, 'a')], 'user and client'],
        [[user, filter('client-id', DEFAULT)], 'user and default client'],
        [[user, filter('client-id', SPECIFIED)], 'user and any client'],
        [[filter('user', EXACT, `no-${name}`)], 'unknown user'],
        [[user, user], 'user twice'],
        [[filter('', EXACT, 'x')], 'no kind'],
        [[filter('group', EXACT, 'x')], 'unknown kind'],
        [[filter('user', EXACT, null)], 'exactly nothing'],
        [[filter('user', DEFAULT, 'x')], 'default with a name'],
        [[filter('user', SPECIFIED, 'x')], 'any with a name'],
        [[filter('user', 7, null)], 'unknown match type'],
        [[user, filter('ip', SPECIFIED)], 'user and address'],
      ]
      for (const [components, note] of filters) {
        await describeQuotas(probe, version, components, false, note)
        await describeQuotas(probe, version, components, true, `${note}, strictly`)
      }
      const gone = entries.map((entry) => ({ ...entry, ops: entry.ops.map(({ key }) => remove(key)) }))
      await alterQuotas(probe, 1, gone, 'removed')
    },
  },
]

const controllerScenarios: readonly Scenario[] = [
  {
    title: 'elections that are not needed, and of what is not there',
    api: 'ElectLeaders',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      const elect = (type: number, topics: Body[] | null, note: string) =>
        probe.send('ElectLeaders', version, electionBody(version, type, topics), note)
      for (const type of version >= 1 ? [PREFERRED, UNCLEAN, 5] : [PREFERRED]) {
        await elect(type, [{ topic: name, partitions: [0, 1, 7] }], `type ${type}`)
        await elect(type, [{ topic: `no-${name}`, partitions: [0] }], `type ${type}, no such topic`)
        await elect(type, [{ topic: name, partitions: [] }], `type ${type}, no partitions`)
        await elect(type, [], `type ${type}, nothing`)
      }
    },
  },
  {
    title: 'moves to brokers that are not there, to the same broker, and called off',
    api: 'AlterPartitionReassignments',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      const move = (topic: string, partitionIndex: number, replicas: number[] | null, note: string, mayChange = true) =>
        probe.send(
          'AlterPartitionReassignments',
          version,
          {
            timeoutMs: 10_000,
            ...(version >= 1 ? { allowReplicationFactorChange: mayChange } : {}),
            topics: [{ name: topic, partitions: [{ partitionIndex, replicas }] }],
          },
          note,
        )
      await move(name, 0, [1], 'the same broker')
      await move(name, 0, [2], 'no such broker')
      await move(name, 0, [1, 2], 'one more')
      await move(name, 0, [1, 1], 'twice the same')
      await move(name, 0, [], 'none')
      await move(name, 0, [-1], 'negative')
      await move(name, 0, null, 'called off')
      await move(name, 9, [1], 'no such partition')
      await move(`no-${name}`, 0, [1], 'no such topic')
      if (version >= 1) await move(name, 0, [], 'none, same factor', false)
      await probe.send('AlterPartitionReassignments', version, { timeoutMs: 10_000, topics: [] }, 'nothing')
      await probe.send('ListPartitionReassignments', 0, { timeoutMs: 10_000, topics: null }, 'none is under way')
    },
  },
  {
    title: 'of all topics, of some, of none',
    api: 'ListPartitionReassignments',
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      const asked = [null, [], [{ name, partitionIndexes: [0, 5] }], [{ name: `no-${name}`, partitionIndexes: [0] }]]
      for (const topics of asked) await probe.send('ListPartitionReassignments', version, { timeoutMs: 10_000, topics })
    },
  },
  {
    title: 'brokers that are not registered',
    api: 'UnregisterBroker',
    run: async (probe, version) => {
      for (const brokerId of [7, -1, 2147483647]) await probe.send('UnregisterBroker', version, { brokerId })
    },
  },
]

const directoryScenarios: readonly Scenario[] = [
  {
    title: 'to where it is, to directories that are not there, and of partitions that are not there',
    api: 'AlterReplicaLogDirs',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      const { dataDir } = probe.broker
      const move = (dirs: Body[], what: string) => probe.send('AlterReplicaLogDirs', version, { dirs }, what)
      const to = (path: string, topic: string, ...partitions: number[]) => ({
        path,
        topics: [{ name: topic, partitions }],
      })
      await move([to(dataDir, name, 0, 1)], 'the same directory')
      await move([to(dataDir, name, 0, 7)], 'a partition that is not there')
      await move([to(dataDir, `no-${name}`, 0)], 'a topic that is not there')
      await move([to('/no/such/directory', name, 0)], 'a directory that is not there')
      await move([to('no/such/directory', name, 0)], 'a relative path')
      await move([to('', name, 0)], 'no path')
      await move([to('/no/such/directory', name, 0), to(dataDir, name, 0)], 'two directories')
      await move([to(dataDir, 'x'.repeat(250), 0)], 'a name that is too long')
      await move([to(dataDir, name)], 'no partitions')
      await move([], 'nothing')
    },
  },
]

/** Whether a throttle time is what it should be, give or take what a busy machine makes of it. */
export function isNear(ms: number, expectedMs: number): string {
  return Math.abs(ms - expectedMs) <= 400 ? 'as expected' : `${ms} ms, not ${expectedMs}`
}

/** Set for this client only, so that no other scenario pauses; its name is its client id. */
export async function limited(probe: Probe, name: string, key: string, value: number): Promise<void> {
  probe.clientId = name
  const entries = [{ entity: entity(['client-id', name]), ops: [set(key, value)] }]
  await probe.quietly('AlterClientQuotas', 1, { entries, validateOnly: false })
  await settled(probe)
  await settled(probe)
}

/** Writes an exchange down that says whether the throttle time was right. */
export function note(probe: Probe, api: 'Produce' | 'Fetch' | 'ShareFetch' | 'CreateTopics', text: string): void {
  probe.transcript.push({ api, version: 0, response: { text } })
}

const throttleScenarios: readonly Scenario[] = [
  {
    title: 'more bytes than the quota: the time to pause, and the pause',
    api: 'Produce',
    from: 9,
    to: 9,
    run: async (probe, version, name) => {
      const id = await makeTopic(probe, name)
      await limited(probe, name, 'producer_byte_rate', 10_000)
      const body = produceBody(version, { name, id }, batch(1, {}, 109_000))
      const startMs = performance.now()
      const response = await probe.send('Produce', version, body)
      // 109 kB in a window of 10 s are 10.9 kB a second, which is 9 % too much.
      note(probe, 'Produce', isNear(response.throttleTimeMs, 920))
      await probe.send('Produce', version, produceBody(version, { name, id }, batch(1)))
      note(probe, 'Produce', isNear(performance.now() - startMs, 920))
    },
  },
  {
    title: 'more bytes than the quota: no records, the time to pause, and then the records',
    api: 'Fetch',
    from: 12,
    to: 12,
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      await write(probe, name, batch(1, {}, 60_000))
      await limited(probe, name, 'consumer_byte_rate', 10_000)
      const fetch = () =>
        probe.send('Fetch', version, {
          maxWaitMs: 100,
          minBytes: 1,
          sessionEpoch: -1,
          topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1e6 }] }],
        })
      await fetch()
      // Twice 60 kB in a window of 10 s are 20 % too much.
      const refused = await fetch()
      note(probe, 'Fetch', isNear(refused.throttleTimeMs, 2000))
    },
  },
  {
    title: 'more partitions than the quota',
    api: 'CreateTopics',
    run: async (probe, version, name) => {
      await limited(probe, name, 'controller_mutation_rate', 2)
      const create = (suffix: string, numPartitions: number) =>
        probe.send('CreateTopics', version, {
          topics: [{ name: `${name}-${suffix}`, numPartitions, replicationFactor: 1 }],
          timeoutMs: 10_000,
          ...(version >= 1 ? { validateOnly: false } : {}),
        })
      const first = await create('a', 24)
      probe.learn(first.topics?.[0]?.topicId, '<id of a>')
      const second = await create('b', 1)
      probe.learn(second.topics?.[0]?.topicId, '<id of b>')
      // Two too many come back in one second; older clients have paused for that already.
      if (version >= 2) note(probe, 'CreateTopics', isNear(second.throttleTimeMs, version >= 6 ? 1000 : 500))
    },
  },
  {
    title: 'quotas on deleting and adding partitions',
    api: 'DeleteTopics',
    from: 4,
    to: 6,
    run: async (probe, version, name) => {
      await makeTopic(probe, `${name}-a`, { partitions: 30 })
      await makeTopic(probe, `${name}-b`)
      await limited(probe, name, 'controller_mutation_rate', 2)
      const remove = (topic: string) =>
        probe.send('DeleteTopics', version, {
          timeoutMs: 10_000,
          ...(version >= 6 ? { topics: [{ name: topic }] } : { topicNames: [topic] }),
        })
      await remove(`${name}-a`)
      const topics = [{ name: `${name}-b`, count: 2, assignments: null }]
      await probe.send('CreatePartitions', 3, { topics, timeoutMs: 10_000, validateOnly: true })
      await remove(`${name}-b`)
    },
  },
]

const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const CLIENT = 'T8ieC9GbRMy7po1nB9IrzQ'
const CLIENT_METRICS = 16

/** Neither broker tells clients of these two APIs unless metrics are received, but both answer. */
const telemetryScenarios: readonly Scenario[] = [
  {
    title: 'client metrics: subscriptions and pushes',
    api: 'IncrementalAlterConfigs',
    from: 1,
    run: async (probe, version, name) => {
      probe.clientId = name
      const settings = { metrics: 'org.x,org.y', 'interval.ms': '100000', match: `client_id=${name}` }
      const configs = Object.entries(settings).map(([key, value]) => ({ name: key, configOperation: 0, value }))
      const resources = [{ resourceType: CLIENT_METRICS, resourceName: name, configs }]
      await probe.send('IncrementalAlterConfigs', version, { resources, validateOnly: false })
      await settled(probe)
      const ask = async (clientInstanceId: string) => {
        const answer = await probe.quietly('GetTelemetrySubscriptions', 0, { clientInstanceId })
        const isNew = clientInstanceId === NO_ID && answer.clientInstanceId !== NO_ID
        const requestedMetrics = [...answer.requestedMetrics].sort().join()
        const response = { ...answer, subscriptionId: answer.subscriptionId !== 0, requestedMetrics }
        probe.transcript.push({
          api: 'GetTelemetrySubscriptions',
          version: 0,
          response: isNew ? { ...response, clientInstanceId: '<new>' } : response,
        })
        return answer
      }
      await ask(NO_ID)
      const { subscriptionId } = await ask(CLIENT)
      await ask(CLIENT)
      const push = (body: Body, what: string) => {
        const request = { clientInstanceId: CLIENT, subscriptionId, terminating: false, compressionType: 0 }
        return probe.send('PushTelemetry', 0, { ...request, metrics: Buffer.from('x'), ...body }, what)
      }
      await push({ clientInstanceId: NO_ID }, 'no id')
      await push({}, 'the first')
      await push({}, 'the second, too early')
      await push({ subscriptionId: subscriptionId + 1, terminating: true }, 'unknown subscription')
      await ask(CLIENT)
      await push({}, 'after the last one')
      const other = 'U8ieC9GbRMy7po1nB9IrzQ'
      const last = { clientInstanceId: other, subscriptionId: (await ask(other)).subscriptionId, terminating: true }
      await push({ ...last, compressionType: 9 }, 'unknown codec')
      await ask(other)
      const third = 'V8ieC9GbRMy7po1nB9IrzQ'
      const large = { clientInstanceId: third, subscriptionId: (await ask(third)).subscriptionId }
      await push({ ...large, metrics: Buffer.alloc(1048577) }, 'too large')
      const empty = 'W8ieC9GbRMy7po1nB9IrzQ'
      await push({ clientInstanceId: empty, metrics: Buffer.alloc(0) }, 'without asking first')
      const gone = configs.map((config) => ({ ...config, configOperation: 1, value: null }))
      await probe.send('IncrementalAlterConfigs', version, {
        resources: [{ resourceType: CLIENT_METRICS, resourceName: name, configs: gone }],
        validateOnly: false,
      })
    },
  },
]

const offsetScenarios: readonly Scenario[] = [
  {
    title: 'every special timestamp in every version',
    api: 'ListOffsets',
    from: 1,
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      await write(probe, name, batch(3))
      for (const timestamp of [-1, -2, -3, -4, -5, -6, -7, -100]) {
        const topics = [{ name, partitions: [{ partitionIndex: 0, timestamp }] }]
        await probe.send('ListOffsets', version, { replicaId: -1, topics }, `timestamp ${timestamp}`)
      }
    },
  },
  {
    title: 'topics by their ids: unknown, zero, known',
    api: 'OffsetCommit',
    from: 10,
    run: async (probe, version, name) => {
      const id = await makeTopic(probe, name)
      for (const topicId of [id, NO_ID, CLIENT]) {
        const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'm' }]
        const commit = { groupId: name, generationIdOrMemberEpoch: -1, memberId: '', topics: [{ topicId, partitions }] }
        await probe.send('OffsetCommit', version, commit)
        const groups = [{ groupId: name, memberEpoch: -1, topics: [{ topicId, partitionIndexes: [0] }] }]
        await probe.send('OffsetFetch', 10, { groups, requireStable: false })
      }
    },
  },
]

export const adminScenarios: readonly Scenario[] = [
  ...quotaScenarios,
  ...controllerScenarios,
  ...directoryScenarios,
  ...throttleScenarios,
  ...telemetryScenarios,
  ...offsetScenarios,
]
