import type { Body, Probe } from '../probe.ts'
import { batch, makeTopic, type Scenario, settled, write } from '../scenario.ts'
import { untilOffsets } from './share-offsets.ts'
import { ACCEPT, ack, assigned, at, beat, Member, of, RELEASE, RENEW, topicOf } from './shares.ts'
import { mixedLog } from './transaction-reads.ts'

const GROUP = 32
const SET = 0
const RECORD_LIMIT = { shareAcquireMode: 1 }

async function configured(probe: Probe, group: string, settings: Readonly<Record<string, string>>): Promise<void> {
  const configs = Object.entries(settings).map(([name, value]) => ({ name, configOperation: SET, value }))
  const resources = [{ resourceType: GROUP, resourceName: group, configs }]
  const { responses } = await probe.quietly('IncrementalAlterConfigs', 1, { resources, validateOnly: false })
  if (responses[0].errorCode !== 0) throw new Error(`${group}: ${responses[0].errorMessage}`)
  await settled(probe)
}

/** A group that begins where its configuration says. */
async function unbegun(probe: Probe, group: string, topicId: string): Promise<void> {
  const body = of(group, topicId, 0, { stateEpoch: 0, startOffset: -1 })
  for (let attempt = 0; attempt < 500; attempt++) {
    const { results } = await probe.quietly('InitializeShareGroupState', 0, body)
    if (results[0].partitions[0].errorCode === 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('share state is not kept')
}

const last = { api: 'ShareFetch', from: 2 } as const

const configs: Scenario[] = [
  {
    ...last,
    title: 'share.record.lock.duration.ms: records come again when their locks end',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await configured(probe, name, { 'share.record.lock.duration.ms': '2000' })
      for (let i = 0; i < 2; i++) await write(probe, name, batch(3))
      const one = new Member(probe, version, name, topicId)
      const two = new Member(probe.fork(), version, name, topicId, 'member-two')
      await one.fetch([at(0)])
      await one.acknowledge(0, [ack(0, 0, ACCEPT)])
      await two.fetch([at(0)], { maxWaitMs: 10_000 })
      await one.acknowledge(0, [ack(1, 5, ACCEPT)])
      await two.acknowledge(0, [ack(1, 5, ACCEPT)])
    },
  },
  {
    ...last,
    title: 'share.delivery.count.limit: after so many times a record does not come again',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await configured(probe, name, { 'share.delivery.count.limit': '2' })
      await write(probe, name, batch(3))
      const member = new Member(probe, version, name, topicId)
      await member.fetch([at(0)])
      await member.fetch([at(0, [ack(0, 2, RELEASE)])])
      await member.acknowledge(0, [ack(0, 2, RELEASE)])
      await write(probe, name, batch(1))
      await member.fetch()
      await probe.send('ReadShareGroupState', 0, of(name, topicId, 0, { leaderEpoch: 0 }))
    },
  },
  {
    ...last,
    title: 'share.delivery.count.limit: portions grow smaller the more often records come',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await configured(probe, name, { 'share.delivery.count.limit': '6' })
      await write(probe, name, batch(16))
      for (let i = 0; i < 3; i++) await write(probe, name, batch(4))
      const member = new Member(probe, version, name, topicId)
      let acquired: Body[] = (await member.fetch([at(0)])).responses[0].partitions[0].acquiredRecords
      for (let i = 0; i < 12 && acquired.length > 0; i++) {
        const batches = acquired.map(({ firstOffset, lastOffset }) => ack(firstOffset, lastOffset, RELEASE))
        const answer = await member.fetch([at(0, batches)])
        acquired = answer.responses[0]?.partitions[0].acquiredRecords ?? []
      }
    },
  },
  {
    ...last,
    title: 'share.partition.max.record.locks: no more records at a time',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await configured(probe, name, { 'share.partition.max.record.locks': '100' })
      for (let i = 0; i < 4; i++) await write(probe, name, batch(60))
      const member = new Member(probe, version, name, topicId)
      const many = { maxRecords: 500, batchSize: 500 }
      await member.fetch([at(0)], many)
      await member.fetch([], { ...many, maxWaitMs: 100 })
      await member.fetch([at(0, [ack(0, 59, ACCEPT)])], many)
      await member.fetch([at(0, [ack(60, 119, ACCEPT)])], many)
      await member.fetch([], { ...many, maxWaitMs: 100, ...RECORD_LIMIT })
    },
  },
  {
    ...last,
    title: 'share.auto.offset.reset: where a group begins that has no offset',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      for (let i = 0; i < 3; i++) await write(probe, name, batch(3))
      const resets = ['earliest', 'latest', 'by_duration:PT24H', 'by_duration:PT1M', undefined]
      for (const [index, reset] of resets.entries()) {
        const group = `${name}-${index}`
        if (reset !== undefined) await configured(probe, group, { 'share.auto.offset.reset': reset })
        await unbegun(probe, group, topicId)
        const member = new Member(probe.fork(), version, group, topicId)
        await member.fetch([at(0)], { maxWaitMs: 1500 })
        await write(probe, name, batch(2))
        await member.fetch([], { maxWaitMs: 1500 })
      }
    },
  },
  {
    ...last,
    title: 'share.isolation.level: what is seen of transactions',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await mixedLog(probe, { name, id: topicId })
      for (const level of ['read_committed', 'read_uncommitted']) {
        const group = `${name}-${level}`
        await configured(probe, group, { 'share.isolation.level': level, 'share.auto.offset.reset': 'earliest' })
        await unbegun(probe, group, topicId)
        const member = new Member(probe.fork(), version, group, topicId)
        const first = await member.fetch([at(0)])
        const acquired: Body[] = first.responses[0].partitions[0].acquiredRecords
        const batches = acquired.map(({ firstOffset, lastOffset }) => ack(firstOffset, lastOffset, ACCEPT))
        await member.fetch([at(0, batches)], { maxWaitMs: 500 })
        await probe.send('ReadShareGroupState', 0, of(group, topicId, 0, { leaderEpoch: 0 }))
      }
    },
  },
  {
    ...last,
    title: 'share.renew.acknowledge.enable: locks are not renewed where that is not allowed',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await configured(probe, name, { 'share.renew.acknowledge.enable': 'false' })
      await write(probe, name, batch(3))
      const member = new Member(probe, version, name, topicId)
      await member.fetch([at(0)])
      await member.acknowledge(0, [ack(0, 1, RENEW)], { isRenewAck: true })
      await member.acknowledge(0, [ack(0, 2, ACCEPT, RENEW, ACCEPT)], { isRenewAck: true })
      await member.acknowledge(0, [ack(0, 2, ACCEPT)])
    },
  },
]

