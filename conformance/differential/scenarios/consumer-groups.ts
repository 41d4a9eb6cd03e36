import type { Body, Probe } from '../probe.ts'
import { makeTopic, newest, range, type Scenario, settled, type TopicOptions } from '../scenario.ts'
import { RE2_ERRORS } from './regular-expressions.ts'

/** The assignment protocol of classic consumers, version 1: a subscription to one topic of up to 127 letters. */
function subscription(topic: string): Buffer {
  const head = Buffer.from('000100000001', 'hex')
  const name = Buffer.alloc(2 + topic.length)
  name.writeInt16BE(topic.length)
  name.write(topic, 2)
  return Buffer.concat([head, name, Buffer.from('ffffffff00000000', 'hex')])
}

interface Member {
  readonly groupId: string
  readonly memberId: string
  memberEpoch: number
  owned: Body[]
  readonly instanceId?: string
}

/** What a member says when it joins. */
function joinBody(member: Member, more: Body = {}): Body {
  const { groupId, memberId, instanceId = null } = member
  const subscribed = 'subscribedTopicRegex' in more ? {} : { subscribedTopicNames: [] }
  return {
    groupId,
    memberId,
    memberEpoch: 0,
    instanceId,
    rebalanceTimeoutMs: 30_000,
    ...subscribed,
    topicPartitions: [],
    ...more,
  }
}

async function beat(probe: Probe, version: number, member: Member, body: Body = {}, note?: string): Promise<Body> {
  const { groupId, memberId, memberEpoch, owned: topicPartitions, instanceId = null } = member
  const full = { groupId, memberId, memberEpoch, instanceId, topicPartitions, ...body }
  const response = await probe.send('ConsumerGroupHeartbeat', version, full, note)
  if (response.errorCode !== 0) return response
  member.memberEpoch = response.memberEpoch
  if (response.assignment) member.owned = response.assignment.topicPartitions
  return response
}

async function join(probe: Probe, version: number, member: Member, more: Body = {}): Promise<Body> {
  return beat(probe, version, member, joinBody(member, more))
}

function newMember(groupId: string, memberId: string, instanceId?: string): Member {
  return { groupId, memberId, memberEpoch: 0, owned: [], ...(instanceId === undefined ? {} : { instanceId }) }
}

/** Apache Kafka's coordinator hears of a topic a little after its leader does. */
async function topicFor(probe: Probe, name: string, options: TopicOptions): Promise<string> {
  const topicId = await makeTopic(probe, name, options)
  await settled(probe)
  return topicId
}

async function describeGroup(probe: Probe, groupId: string, version = 1): Promise<Body> {
  const described = await probe.send('ConsumerGroupDescribe', version, { groupIds: [groupId] })
  // Members come in the order of a hash table; ids that brokers make have no order to go by.
  const nameOf = ({ memberId }: Body) => probe.symbols.get(memberId) ?? memberId
  for (const { members } of described.groups) members.sort((a: Body, b: Body) => (nameOf(a) < nameOf(b) ? -1 : 1))
  return described
}

