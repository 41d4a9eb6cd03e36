import { makeTopic, range, type Scenario, settled } from '../scenario.ts'
import {
  beat,
  beatUntil,
  configureGroup,
  describeGroup,
  internal,
  isMissing,
  isReady,
  join,
  leave,
  newThread,
  SILENT,
  stateful,
  stateless,
  subtopology,
  topicFor,
  topology,
  untilFailed,
  untilGroup,
  untilThere,
  wordCount,
} from './streams-tools.ts'

const api = 'StreamsGroupHeartbeat'

const membership: Scenario[] = [
  {
    title: 'one thread, from joining to leaving',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 3)
      const thread = newThread(name, 'm1')
      await join(probe, thread, stateless(name))
      await describeGroup(probe, name, 'as it is written')
      await beat(probe, thread, SILENT, 'nothing new')
      await beat(probe, thread, {}, 'in full')
      await describeGroup(probe, name, 'as it is configured')
      await join(probe, thread, stateless(name), {}, 'joins again')
      await leave(probe, thread)
      await describeGroup(probe, name, 'empty')
      await probe.send('DeleteGroups', 2, { groupsNames: [name] })
      await describeGroup(probe, name, 'gone')
    },
  },
  {
    title: 'all that a member can say of itself',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      const thread = newThread(name, 'm1')
      const said = {
        rackId: 'rack',
        userEndpoint: { host: 'host.example', port: 4711 },
        clientTags: [
          { key: 'zone', value: 'z1' },
          { key: 'cluster', value: 'c1' },
        ],
      }
      await join(probe, thread, stateless(name), said)
      await describeGroup(probe, name)
      await beat(probe, thread, { rackId: 'other' }, 'another rack')
      await beat(probe, thread, { processId: 'other', clientTags: [] }, 'another process')
      await beat(probe, thread, { userEndpoint: { host: 'else.example', port: 1 }, rebalanceTimeoutMs: 5 }, 'moved')
      await beat(probe, thread, {}, 'after all that')
      await describeGroup(probe, name)
    },
  },
  {
    title: 'two processes share the tasks: one gives up, then the other gets',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 4)
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await join(probe, a, stateless(name))
      await join(probe, b, stateless(name))
      const before = a.active
      await beat(probe, a, {}, 'is told to give up')
      await describeGroup(probe, name)
      await beat(probe, b, SILENT, 'waits')
      await beat(probe, a, { activeTasks: before }, 'has not given up')
      await beat(probe, a, SILENT, 'does not say')
      await beat(probe, a, {}, 'has given up')
      await beat(probe, b, SILENT, 'gets')
      await beat(probe, b, {}, 'has')
      await describeGroup(probe, name)
      await leave(probe, a)
      await beat(probe, b, {}, 'gets all')
      await describeGroup(probe, name)
    },
  },
  {
    title: 'threads of one process, and a second process',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 6)
      const threads = [newThread(name, 'a1', 'a'), newThread(name, 'a2', 'a'), newThread(name, 'b1', 'b')]
      for (const thread of threads) await join(probe, thread, stateless(name))
      for (const _ of range(3)) for (const thread of threads) await beat(probe, thread)
      await describeGroup(probe, name)
      await leave(probe, threads[2]!)
      for (const _ of range(2)) for (const thread of threads.slice(0, 2)) await beat(probe, thread)
      await describeGroup(probe, name)
    },
  },
  {
    title: 'standby tasks, where they are found, and fewer of them',
    api,
    run: async (probe, _, name) => {
      await makeTopic(probe, `${name}-changelog`, { partitions: 3 })
      await topicFor(probe, name, 3)
      await configureGroup(probe, name, { 'streams.num.standby.replicas': '1' })
      const threads = ['a', 'b', 'c'].map((id) => newThread(name, id))
      const endpoint = (port: number) => ({ userEndpoint: { host: 'host.example', port } })
      for (const [i, thread] of threads.entries()) await join(probe, thread, stateful(name), endpoint(1000 + i))
      for (const _ of range(4)) for (const thread of threads) await beat(probe, thread)
      await describeGroup(probe, name)
      await beat(probe, threads[0]!, { endpointInformationEpoch: -1 }, 'asks where all is')
      await configureGroup(probe, name, { 'streams.num.standby.replicas': '0' })
      for (const _ of range(3)) for (const thread of threads) await beat(probe, thread, {}, 'no standbys')
      await describeGroup(probe, name)
    },
  },
  {
    title: 'a full group',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 1)
      const threads = ['a', 'b', 'c', 'd', 'e'].map((id) => newThread(name, id))
      for (const thread of threads) await join(probe, thread, stateless(name))
      await join(probe, threads[0]!, stateless(name), {}, 'one that is in joins again')
      await beat(probe, threads[1]!, {}, 'one that is in')
    },
  },
  {
    title: 'epochs: stale, ahead, and one that was lost',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await beat(probe, a, { ...SILENT, memberEpoch: 1 }, 'no group')
      await beat(probe, a, { ...SILENT, memberEpoch: -1 }, 'no group to leave')
      await join(probe, a, stateless(name))
      await beat(probe, b, { ...SILENT, memberEpoch: 1 }, 'unknown')
      await beat(probe, b, { ...SILENT, memberEpoch: -1 }, 'unknown leaves')
      await beat(probe, a, { memberEpoch: a.memberEpoch + 1 }, 'ahead')
      const epoch = a.memberEpoch
      await join(probe, b, stateless(name))
      await beat(probe, a)
      await beat(probe, a)
      await beat(probe, a, { memberEpoch: epoch }, 'the epoch before, with what it has')
      await beat(probe, a, { ...SILENT, memberEpoch: epoch }, 'the epoch before, says nothing')
      const all = [{ subtopologyId: '0', partitions: [0, 1] }]
      await beat(probe, a, { memberEpoch: epoch, activeTasks: all }, 'the epoch before, with too much')
      await beat(probe, a, { memberEpoch: 1 }, 'long gone')
      await beat(probe, a, {}, 'its epoch')
    },
  },
  {
    title: 'a silent member is out, and so is one that does not give up its tasks',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      const values = { 'streams.heartbeat.interval.ms': '200', 'streams.session.timeout.ms': '900' }
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await join(probe, a, stateless(name), { rebalanceTimeoutMs: 300 })
      await join(probe, b, stateless(name))
      await beat(probe, a, {}, 'is to give up')
      await untilGroup(probe, name, ({ members }) => members.length === 1)
      await describeGroup(probe, name, 'without a')
      await configureGroup(probe, name, values)
      await beat(probe, b, {}, 'has all')
      await untilGroup(probe, name, ({ members }) => members.length === 0)
      await describeGroup(probe, name, 'without b')
      await beat(probe, b, {}, 'too late')
    },
  },
  {
    title: 'the first assignment waits for more members',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      await configureGroup(probe, name, { 'streams.initial.rebalance.delay.ms': '2500' })
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await join(probe, a, stateless(name))
      await beat(probe, a, {}, 'waits')
      await join(probe, b, stateless(name))
      await describeGroup(probe, name, 'waiting')
      await untilGroup(probe, name, ({ groupEpoch, assignmentEpoch }) => groupEpoch === assignmentEpoch)
      await describeGroup(probe, name, 'assigned')
      await beat(probe, a)
      await beat(probe, b)
      await leave(probe, a)
      await leave(probe, b)
      await join(probe, a, stateless(name), {}, 'the first one again')
      await leave(probe, a)
    },
  },
  {
    title: 'assignments come not too often',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      await configureGroup(probe, name, { 'streams.assignment.interval.ms': '15000' })
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await join(probe, a, stateless(name))
      await join(probe, b, stateless(name))
      await beat(probe, a)
      await describeGroup(probe, name)
      await configureGroup(probe, name, { 'streams.assignment.interval.ms': '0' })
      await beat(probe, a)
      await beat(probe, b)
      await describeGroup(probe, name)
    },
  },
  {
    title: 'one asks for the end of the whole application',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await join(probe, a, stateless(name))
      await join(probe, b, stateless(name))
      await beat(probe, a, { shutdownApplication: true }, 'asks')
      await beat(probe, b, { shutdownApplication: true }, 'asks too')
      await leave(probe, a)
      await beat(probe, b)
      await join(probe, a, stateless(name))
      await leave(probe, b, { shutdownApplication: true })
      await leave(probe, a)
      await join(probe, a, stateless(name), {}, 'a new beginning')
      await leave(probe, a, { shutdownApplication: true })
      await join(probe, a, stateless(name), {}, 'another one')
    },
  },
]

