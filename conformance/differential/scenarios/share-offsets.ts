import type { Body, Probe } from '../probe.ts'
import { batch, makeTopic, type Scenario, write } from '../scenario.ts'
import { ACCEPT, ack, assigned, at, beat, Member, of, topicOf } from './shares.ts'

/** Apache Kafka answers before it has noted what it did: nothing is compared until the group has so many topics. */
export async function untilOffsets(probe: Probe, groupId: string, topics = 1): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const { groups } = await probe.quietly('DescribeShareGroupOffsets', 1, { groups: [{ groupId, topics: null }] })
    if (groups[0].topics.length === topics) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${groupId} has not the offsets of ${topics} topics`)
}

function altered(groupId: string, ...topics: readonly Body[]): Body {
  return { groupId, topics }
}

function starts(topicName: string, ...offsets: readonly (readonly [partition: number, startOffset: number])[]): Body {
  return {
    topicName,
    partitions: offsets.map(([partitionIndex, startOffset]) => ({ partitionIndex, startOffset })),
  }
}

/** Apache Kafka refuses it while partitions of the topic that keeps the state are still being loaded. */
async function begin(probe: Probe, groupId: string, ...topics: readonly Body[]): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const answer = await probe.quietly('AlterShareGroupOffsets', 0, altered(groupId, ...topics))
    const partitions: readonly Body[] = answer.responses.flatMap((topic: Body) => topic.partitions)
    if (answer.errorCode === 0 && partitions.every(({ errorCode }) => errorCode === 0)) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await untilOffsets(probe, groupId, topics.length)
}

function deleted(groupId: string, ...names: readonly string[]): Body {
  return { groupId, topics: names.map((topicName) => ({ topicName })) }
}

/** A member of the group, which has been given partitions. */
async function joined(probe: Probe, groupId: string, topic: string): Promise<void> {
  const body = beat(groupId, 'one', { memberEpoch: 0, subscribedTopicNames: [topic] })
  const { memberEpoch } = await probe.quietly('ShareGroupHeartbeat', 1, body)
  await assigned(probe, groupId, 'one', memberEpoch)
}

async function left(probe: Probe, groupId: string): Promise<void> {
  await probe.quietly('ShareGroupHeartbeat', 1, beat(groupId, 'one', { memberEpoch: -1 }))
}

/** A group of the old kind. */
async function classicGroup(probe: Probe, groupId: string, topic: string): Promise<void> {
  const partitions = [{ partitionIndex: 0, committedOffset: 1 }]
  await probe.quietly('OffsetCommit', 8, { groupId, topics: [{ name: topic, partitions }] })
}

const altering: Scenario[] = [
  {
    title: 'a share group that is not there begins at other offsets, and is read from there',
    api: 'AlterShareGroupOffsets',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name, 2)
      for (let i = 0; i < 4; i++) await write(probe, name, batch(3))
      const group = `${name}-g`
      const describe = (topics: Body | null) =>
        probe.send('DescribeShareGroupOffsets', 1, { groups: [{ groupId: group, topics }] })
      await probe.send('AlterShareGroupOffsets', version, altered(group, starts(name, [0, 6], [1, 0])))
      await untilOffsets(probe, group)
      await describe(null)
      await describe([{ topicName: name, partitions: [0, 1] }])
      await probe.send('ShareGroupDescribe', 1, { groupIds: [group] })
      await probe.send('ReadShareGroupState', 0, of(group, topicId, 0, { leaderEpoch: 0 }))
      const member = new Member(probe, 2, group, topicId)
      await member.fetch([at(0)])
      await member.fetch([at(0, [ack(6, 11, ACCEPT)])], { maxWaitMs: 100 })
      await probe.send('DeleteGroups', 2, { groupsNames: [group] })
      await probe.send('ShareGroupDescribe', 1, { groupIds: [group] })
      await probe.send('ReadShareGroupState', 0, of(group, topicId, 0, { leaderEpoch: -1 }))
    },
  },
  {
    title: 'a share group that was read begins anew once its members are gone',
    api: 'AlterShareGroupOffsets',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      for (let i = 0; i < 3; i++) await write(probe, name, batch(3))
      const group = `${name}-g`
      const alter = (offset: number) =>
        probe.send('AlterShareGroupOffsets', version, altered(group, starts(name, [0, offset])))
      await joined(probe, group, name)
      await alter(3)
      await left(probe, group)
      await alter(3)
      await alter(4)
      const topics = [{ topicName: name, partitions: [0] }]
      await probe.send('DescribeShareGroupOffsets', 1, { groups: [{ groupId: group, topics }] })
      const member = new Member(probe, 2, group, topicId)
      await member.fetch([at(0)])
      await alter(-1)
      await probe.send('DescribeShareGroupOffsets', 1, { groups: [{ groupId: group, topics }] })
    },
  },
  {
    title: 'a share group begins before the start and after the end of the log',
    api: 'AlterShareGroupOffsets',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      for (let i = 0; i < 3; i++) await write(probe, name, batch(3))
      const partitions = [{ partitionIndex: 0, offset: 4 }]
      await probe.quietly('DeleteRecords', 2, { topics: [{ name, partitions }], timeoutMs: 10_000 })
      for (const [group, offset] of [
        [`${name}-late`, 12],
        [`${name}-early`, 1],
      ] as const) {
        await probe.send('AlterShareGroupOffsets', version, altered(group, starts(name, [0, offset])))
        const member = new Member(probe.fork(), 2, group, topicId)
        await member.fetch([at(0)], { maxWaitMs: 300 })
        await member.fetch([], { maxWaitMs: 300 })
        await write(probe, name, batch(6))
        await member.fetch([], { maxWaitMs: 3000 })
        const topics = [{ topicName: name, partitions: [0] }]
        await probe.send('DescribeShareGroupOffsets', 1, { groups: [{ groupId: group, topics }] })
      }
    },
  },
  {
    title: 'offsets of share groups that cannot be altered',
    api: 'AlterShareGroupOffsets',
    run: async (probe, version, name) => {
      await topicOf(probe, name, 2)
      const send = (groupId: string, ...topics: readonly Body[]) =>
        probe.send('AlterShareGroupOffsets', version, altered(groupId, ...topics))
      const group = `${name}-g`
      await send('', starts(name, [0, 0]))
      await send(group)
      await send(group, starts(`${name}-none`, [0, 0], [1, 0]))
      await send(group, starts(name, [7, 0]))
      await send(group, starts(`${name}-none`, [1, 0]), starts(name, [7, 0], [0, 5], [1, 6]))
      await untilOffsets(probe, group)
      await send(group, starts(name, [-1, 0], [0, 2]))
      await send(group, starts(name, [0, 2], [0, 3]), starts(name, [1, 4]))
      const topics = [{ topicName: name, partitions: [0, 1] }]
      await probe.send('DescribeShareGroupOffsets', 1, { groups: [{ groupId: group, topics }] })
      await classicGroup(probe, `${name}-classic`, name)
      await send(`${name}-classic`, starts(name, [0, 0]))
      const body = { groupId: `${name}-consumer`, memberId: 'member-one', memberEpoch: 0, rebalanceTimeoutMs: 10_000 }
      const subscribed = { ...body, subscribedTopicNames: [name], topicPartitions: [] }
      await probe.quietly('ConsumerGroupHeartbeat', 1, subscribed)
      await send(`${name}-consumer`, starts(name, [0, 0]))
      await probe.quietly('ConsumerGroupHeartbeat', 1, { ...body, memberEpoch: -1 })
    },
  },
]

const deleting: Scenario[] = [
  {
    title: 'offsets of share groups: deleted, deleted again, made anew',
    api: 'DeleteShareGroupOffsets',
    run: async (probe, version, name) => {
      const [topicId] = [await topicOf(probe, name, 2)]
      const other = `${name}-other`
      await makeTopic(probe, other)
      const group = `${name}-g`
      const send = (...names: readonly string[]) =>
        probe.send('DeleteShareGroupOffsets', version, deleted(group, ...names))
      const describe = () => probe.send('DescribeShareGroupOffsets', 1, { groups: [{ groupId: group, topics: null }] })
      await begin(probe, group, starts(name, [0, 3], [1, 4]), starts(other, [0, 5]))
      await send(name)
      await describe()
      await probe.send('ReadShareGroupState', 0, of(group, topicId, 0, { leaderEpoch: -1 }))
      await send(name)
      await send(name, other, `${name}-none`)
      await describe()
      await begin(probe, group, starts(name, [0, 7]))
      await describe()
      await send(name, name)
      await probe.send('DeleteGroups', 2, { groupsNames: [group] })
      await send(name)
    },
  },
  {
    title: 'offsets of share groups that cannot be deleted',
    api: 'DeleteShareGroupOffsets',
    run: async (probe, version, name) => {
      await topicOf(probe, name)
      const send = (groupId: string, ...names: readonly string[]) =>
        probe.send('DeleteShareGroupOffsets', version, deleted(groupId, ...names))
      const group = `${name}-g`
      await send('', name)
      await send(group, name)
      await joined(probe, group, name)
      await send(group, name)
      await left(probe, group)
      await send(group)
      await send(group, `${name}-none`)
      await send(group, name)
      await classicGroup(probe, `${name}-classic`, name)
      await send(`${name}-classic`, name)
    },
  },
  {
    title: 'a deleted topic takes its offsets with it',
    api: 'DeleteShareGroupOffsets',
    run: async (probe, version, name) => {
      const doomed = `${name}-doomed`
      await topicOf(probe, name)
      await topicOf(probe, doomed)
      const group = `${name}-g`
      await begin(probe, group, starts(name, [0, 3]), starts(doomed, [0, 4]))
      await probe.quietly('DeleteTopics', 6, { topics: [{ name: doomed }], timeoutMs: 10_000 })
      await untilOffsets(probe, group, 1)
      await probe.send('DescribeShareGroupOffsets', 1, { groups: [{ groupId: group, topics: null }] })
      await probe.send('DeleteShareGroupOffsets', version, deleted(group, doomed, name))
      await probe.send('DeleteGroups', 2, { groupsNames: [group] })
    },
  },
]

export const shareOffsetScenarios: readonly Scenario[] = [...altering, ...deleting]