const sessions: Scenario[] = [
  {
    title: 'share sessions: without partitions, with some twice, forgotten and back again',
    api: 'ShareFetch',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name, 3)
      for (let partition = 0; partition < 3; partition++) await write(probe, name, batch(2), partition)
      const member = new Member(probe, version, name, topicId)
      const soon = { maxWaitMs: 200 }
      await member.fetch([], soon)
      await member.fetch([at(1)])
      await member.fetch([at(1), at(2), at(2)])
      const forget = (...partitions: number[]) => ({ forgottenTopicsData: [{ topicId, partitions }] })
      await member.fetch([], { ...soon, ...forget(1, 2, 7) })
      await member.fetch([at(1, [ack(0, 1, ACCEPT)])], { ...soon, ...forget(1) })
      await member.fetch([at(0)], { ...soon, ...forget(0) })
      member.epoch = 0
      await member.fetch([at(0), at(1), at(2)])
    },
  },
  {
    title: 'share sessions: the one of a member ends when it begins another, or goes',
    api: 'ShareFetch',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await write(probe, name, batch(4))
      const few = { maxRecords: 2, ...(version >= 2 ? RECORD_LIMIT : {}), maxWaitMs: 300 }
      const one = new Member(probe, version, name, topicId)
      await one.fetch([at(0)], few)
      // On another connection, which then goes.
      const gone = probe.fork()
      const again = new Member(gone, version, name, topicId)
      await again.fetch([at(0)], few)
      await one.fetch([], few)
      const two = new Member(probe.fork(), version, name, topicId, 'member-two')
      await two.fetch([at(0)], few)
      gone.close()
      await two.fetch([], { maxWaitMs: 10_000 })
      one.epoch = 2
      await one.fetch([], few)
    },
  },
  {
    title: 'share sessions: no more than group.share.max.share.sessions',
    api: 'ShareFetch',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      const members: Member[] = []
      for (let index = 0; index < 20; index++) {
        const member = new Member(probe.fork(), version, name, topicId, `member-${index}`)
        const body = member.fetchBody([at(0)], { maxWaitMs: 0 })
        const { errorCode } = await member.probe.quietly('ShareFetch', version, body)
        if (errorCode !== 0) break
        member.epoch = 1
        members.push(member)
      }
      const late = new Member(probe, version, name, topicId, 'member-late')
      await late.fetch([at(0)], { maxWaitMs: 50 })
      const first = members.shift()!
      first.epoch = -1
      await first.fetch()
      await late.fetch([at(0)], { maxWaitMs: 50 })
      for (const member of members) member.probe.close()
    },
  },
]