const topologies: Scenario[] = [
  {
    title: 'a word count: its topics are made, then it is assigned',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 3)
      const internals = [`${name}-counts-repartition`, `${name}-counts-changelog`]
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await join(probe, a, wordCount(name))
      await describeGroup(probe, name, 'not ready')
      await untilThere(probe, internals)
      await beatUntil(probe, a, 'ready', isReady)
      await join(probe, b, wordCount(name))
      for (const _ of range(3)) for (const thread of [a, b]) await beat(probe, thread)
      await describeGroup(probe, name)
      const resources = internals.map((resourceName) => ({
        resourceType: 2,
        resourceName,
        configurationKeys: ['cleanup.policy'],
      }))
      await probe.send('DescribeConfigs', 4, { resources })
      const topics = internals.map((topic) => ({ name: topic }))
      const made = await probe.quietly('Metadata', 9, { topics })
      for (const topic of made.topics) probe.learn(topic.partitions.length, `partitions of ${topic.name}`)
    },
  },
  {
    title: 'source topics are missing, then there, then gone again',
    api,
    run: async (probe, _, name) => {
      const sources = range(5).map((i) => `${name}-${i}`)
      const thread = newThread(name, 'm1')
      const joined = topology([subtopology('0', sources.slice(0, 1)), subtopology('1', sources.slice(1))])
      await join(probe, thread, joined)
      await beat(probe, thread, {}, 'missing')
      await describeGroup(probe, name, 'missing')
      // In one request: nobody hears of some of them only.
      const topics = sources.map((source) => ({ name: source, numPartitions: 2, replicationFactor: 1 }))
      const created = await probe.quietly('CreateTopics', 7, { topics, timeoutMs: 10_000 })
      for (const { name: topic, topicId } of created.topics) probe.learn(topicId, `<id of ${topic}>`)
      await beatUntil(probe, thread, 'there', isReady)
      await describeGroup(probe, name, 'there')
      await probe.quietly('DeleteTopics', 5, { topicNames: [sources[2]], timeoutMs: 10_000 })
      await beatUntil(probe, thread, 'gone', isMissing)
      await beat(probe, thread, {}, 'gives up')
      await describeGroup(probe, name, 'gone')
    },
  },
  {
    title: 'a source topic gets more partitions',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      const thread = newThread(name, 'm1')
      await join(probe, thread, stateless(name))
      await beat(probe, thread)
      const topics = [{ name, count: 4, assignments: null }]
      await probe.quietly('CreatePartitions', 3, { topics, timeoutMs: 10_000, validateOnly: false })
      await beatUntil(probe, thread, 'more', ({ activeTasks }) => activeTasks !== null)
      await describeGroup(probe, name)
    },
  },
  {
    title: 'topics with the wrong number of partitions',
    api,
    run: async (probe, _, name) => {
      await makeTopic(probe, `${name}-changelog`, { partitions: 1 })
      await makeTopic(probe, `${name}-2`, { partitions: 2 })
      await topicFor(
        probe,
        name,
        3,
        ['a', 'b', 'c'].map((group) => `${name}-${group}`),
      )
      await join(probe, newThread(`${name}-a`, 'm1'), stateful(name), {}, 'changelog')
      const together = [{ sourceTopics: [0, 1], sourceTopicRegex: [], repartitionSourceTopics: [] }]
      const joined = topology([subtopology('0', [name, `${name}-2`], { copartitionGroups: together })])
      await join(probe, newThread(`${name}-b`, 'm1'), joined, {}, 'not copartitioned')
      await describeGroup(probe, `${name}-b`)
      const fixed = [internal(`${name}-r`, { partitions: 5 })]
      const withFixed = [{ sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] }]
      const more = { repartitionSourceTopics: fixed, copartitionGroups: withFixed }
      await join(probe, newThread(`${name}-c`, 'm1'), topology([subtopology('0', [name], more)]), {}, 'fixed number')
    },
  },
  {
    title: 'internal topics that cannot be made',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 1)
      const wrong = internal(`${name}-c`, { topicConfigs: [{ key: 'cleanup.policy', value: 'no' }] })
      const thread = newThread(name, 'm1')
      const more = { stateChangelogTopics: [wrong] }
      await join(probe, thread, topology([subtopology('0', [name], more)]))
      await untilFailed(probe, thread)
      await beat(probe, thread, {}, 'told why')
    },
  },
  {
    title: 'internal topics beyond the quota of the client',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, `${name}-1`, 30, [`${name}-a`])
      await topicFor(probe, `${name}-2`, 1, [`${name}-b`])
      probe.clientId = name
      const entity = [{ entityType: 'client-id', entityName: name }]
      const ops = [{ key: 'controller_mutation_rate', value: 1, remove: false }]
      await probe.quietly('AlterClientQuotas', 1, { entries: [{ entity, ops }], validateOnly: false })
      await settled(probe)
      const [a, b] = [newThread(`${name}-a`, 'm1'), newThread(`${name}-b`, 'm1')]
      await join(probe, a, stateful(`${name}-1`), {}, 'the last that is allowed')
      await untilThere(probe, [`${name}-1-changelog`])
      await join(probe, b, stateful(`${name}-2`), {}, 'beyond it')
      await untilFailed(probe, b)
      await describeGroup(probe, `${name}-b`, 'beyond it')
    },
  },
  {
    title: 'a topology that changes',
    api,
    run: async (probe, _, name) => {
      await makeTopic(probe, `${name}-2`, { partitions: 1 })
      await topicFor(probe, name, 2)
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      const both = [subtopology('0', [name]), subtopology('1', [`${name}-2`])]
      await join(probe, a, topology(both, 3))
      await join(probe, b, topology([...both].reverse(), 3), {}, 'in another order')
      await join(probe, b, topology(both.slice(1), 3), {}, 'the same epoch, another topology')
      await join(probe, b, topology(both, 4), {}, 'a later epoch')
      await join(probe, b, topology(both.slice(1), 2), {}, 'an earlier epoch')
      await beat(probe, b, {}, 'still behind')
      await describeGroup(probe, name)
      await join(probe, b, topology(both, 3), {}, 'up to date')
      await beat(probe, b)
    },
  },
  {
    title: 'topologies that no client sends',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      await settled(probe)
      const copartitioned = (sourceTopics: number[], repartitionSourceTopics: number[]) => ({
        copartitionGroups: [{ sourceTopics, sourceTopicRegex: [], repartitionSourceTopics }],
      })
      const odd: Record<string, ReturnType<typeof topology>> = {
        'no subtopologies': topology([]),
        'negative epoch': topology([subtopology('0', [name])], -1),
        'the same subtopology twice': topology([subtopology('0', [name]), subtopology('0', [name])]),
        'the same source twice': topology([subtopology('0', [name, name])]),
        'no sources': topology([subtopology('0', [])]),
        'no such source to copartition': topology([subtopology('0', [name], copartitioned([5], []))]),
        'no such repartition topic to copartition': topology([subtopology('0', [name], copartitioned([], [0]))]),
        'an invalid source': topology([subtopology('0', ['bad name', name])]),
        'an invalid changelog': topology([subtopology('0', [name], { stateChangelogTopics: [internal('a/b')] })]),
        'an internal topic of Kafka': topology([subtopology('0', ['__consumer_offsets', '__transaction_state'])]),
        'a changelog with a number of partitions': topology([
          subtopology('0', [name], { stateChangelogTopics: [internal(`${name}-c`, { partitions: 2 })] }),
        ]),
        'a repartition topic that nobody writes': topology([
          subtopology('0', [name], { repartitionSourceTopics: [internal(`${name}-r`)] }),
        ]),
        'a regular expression': topology([subtopology('0', [name], { sourceTopicRegex: ['a.*'] })]),
      }
      for (const [i, [note, joined]] of Object.entries(odd).entries()) {
        await join(probe, newThread(`${name}-${i}`, 'm1'), joined, {}, note)
      }
    },
  },
]

export const streamsGroupScenarios: readonly Scenario[] = [...membership, ...topologies]
