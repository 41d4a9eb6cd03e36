import type { Body, Probe } from '../probe.ts'
import { makeTopic, newest, range, type Scenario } from '../scenario.ts'
import {
  beat,
  describeGroup,
  join,
  joinBody,
  leave,
  newThread,
  SILENT,
  stateless,
  subtopology,
  topicFor,
  topology,
} from './streams-tools.ts'
import { addBody, init, withCoordinator } from './transaction-tools.ts'

const api = 'StreamsGroupHeartbeat'

/** The assignment protocol of classic consumers, version 1: a subscription to no topic. */
const SUBSCRIPTION = Buffer.from('000100000000ffffffff00000000', 'hex')

function classicJoin(groupId: string, memberId = ''): Body {
  const protocols = [{ name: 'range', metadata: SUBSCRIPTION }]
  const timeouts = { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000 }
  return { groupId, memberId, protocolType: 'consumer', protocols, ...timeouts }
}

/** The group gets a member of the classic protocol, and its id; not part of what is compared. */
async function joinedClassic(probe: Probe, groupId: string): Promise<string> {
  const { memberId } = await probe.quietly('JoinGroup', 9, classicJoin(groupId))
  await probe.quietly('JoinGroup', 9, classicJoin(groupId, memberId))
  probe.learn(memberId, '<classic member>')
  return memberId
}

function commitBody(groupId: string, memberId: string, epoch: number, topics: string[], partition = 0): Body {
  const partitions = [{ partitionIndex: partition, committedOffset: 3, committedMetadata: 'm' }]
  const named = topics.map((name) => ({ name, partitions }))
  return { groupId, memberId, generationIdOrMemberEpoch: epoch, topics: named }
}

const requests: Scenario[] = [
  {
    title: 'heartbeats that make no sense',
    api,
    run: async (probe, version, name) => {
      await topicFor(probe, name, 2)
      const body = { groupId: name, memberId: 'm1', endpointInformationEpoch: -1 }
      const full = { ...body, ...joinBody(newThread(name, 'm1'), stateless(name)) }
      const tasks = [{ subtopologyId: '0', partitions: [0] }]
      const offsets = [{ subtopologyId: '0', partition: 0, offset: 1 }]
      const odd: Record<string, Body> = {
        'no member id': { ...full, memberId: ' ' },
        'no group id': { ...full, groupId: '' },
        'empty rack': { ...full, rackId: '' },
        'instance id': { ...full, instanceId: 'i1' },
        'no rebalance timeout': { ...full, rebalanceTimeoutMs: -1 },
        'joins with active tasks': { ...full, activeTasks: tasks },
        'joins with standby tasks': { ...full, standbyTasks: tasks },
        'joins with warm-up tasks': { ...full, warmupTasks: tasks },
        'joins and does not say its tasks': { ...full, ...SILENT },
        'joins without topology': { ...full, topology: null },
        'task offsets': { ...full, taskOffsets: offsets },
        'task end offsets': { ...full, taskEndOffsets: offsets },
        'epoch of a static member': { ...body, memberEpoch: -2 },
        'epoch out of range': { ...body, memberEpoch: -3 },
        'a topology later on': { ...full, memberEpoch: 1 },
        'only active tasks': { ...body, memberEpoch: 1, activeTasks: tasks },
        'no standby tasks': { ...body, memberEpoch: 1, activeTasks: tasks, warmupTasks: [] },
        'no warm-up tasks': { ...body, memberEpoch: 1, activeTasks: tasks, standbyTasks: [] },
        'no process id': { ...full, processId: null },
      }
      for (const [note, request] of Object.entries(odd)) await probe.send(api, version, request, note)
      await describeGroup(probe, name)
    },
  },
  {
    title: 'tasks that there are not',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 2)
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await join(probe, a, stateless(name))
      const say = (activeTasks: Body[], note: string) => beat(probe, a, { activeTasks }, note)
      await say([{ subtopologyId: 'x', partitions: [0] }], 'unknown subtopology')
      await say([{ subtopologyId: '0', partitions: [2] }], 'too high')
      await say([{ subtopologyId: '0', partitions: [-1] }], 'negative')
      await beat(probe, a, { standbyTasks: [{ subtopologyId: '0', partitions: [2] }] }, 'a standby task')
      await join(probe, b, stateless(name))
      const half = { subtopologyId: '0', partitions: [0] }
      await say([half, half], 'the same subtopology twice')
      await say([], 'nothing')
    },
  },
  {
    title: 'described and listed among others',
    api: 'StreamsGroupDescribe',
    run: async (probe, version, name) => {
      await topicFor(probe, name, 1, [`${name}-s`, `${name}-e`])
      const thread = newThread(`${name}-s`, 'm1')
      await join(probe, thread, stateless(name))
      await join(probe, newThread(`${name}-n`, 'm1'), stateless(`${name}-missing`))
      const lonely = newThread(`${name}-e`, 'm1')
      await join(probe, lonely, stateless(name))
      await leave(probe, lonely)
      await probe.send('OffsetCommit', 9, commitBody(`${name}-c`, '', -1, [name]))
      const groupIds = ['s', 'n', 'e', 'c', 'none'].map((kind) => `${name}-${kind}`)
      await probe.send('StreamsGroupDescribe', version, { groupIds: [...groupIds, ''] })
      await probe.send('StreamsGroupDescribe', version, { groupIds, includeAuthorizedOperations: true })
      await probe.send('StreamsGroupDescribe', version, { groupIds: [] })
      await probe.send('ConsumerGroupDescribe', 1, { groupIds })
      await probe.send('ShareGroupDescribe', 1, { groupIds })
      for (const old of [5, 6]) await probe.send('DescribeGroups', old, { groups: groupIds })
      const list = async (statesFilter: string[], typesFilter: string[]) => {
        const listed = await probe.send('ListGroups', 5, { statesFilter, typesFilter })
        // The other stories have groups, too.
        listed.groups = listed.groups.filter(({ groupId }: Body) => groupId.startsWith(name))
      }
      await list([], [])
      await list([], ['Streams'])
      for (const state of ['Stable', 'NotReady', 'not_ready', 'Empty', 'Assigning']) await list([state], ['streams'])
      await probe.send('FindCoordinator', 6, { keyType: 0, coordinatorKeys: groupIds })
      await probe.send('DeleteGroups', 2, { groupsNames: groupIds })
      await leave(probe, thread)
      await probe.send('DeleteGroups', 2, { groupsNames: groupIds })
    },
  },
]