const heartbeats: Scenario[] = [
  {
    title: 'one member, from joining to leaving',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      await topicFor(probe, name, { partitions: 3 })
      const member = newMember(name, 'm1')
      await join(probe, version, member, { subscribedTopicNames: [name] })
      await beat(probe, version, member, { topicPartitions: null }, 'nothing new')
      await beat(probe, version, member, { rebalanceTimeoutMs: 30_000, subscribedTopicNames: [name] }, 'in full')
      await describeGroup(probe, name)
      await beat(probe, version, member, { memberEpoch: -1 }, 'leaves')
      await describeGroup(probe, name)
      await probe.send('DeleteGroups', newest('DeleteGroups'), { groupsNames: [name] })
      await describeGroup(probe, name)
    },
  },
  {
    title: 'two members share the partitions: one revokes, then the other gets',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      await topicFor(probe, name, { partitions: 4 })
      const [a, b] = [newMember(name, 'a'), newMember(name, 'b')]
      await join(probe, version, a, { subscribedTopicNames: [name], serverAssignor: 'uniform' })
      await join(probe, version, b, { subscribedTopicNames: [name] })
      const before = a.owned
      await beat(probe, version, a, {}, 'is told to revoke')
      await beat(probe, version, b, { topicPartitions: null }, 'waits')
      await beat(probe, version, a, { topicPartitions: before }, 'has not revoked')
      await beat(probe, version, a, {}, 'has revoked')
      await beat(probe, version, b, { topicPartitions: null }, 'gets')
      await describeGroup(probe, name)
      await beat(probe, version, a, { memberEpoch: -1 }, 'leaves')
      await beat(probe, version, b, {}, 'gets all')
    },
  },
  {
    title: 'the range assignor, two topics',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      await topicFor(probe, `${name}-x`, { partitions: 3 })
      const [a, b] = [newMember(name, 'a'), newMember(name, 'b')]
      const topics = { subscribedTopicNames: [`${name}-x`], serverAssignor: 'range' }
      await join(probe, version, b, topics)
      await join(probe, version, a, topics)
      for (const _ of range(2)) for (const each of [b, a]) await beat(probe, version, each)
      await describeGroup(probe, name)
    },
  },
  {
    title: 'members subscribed to different topics',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      await topicFor(probe, `${name}-x`, { partitions: 2 })
      await topicFor(probe, `${name}-y`, { partitions: 2 })
      const [a, b] = [newMember(name, 'a'), newMember(name, 'b')]
      await join(probe, version, a, { subscribedTopicNames: [`${name}-x`] })
      await join(probe, version, b, { subscribedTopicNames: [`${name}-y`] })
      for (const _ of range(2)) for (const each of [b, a]) await beat(probe, version, each)
      await beat(probe, version, a, { subscribedTopicNames: [`${name}-none`] }, 'another topic, which is not there')
      await beat(probe, version, a, { topicPartitions: [] }, 'has revoked')
    },
  },
  {
    title: 'requests that say too little or too much',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      const member = newMember(name, 'm1')
      const join = joinBody(member)
      const bad: Record<string, Body> = {
        'no group': { groupId: '' },
        'blank group': { groupId: '  ' },
        'blank instance': { instanceId: '' },
        'blank rack': { rackId: '' },
        'no rebalance timeout': { rebalanceTimeoutMs: -1 },
        'no partitions': { topicPartitions: null },
        'no topics': { subscribedTopicNames: null },
        'epoch -3': { memberEpoch: -3 },
        'epoch -2 without instance': { memberEpoch: -2 },
        'unknown assignor': { serverAssignor: 'nope' },
        'unknown group': { groupId: `${name}-none`, memberEpoch: 1 },
        'leaves an unknown group': { groupId: `${name}-none`, memberEpoch: -1 },
      }
      if (version > 0) bad['no member id'] = { memberId: '' }
      for (const [note, change] of Object.entries(bad)) {
        await probe.send('ConsumerGroupHeartbeat', version, { ...join, ...change }, note)
      }
      const empty = { ...join, memberId: '', memberEpoch: 5 }
      await probe.send('ConsumerGroupHeartbeat', version, empty, 'an epoch but no member id')
    },
  },
  {
    title: 'the coordinator makes the id of a member',
    api: 'ConsumerGroupHeartbeat',
    to: 0,
    run: async (probe, version, name) => {
      const member = newMember(name, '')
      const joined = await probe.send('ConsumerGroupHeartbeat', version, joinBody(member))
      probe.learn(joined.memberId, '<member id>')
    },
  },
  {
    title: 'stale epochs, unknown members, foreign partitions',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      const topicId = await topicFor(probe, name, { partitions: 2 })
      const member = newMember(name, 'm1')
      await join(probe, version, member, { subscribedTopicNames: [name] })
      await beat(probe, version, newMember(name, 'm2'), { memberEpoch: 2 }, 'unknown member')
      await beat(probe, version, newMember(name, 'm2'), { memberEpoch: -1 }, 'unknown member leaves')
      await beat(probe, version, member, { memberEpoch: member.memberEpoch + 1 }, 'ahead')
      await beat(probe, version, member, { memberEpoch: member.memberEpoch - 1 }, 'behind')
      await beat(probe, version, member, { memberEpoch: 1, topicPartitions: [] }, 'long behind, owns nothing')
      await beat(probe, version, member, { topicPartitions: [{ topicId, partitions: [7] }] }, 'owns what is not there')
      await join(probe, version, member, { subscribedTopicNames: [name] })
      await describeGroup(probe, name)
    },
  },
  {
    title: 'a static member goes, comes back under another id, and is fenced under the old one',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      await topicFor(probe, name, { partitions: 2 })
      const topics = { subscribedTopicNames: [name] }
      const first = newMember(name, 'm1', 'i1')
      const second = newMember(name, 'm2', 'i1')
      await join(probe, version, first, topics)
      await join(probe, version, second, topics)
      await beat(probe, version, newMember(name, 'm3', 'i3'), { memberEpoch: 2 }, 'unknown instance')
      await beat(probe, version, newMember(name, 'm3', 'i3'), { memberEpoch: -2 }, 'unknown instance goes')
      await probe.send('ConsumerGroupHeartbeat', version, {
        groupId: name,
        memberId: 'm1',
        instanceId: 'i1',
        memberEpoch: -2,
      })
      await describeGroup(probe, name)
      await join(probe, version, second, topics)
      await beat(probe, version, first, {}, 'fenced')
      await beat(probe, version, first, { memberEpoch: -1 }, 'fenced, leaves')
      await beat(probe, version, second, {}, 'stays')
      await describeGroup(probe, name)
      await beat(probe, version, second, { memberEpoch: -1 }, 'leaves for good')
      await describeGroup(probe, name)
    },
  },
  {
    title: 'topics that are made, grow and go',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      const member = newMember(name, 'm1')
      await join(probe, version, member, { subscribedTopicNames: [name] })
      await topicFor(probe, name, { partitions: 1 })
      await beat(probe, version, member, {}, 'made')
      const grown = { topics: [{ name, count: 3, assignments: null }], timeoutMs: 10_000 }
      await probe.quietly('CreatePartitions', newest('CreatePartitions'), grown)
      await untilEpoch(probe, name, 4)
      await beat(probe, version, member, {}, 'grown')
      await describeGroup(probe, name)
    },
  },
  {
    title: 'a group that is full',
    api: 'ConsumerGroupHeartbeat',
    run: async (probe, version, name) => {
      for (const i of range(5)) {
        const joined = await join(probe, version, newMember(name, `m${i}`), { subscribedTopicNames: [] })
        if (i === 3) expectNoError(joined)
      }
    },
  },
  {
    title: 'regular expressions',
    api: 'ConsumerGroupHeartbeat',
    from: 1,
    run: async (probe, version, name) => {
      await topicFor(probe, `${name}-a`, { partitions: 1 })
      const member = newMember(name, 'm1')
      const bad = [...RE2_ERRORS, '']
      for (const regex of bad) {
        const groupId = `${name}-${bad.indexOf(regex)}`
        const body = joinBody(newMember(groupId, 'm'), { subscribedTopicRegex: regex })
        await probe.send('ConsumerGroupHeartbeat', version, body, regex)
      }
      await join(probe, version, member, { subscribedTopicRegex: `${name}-[a-c]` })
      await untilEpoch(probe, name, 3)
      await beat(probe, version, member, {}, 'resolved')
      await beat(probe, version, member, { subscribedTopicRegex: `${name}-a` }, 'another expression')
      await describeGroup(probe, name)
    },
  },
]