const grouping: Scenario[] = [
  {
    title: 'members of share groups: fenced by epochs, the group full',
    api: 'ShareGroupHeartbeat',
    run: async (probe, version, name) => {
      // One partition, which all have: who would get which of several is up to hash tables.
      await topicOf(probe, name)
      const send = (memberId: string, memberEpoch: number, topics: string[] | null = null) =>
        probe.send('ShareGroupHeartbeat', version, beat(name, memberId, { memberEpoch, subscribedTopicNames: topics }))
      const joined = await probe.quietly(
        'ShareGroupHeartbeat',
        version,
        beat(name, 'one', { memberEpoch: 0, subscribedTopicNames: [name] }),
      )
      const epoch = await assigned(probe, name, 'one', joined.memberEpoch)
      for (const memberEpoch of [epoch, epoch - 1, epoch + 1, epoch - 5, 1]) await send('one', memberEpoch)
      await configured(probe, name, { 'share.assignment.interval.ms': '0', 'share.heartbeat.interval.ms': '6000' })
      for (const memberId of ['two', 'three', 'four', 'five']) await send(memberId, 0, [name])
      await send('one', epoch)
      await send('one', epoch)
      await send('one', 0, [name])
      await send('two', 0, [`${name}-none`])
      await send('five', 1)
      for (const memberId of ['four', 'three', 'two', 'one', 'one']) await send(memberId, -1)
      await send('one', epoch)
      await probe.send('ShareGroupDescribe', 1, { groupIds: [name] })
    },
  },
  {
    title: 'members of share groups: topics that come, grow and go',
    api: 'ShareGroupHeartbeat',
    run: async (probe, version, name) => {
      await topicOf(probe, name)
      const later = `${name}-later`
      const topics = [name, later]
      await configured(probe, name, { 'share.assignment.interval.ms': '0' })
      const first = beat(name, 'one', { memberEpoch: 0, subscribedTopicNames: topics })
      const joined = await probe.quietly('ShareGroupHeartbeat', version, first)
      await assigned(probe, name, 'one', joined.memberEpoch)
      const untilPartitions = async (count: number) => {
        for (let attempt = 0; attempt < 300; attempt++) {
          const again = beat(name, 'one', { memberEpoch: 0, subscribedTopicNames: topics })
          const { assignment } = await probe.quietly('ShareGroupHeartbeat', version, again)
          const partitions = (assignment?.topicPartitions ?? []).flatMap((topic: Body) => topic.partitions)
          if (partitions.length === count) return
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
        throw new Error(`not ${count} partitions`)
      }
      await makeTopic(probe, later)
      await untilPartitions(2)
      const grown = [{ name: later, count: 3, assignments: null }]
      await probe.quietly('CreatePartitions', 3, { topics: grown, timeoutMs: 10_000, validateOnly: false })
      await untilPartitions(4)
      await probe.quietly('DeleteTopics', 6, { topics: [{ name: later }], timeoutMs: 10_000 })
      await untilPartitions(1)
      await untilOffsets(probe, name, 1)
      await probe.send('DescribeShareGroupOffsets', 1, { groups: [{ groupId: name, topics: null }] })
      const { groups } = await probe.quietly('ShareGroupDescribe', 1, { groupIds: [name] })
      // Names come from a hash table, and epochs depend on how many heartbeats it took.
      const { assignment } = groups[0].members[0]
      probe.transcript.push({ api: 'ShareGroupDescribe', version: 1, response: { assignment } })
      await probe.quietly('ShareGroupHeartbeat', version, beat(name, 'one', { memberEpoch: -1 }))
    },
  },
]

export const shareConfigScenarios: readonly Scenario[] = [...configs, ...sessions, ...grouping]