const kinds: Scenario[] = [
  {
    title: 'a group of another kind is no streams group',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 1)
      await withCoordinator(probe, 0, `${name}-classic`)
      await joinedClassic(probe, `${name}-classic`)
      const consumer = { memberId: 'm1', memberEpoch: 0, rebalanceTimeoutMs: 30_000, topicPartitions: [] }
      const subscribed = { ...consumer, subscribedTopicNames: [name] }
      await probe.quietly('ConsumerGroupHeartbeat', 1, { groupId: `${name}-consumer`, ...subscribed })
      const sharing = { memberId: 'AAAAAAAAAAAAAAAAAAAAEA', memberEpoch: 0, subscribedTopicNames: [name] }
      await probe.quietly('ShareGroupHeartbeat', 1, { groupId: `${name}-share`, ...sharing })
      for (const kind of ['classic', 'consumer', 'share']) {
        const thread = newThread(`${name}-${kind}`, 'm1')
        await join(probe, thread, stateless(name), {}, `joins, ${kind}`)
        await beat(probe, thread, { ...SILENT, memberEpoch: 1 }, `stays, ${kind}`)
        await leave(probe, thread)
      }
    },
  },
  {
    title: 'a streams group is no group of another kind',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 1)
      await join(probe, newThread(name, 'm1'), stateless(name))
      const consumer = { memberId: 'm2', memberEpoch: 0, rebalanceTimeoutMs: 30_000, topicPartitions: [] }
      const subscribed = { ...consumer, subscribedTopicNames: [name] }
      await probe.send('ConsumerGroupHeartbeat', 1, { groupId: name, ...subscribed })
      await probe.send('ConsumerGroupHeartbeat', 1, { groupId: name, memberId: 'm1', memberEpoch: 2 })
      await probe.send('ConsumerGroupHeartbeat', 1, { groupId: name, memberId: 'm1', memberEpoch: -1 })
      const sharing = { memberId: 'AAAAAAAAAAAAAAAAAAAAEA', memberEpoch: 0, subscribedTopicNames: [name] }
      await probe.send('ShareGroupHeartbeat', 1, { groupId: name, ...sharing })
      await probe.send('JoinGroup', 9, classicJoin(name))
      await probe.send('JoinGroup', 9, classicJoin(name, 'm1'))
      const known = { groupId: name, generationId: 2, memberId: 'm1' }
      await probe.send('SyncGroup', 5, { ...known, protocolType: 'consumer', protocolName: 'range', assignments: [] })
      await probe.send('Heartbeat', 4, known)
      await probe.send('LeaveGroup', 5, { groupId: name, members: [{ memberId: 'm1', groupInstanceId: null }] })
      await describeGroup(probe, name)
    },
  },
  {
    title: 'an empty group changes its kind, and back',
    api,
    run: async (probe, _, name) => {
      await topicFor(probe, name, 1)
      await withCoordinator(probe, 0, name)
      await probe.send('OffsetCommit', 9, commitBody(name, '', -1, [name]), 'a group of offsets')
      const thread = newThread(name, 'm1')
      await join(probe, thread, stateless(name), { userEndpoint: { host: 'h', port: 1 } }, 'streams')
      await beat(probe, thread)
      await describeGroup(probe, name)
      await leave(probe, thread)
      const memberId = await joinedClassic(probe, name)
      await probe.send('DescribeGroups', 6, { groups: [name] }, 'classic')
      await describeGroup(probe, name, 'classic')
      await probe.send('LeaveGroup', 5, { groupId: name, members: [{ memberId, groupInstanceId: null }] })
      await join(probe, thread, stateless(name), {}, 'streams again')
      await leave(probe, thread)
      await describeGroup(probe, name)
      const fetched = [{ groupId: name, memberId: null, memberEpoch: -1, topics: [{ name, partitionIndexes: [0] }] }]
      await probe.send('OffsetFetch', 9, { groups: fetched }, 'its offsets are there')
      await probe.send('DeleteGroups', 2, { groupsNames: [name] })
      await probe.send('OffsetFetch', 9, { groups: fetched }, 'and gone')
    },
  },
]