/** Until the group has come as far: Apache Kafka resolves expressions and hears of topics in other threads. */
async function untilEpoch(probe: Probe, groupId: string, epoch: number): Promise<void> {
  if (probe.broker.kind === 'oracle') await new Promise((resolve) => setTimeout(resolve, 300))
  for (let attempt = 0; attempt < 5; attempt++) {
    const described = await probe.quietly('ConsumerGroupDescribe', 1, { groupIds: [groupId] })
    if (described.groups[0].groupEpoch >= epoch) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function expectNoError(response: Body): void {
  if (response.errorCode !== 0) throw new Error(`error ${response.errorCode}`)
}

const descriptions: Scenario[] = [
  {
    title: 'groups that are, are not, or are of another kind',
    api: 'ConsumerGroupDescribe',
    run: async (probe, version, name) => {
      await topicFor(probe, name, { partitions: 2 })
      const member = newMember(name, 'm1', 'i1')
      await join(probe, 0, member, { subscribedTopicNames: [name], rackId: 'r1' })
      const simple = `${name}-simple`
      const topics = [{ name, partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] }]
      await probe.quietly('OffsetCommit', 8, { groupId: simple, generationId: -1, memberId: '', topics })
      for (const groupIds of [[name], [simple], [`${name}-none`], [''], []]) {
        await probe.send('ConsumerGroupDescribe', version, { groupIds, includeAuthorizedOperations: true })
        await probe.send('ConsumerGroupDescribe', version, { groupIds, includeAuthorizedOperations: false })
      }
      await probe.send('DescribeGroups', 5, { groups: [name] })
      await probe.send('DescribeGroups', 6, { groups: [name] })
    },
  },
]

const offsets: Scenario[] = [
  {
    title: 'commits and fetches of members of a consumer group',
    api: 'OffsetCommit',
    from: 2,
    to: 9,
    run: async (probe, version, name) => {
      await topicFor(probe, name, { partitions: 2 })
      const member = newMember(name, 'm1')
      await join(probe, 1, member, { subscribedTopicNames: [name] })
      const commit = (memberId: string, epoch: number, note: string) => {
        const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: 'm' }]
        const body = { groupId: name, memberId, generationIdOrMemberEpoch: epoch, topics: [{ name, partitions }] }
        return probe.send('OffsetCommit', version, body, note)
      }
      await commit('m1', member.memberEpoch, 'current epoch')
      await commit('m1', member.memberEpoch - 1, 'epoch before')
      await commit('m1', member.memberEpoch + 1, 'epoch ahead')
      await commit('m2', member.memberEpoch, 'unknown member')
      await commit('', -1, 'nobody')
    },
  },
  {
    title: 'fetches of members of a consumer group',
    api: 'OffsetFetch',
    from: 9,
    to: 9,
    run: async (probe, version, name) => {
      await topicFor(probe, name, { partitions: 2 })
      const member = newMember(name, 'm1')
      await join(probe, 1, member, { subscribedTopicNames: [name] })
      const fetch = (memberId: string | null, memberEpoch: number, note: string) => {
        const topics = [{ name, partitionIndexes: [0] }]
        return probe.send('OffsetFetch', version, { groups: [{ groupId: name, memberId, memberEpoch, topics }] }, note)
      }
      await fetch('m1', member.memberEpoch, 'current epoch')
      await fetch('m1', member.memberEpoch - 1, 'epoch before')
      await fetch('m2', member.memberEpoch, 'unknown member')
      await fetch(null, -1, 'nobody')
      const topics = [{ name, partitions: [{ partitionIndex: 0 }] }]
      await probe.send('OffsetDelete', 0, { groupId: name, topics }, 'subscribed to')
      await probe.send('DeleteGroups', newest('DeleteGroups'), { groupsNames: [name] }, 'with members')
    },
  },
]