const offsets: Scenario[] = [
  {
    title: 'commits of members of a streams group',
    api: 'OffsetCommit',
    from: 2,
    to: 9,
    run: async (probe, version, name) => {
      await makeTopic(probe, `${name}-2`, { partitions: 1 })
      await topicFor(probe, name, 2)
      const [a, b] = [newThread(name, 'a'), newThread(name, 'b')]
      await join(probe, a, stateless(name))
      await join(probe, b, stateless(name))
      await beat(probe, a)
      await beat(probe, a)
      await beat(probe, b)
      const commit = (memberId: string, epoch: number, note: string, topics = [name], partition = 0) =>
        probe.send('OffsetCommit', version, commitBody(name, memberId, epoch, topics, partition), note)
      for (const partition of [0, 1]) {
        await commit('a', a.memberEpoch, 'current epoch', [name], partition)
        await commit('a', a.memberEpoch - 1, 'epoch before', [name], partition)
      }
      await commit('a', 1, 'before it had any')
      await commit('a', a.memberEpoch + 1, 'epoch ahead')
      await commit('a', a.memberEpoch, 'a topic that it does not read', [`${name}-2`])
      await commit('a', a.memberEpoch - 1, 'a topic that it does not read, epoch before', [`${name}-2`])
      await commit('c', a.memberEpoch, 'unknown member')
      await commit('', -1, 'nobody')
      await leave(probe, a)
      await leave(probe, b)
      await commit('', -1, 'nobody, of an empty group')
      await commit('a', 3, 'who has left')
    },
  },
  {
    title: 'fetches and deletions of offsets of a streams group',
    api: 'OffsetFetch',
    from: 9,
    to: 9,
    run: async (probe, version, name) => {
      await topicFor(probe, name, 2)
      const member = newThread(name, 'm1')
      const joined = topology([subtopology('0', [name])])
      await join(probe, member, joined)
      await probe.send('OffsetCommit', 9, commitBody(name, 'm1', member.memberEpoch, [name]))
      const fetch = (memberId: string | null, memberEpoch: number, note: string) => {
        const topics = [{ name, partitionIndexes: range(2) }]
        return probe.send('OffsetFetch', version, { groups: [{ groupId: name, memberId, memberEpoch, topics }] }, note)
      }
      await fetch('m1', member.memberEpoch, 'current epoch')
      await fetch('m1', member.memberEpoch - 1, 'epoch before')
      await fetch('m2', member.memberEpoch, 'unknown member')
      await fetch(null, -1, 'nobody')
      const topics = [
        { name, partitions: [{ partitionIndex: 0 }] },
        { name: `${name}-not-read`, partitions: [{ partitionIndex: 0 }] },
      ]
      await probe.send('OffsetDelete', 0, { groupId: name, topics }, 'read')
      await probe.send('DeleteGroups', newest('DeleteGroups'), { groupsNames: [name] }, 'with members')
      await leave(probe, member)
      await probe.send('OffsetDelete', 0, { groupId: name, topics }, 'not read any more')
      await fetch(null, -1, 'gone')
    },
  },
  {
    title: 'offsets of a streams group in transactions',
    api: 'TxnOffsetCommit',
    from: 3,
    to: 5,
    run: async (probe, version, name) => {
      await topicFor(probe, name, 2)
      const member = newThread(name, 'm1')
      await join(probe, member, stateless(name))
      await beat(probe, member)
      const producer = await init(probe, name)
      const { transactionalId, producerId, producerEpoch } = producer
      await probe.quietly('AddPartitionsToTxn', 3, addBody(3, producer, name))
      await probe.quietly('AddOffsetsToTxn', 3, { transactionalId, producerId, producerEpoch, groupId: name })
      const commit = (memberId: string, generationId: number, note: string) => {
        const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }]
        const who = { transactionalId, producerId, producerEpoch, groupId: name, memberId, generationId }
        return probe.send('TxnOffsetCommit', version, { ...who, topics: [{ name, partitions }] }, note)
      }
      await commit('m1', member.memberEpoch, 'current epoch')
      await commit('m1', member.memberEpoch - 1, 'epoch before')
      await commit('m1', member.memberEpoch + 1, 'epoch ahead')
      await commit('m2', member.memberEpoch, 'unknown member')
      await commit('', -1, 'nobody')
    },
  },
]

export const streamsOffsetScenarios: readonly Scenario[] = [...requests, ...kinds, ...offsets]