/** A classic consumer's requests, newest versions. */
function classicJoin(groupId: string, memberId: string, topic: string, more: Body = {}): Body {
  return {
    groupId,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    memberId,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription(topic) }],
    ...more,
  }
}

const migrations: Scenario[] = [
  {
    title: 'a classic group takes in a consumer, and is classic again when that leaves',
    api: 'JoinGroup',
    from: 9,
    run: async (probe, version, name) => {
      await topicFor(probe, name, { partitions: 2 })
      const first = await probe.quietly('JoinGroup', version, classicJoin(name, '', name))
      const { memberId } = first
      probe.learn(memberId, '<classic member>')
      const joined = await probe.send('JoinGroup', version, classicJoin(name, memberId, name))
      const classic = { groupId: name, memberId, generationId: joined.generationId }
      const protocol = { protocolType: 'consumer', protocolName: 'range' }
      const all = assignmentBytes(name, [0, 1])
      await probe.send('SyncGroup', 5, { ...classic, ...protocol, assignments: [{ memberId, assignment: all }] })
      await probe.send('ConsumerGroupDescribe', 1, { groupIds: [name] }, 'classic')
      const member = newMember(name, 'm1')
      await join(probe, 1, member, { subscribedTopicNames: [name] })
      await probe.send('Heartbeat', 4, classic, 'told to join again')
      await describeGroup(probe, name)
      const rejoined = await probe.send('JoinGroup', version, classicJoin(name, memberId, name), 'joins again')
      const second = { groupId: name, memberId, generationId: rejoined.generationId }
      await probe.send('SyncGroup', 5, { ...second, ...protocol, assignments: [] }, 'told to revoke')
      await probe.send('Heartbeat', 4, second, 'told to join once more')
      const again = await probe.send('JoinGroup', version, classicJoin(name, memberId, name), 'has revoked')
      const third = { groupId: name, memberId, generationId: again.generationId }
      await probe.send('SyncGroup', 5, { ...third, ...protocol, assignments: [] })
      await probe.send('SyncGroup', 5, { ...third, ...protocol, protocolName: 'other', assignments: [] }, 'protocol')
      await probe.send('SyncGroup', 5, { ...third, ...protocol, generationId: 99, assignments: [] }, 'generation')
      await probe.send('Heartbeat', 4, { ...third, generationId: 99 }, 'generation')
      await probe.send('Heartbeat', 4, { ...third, memberId: 'm1' }, 'a member of the other protocol')
      await probe.send('Heartbeat', 4, { ...third, memberId: 'nobody' }, 'nobody')
      await beat(probe, 1, member, {}, 'gets its half')
      await describeGroup(probe, name)
      const members = [{ memberId: 'nobody', groupInstanceId: null }]
      await probe.send('LeaveGroup', 5, { groupId: name, members }, 'nobody leaves')
      await beat(probe, 1, member, { memberEpoch: -1 }, 'the consumer leaves')
      await describeGroup(probe, name)
      await probe.send('DescribeGroups', 6, { groups: [name] })
      await probe.send('JoinGroup', version, classicJoin(name, memberId, name), 'classic again')
      await probe.send('ConsumerGroupHeartbeat', 1, { ...joinBody(member), memberEpoch: 3 }, 'not a consumer group')
    },
  },
  {
    title: 'who may not join a group of consumers',
    api: 'JoinGroup',
    from: 4,
    run: async (probe, version, name) => {
      await topicFor(probe, name, { partitions: 1 })
      await join(probe, 1, newMember(name, 'm1'), { subscribedTopicNames: [name] })
      const bad: Record<string, Body> = {
        'another protocol type': { protocolType: 'connect' },
        'no protocols': { protocols: [] },
      }
      for (const [note, change] of Object.entries(bad)) {
        await probe.send('JoinGroup', version, classicJoin(name, '', name, change), note)
      }
      const first = await probe.send('JoinGroup', version, classicJoin(name, '', name), 'given an id')
      probe.learn(first.memberId, '<classic member>')
    },
  },
  {
    title: 'an empty group changes its kind',
    api: 'JoinGroup',
    from: 9,
    run: async (probe, version, name) => {
      const member = newMember(name, 'm1')
      await join(probe, 1, member, { subscribedTopicNames: [name] })
      await beat(probe, 1, member, { memberEpoch: -1 })
      const first = await probe.send('JoinGroup', version, classicJoin(name, '', name), 'now classic')
      probe.learn(first.memberId, '<classic member>')
      await describeGroup(probe, name)
      const members = [{ memberId: first.memberId, groupInstanceId: null }]
      await probe.send('LeaveGroup', 5, { groupId: name, members })
      await join(probe, 1, newMember(name, 'm2'), { subscribedTopicNames: [name] })
      await describeGroup(probe, name)
    },
  },
]

/** A classic assignment, version 1. */
function assignmentBytes(topic: string, partitions: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 + 4 + 2 + topic.length + 4 + 4 * partitions.length + 4)
  bytes.writeInt16BE(1)
  bytes.writeInt32BE(1, 2)
  bytes.writeInt16BE(topic.length, 6)
  bytes.write(topic, 8)
  let at = 8 + topic.length
  bytes.writeInt32BE(partitions.length, at)
  for (const partition of partitions) {
    at += 4
    bytes.writeInt32BE(partition, at)
  }
  bytes.writeInt32BE(-1, at + 4)
  return bytes
}

/** Nobody stays behind, whose session would end while groups are listed elsewhere. */
async function everybodyLeaves(probe: Probe, prefix: string): Promise<void> {
  const listed = await probe.quietly('ListGroups', 5, { statesFilter: [], typesFilter: [] })
  const isOwn = ({ groupId }: Body) => groupId === prefix || groupId.startsWith(`${prefix}-`)
  for (const { groupId, groupType } of listed.groups.filter(isOwn)) {
    const described =
      groupType === 'classic'
        ? await probe.quietly('DescribeGroups', 5, { groups: [groupId] })
        : await probe.quietly('ConsumerGroupDescribe', 1, { groupIds: [groupId] })
    const members = described.groups[0].members.map(({ memberId, instanceId, groupInstanceId }: Body) => ({
      memberId,
      groupInstanceId: instanceId ?? groupInstanceId ?? null,
    }))
    if (members.length > 0) await probe.quietly('LeaveGroup', 5, { groupId, members })
  }
}

export const consumerGroupScenarios: readonly Scenario[] = [
  ...heartbeats,
  ...descriptions,
  ...offsets,
  ...migrations,
].map((scenario) => ({
  ...scenario,
  run: async (probe, version, name) => {
    await scenario.run(probe, version, name)
    await everybodyLeaves(probe, name)
  },
}))
