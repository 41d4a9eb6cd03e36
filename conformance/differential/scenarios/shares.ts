import type { Body, Probe } from '../probe.ts'
import { batch, makeTopic, type Scenario, write } from '../scenario.ts'
import { isNear, limited, note } from './admin.ts'

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAEA'
export const ACCEPT = 1
export const RELEASE = 2
export const REJECT = 3
export const RENEW = 4

/** Until the broker keeps the state of share partitions. */
async function keepsState(probe: Probe, topicId: string, name: string): Promise<void> {
  const key = `${name}-warm:${topicId}:0`
  await probe.quietly('FindCoordinator', 6, { keyType: 2, coordinatorKeys: [key] })
  const partitions = [{ partition: 0, stateEpoch: 0, startOffset: 0 }]
  const body = { groupId: `${name}-warm`, topics: [{ topicId, partitions }] }
  for (let attempt = 0; attempt < 500; attempt++) {
    const { results } = await probe.quietly('InitializeShareGroupState', 0, body)
    if (results[0].partitions[0].errorCode === 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('share state is not kept')
}

export async function topicOf(probe: Probe, name: string, partitions = 1): Promise<string> {
  const topicId = await makeTopic(probe, name, { partitions })
  await keepsState(probe, topicId, name)
  // The partitions of the state topic are loaded one by one.
  await initialised(probe, name, topicId, partitions)
  return topicId
}

/** The group `name` begins with the first record of each partition. */
async function initialised(probe: Probe, name: string, topicId: string, count: number): Promise<void> {
  for (let partition = 0; partition < count; partition++) {
    for (let attempt = 0; ; attempt++) {
      const topics = [{ topicId, partitions: [{ partition, stateEpoch: 0, startOffset: 0 }] }]
      const { results } = await probe.quietly('InitializeShareGroupState', 0, { groupId: name, topics })
      if (results[0].partitions[0].errorCode === 0) break
      if (attempt > 500) throw new Error('share state is not kept')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** One partition as the share state APIs name it. */
export function of(groupId: string, topicId: string, partition: number, more: Body = {}): Body {
  return { groupId, topics: [{ topicId, partitions: [{ partition, ...more }] }] }
}

function written(groupId: string, topicId: string, more: Body, batches: readonly (readonly number[])[] = []): Body {
  const stateBatches = batches.map(([firstOffset, lastOffset, deliveryState, deliveryCount]) => ({
    firstOffset,
    lastOffset,
    deliveryState,
    deliveryCount,
  }))
  return of(groupId, topicId, 0, { stateEpoch: 0, leaderEpoch: 0, startOffset: 0, stateBatches, ...more })
}

const stating: Scenario[] = [
  {
    title: 'share state: begun, begun again, fenced, of what does not exist',
    api: 'InitializeShareGroupState',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      const send = (partition: number, stateEpoch: number, startOffset: number, id = topicId, group = name) =>
        probe.send('InitializeShareGroupState', version, of(group, id, partition, { stateEpoch, startOffset }))
      await send(0, 1, 5)
      await send(0, 1, 7)
      await send(0, 0, 9)
      await send(0, -1, -1)
      await send(-1, 0, 0)
      await send(3, 0, 0)
      await send(0, 0, 0, UNKNOWN_ID)
      await send(0, 0, 0, topicId, '')
      await probe.send('InitializeShareGroupState', version, { groupId: name, topics: [] })
      await probe.send('ReadShareGroupStateSummary', 1, of(name, topicId, 0, { leaderEpoch: -1 }))
    },
  },
  {
    title: 'share state: read, by leaders old and new',
    api: 'ReadShareGroupState',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      const send = (partition: number, leaderEpoch: number, id = topicId, group = name) =>
        probe.send('ReadShareGroupState', version, of(group, id, partition, { leaderEpoch }))
      await send(0, 0)
      await probe.send(
        'WriteShareGroupState',
        1,
        written(name, topicId, {}, [
          [0, 4, 2, 1],
          [7, 9, 0, 2],
        ]),
      )
      await send(0, 0)
      await send(0, 5)
      await send(0, 4)
      await send(0, -1)
      await send(-1, 0)
      await send(3, 0)
      await send(0, 0, UNKNOWN_ID)
      await send(0, 0, topicId, '')
      await probe.send('ReadShareGroupState', version, { groupId: name, topics: [{ topicId, partitions: [] }] })
    },
  },
  {
    title: 'share state: written, merged and cut, fenced',
    api: 'WriteShareGroupState',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      const read = () => probe.send('ReadShareGroupState', 0, of(name, topicId, 0, { leaderEpoch: 3 }))
      const send = (more: Body, batches: readonly (readonly number[])[] = [], group = name) =>
        probe.send('WriteShareGroupState', version, written(group, topicId, more, batches))
      await send({}, [
        [0, 9, 0, 1],
        [10, 14, 2, 1],
      ])
      await send({ startOffset: -1 }, [
        [3, 6, 2, 1],
        [15, 19, 2, 1],
      ])
      await read()
      await send({ leaderEpoch: 2 }, [[20, 24, 2, 1]])
      await send({ leaderEpoch: 3, startOffset: 5 }, [
        [5, 5, 4, 2],
        [8, 12, 0, 2],
      ])
      await read()
      await send({ leaderEpoch: 3, stateEpoch: -1 })
      await send({}, [], `${name}-none`)
      await send({}, [], '')
      await probe.send('InitializeShareGroupState', 0, of(name, topicId, 0, { stateEpoch: 4, startOffset: 2 }))
      await send({ leaderEpoch: 3, stateEpoch: 3 })
      await read()
    },
  },
  {
    title: 'share state: summarised',
    api: 'ReadShareGroupStateSummary',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      const send = (partition: number, id = topicId, group = name) =>
        probe.send('ReadShareGroupStateSummary', version, of(group, id, partition, { leaderEpoch: -1 }))
      await send(0)
      await probe.send('WriteShareGroupState', 1, written(name, topicId, { deliveryCompleteCount: 3, startOffset: 2 }))
      await send(0)
      await send(0, topicId, `${name}-none`)
      await send(-1)
      await send(3)
      await send(0, UNKNOWN_ID)
      await send(0, topicId, '')
    },
  },
  {
    title: 'share state: deleted',
    api: 'DeleteShareGroupState',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      const send = (partition: number, id = topicId, group = name) =>
        probe.send('DeleteShareGroupState', version, of(group, id, partition))
      await send(0)
      await send(0)
      await probe.send('ReadShareGroupState', 0, of(name, topicId, 0, { leaderEpoch: 0 }))
      await send(-1)
      await send(3)
      await send(0, UNKNOWN_ID)
      await send(0, topicId, '')
    },
  },
]

/** A member of a share group, on a connection of its own, without the group: fetching needs none. */
export class Member {
  readonly probe: Probe
  readonly memberId: string
  readonly #version: number
  readonly #groupId: string
  readonly #topicId: string
  epoch = 0

  constructor(probe: Probe, version: number, groupId: string, topicId: string, memberId = 'member-one') {
    this.probe = probe
    this.memberId = memberId
    this.#version = version
    this.#groupId = groupId
    this.#topicId = topicId
  }

  fetchBody(partitions: readonly Body[], more: Body = {}): Body {
    return {
      groupId: this.#groupId,
      memberId: this.memberId,
      shareSessionEpoch: this.epoch,
      maxWaitMs: 3000,
      minBytes: 1,
      maxBytes: 1_000_000,
      maxRecords: 100,
      batchSize: 100,
      topics: partitions.length === 0 ? [] : [{ topicId: this.#topicId, partitions }],
      forgottenTopicsData: [],
      ...more,
    }
  }

  async fetch(partitions: readonly Body[] = [], more: Body = {}): Promise<Body> {
    const answer = await this.probe.send('ShareFetch', this.#version, this.fetchBody(partitions, more))
    if (answer.errorCode === 0) this.epoch++
    return answer
  }

  async acknowledge(partition: number, batches: readonly Body[], more: Body = {}): Promise<void> {
    const answer = await this.probe.send('ShareAcknowledge', this.#version, {
      groupId: this.#groupId,
      memberId: this.memberId,
      shareSessionEpoch: this.epoch,
      topics: [
        { topicId: this.#topicId, partitions: [{ partitionIndex: partition, acknowledgementBatches: batches }] },
      ],
      ...more,
    })
    if (answer.errorCode === 0) this.epoch++
  }
}

export function at(partitionIndex: number, acknowledgementBatches: readonly Body[] = []): Body {
  return { partitionIndex, acknowledgementBatches }
}

export function ack(firstOffset: number, lastOffset: number, ...acknowledgeTypes: readonly number[]): Body {
  return { firstOffset, lastOffset, acknowledgeTypes }
}

const fetching: Scenario[] = [
  {
    title: 'share fetch: records, acknowledged with the next fetch, released, rejected',
    api: 'ShareFetch',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      for (let i = 0; i < 4; i++) await write(probe, name, batch(3))
      const member = new Member(probe, version, name, topicId)
      await member.fetch([at(0)], { maxRecords: 5 })
      await member.fetch([at(0, [ack(0, 2, ACCEPT), ack(3, 5, ACCEPT, RELEASE, REJECT)])])
      await member.fetch([at(0, [ack(4, 4, ACCEPT)])], { maxWaitMs: 100 })
      await member.fetch([at(0, [ack(6, 11, RELEASE)])])
      await member.fetch([at(0, [ack(6, 6, 0), ack(7, 11, ACCEPT)])], { maxWaitMs: 100 })
      await member.fetch([], { maxWaitMs: 100 })
      await probe.send('ReadShareGroupStateSummary', 1, of(name, topicId, 0, { leaderEpoch: -1 }))
    },
  },
  {
    title: 'share fetch: small batches, few records, a limit of records',
    api: 'ShareFetch',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      for (let i = 0; i < 5; i++) await write(probe, name, batch(4))
      const member = new Member(probe, version, name, topicId)
      const limit = version >= 2 ? { shareAcquireMode: 1 } : {}
      await member.fetch([at(0)], { maxRecords: 2, ...limit })
      await member.fetch([], { maxRecords: 3, ...limit })
      await member.fetch([], { batchSize: 3 })
      await member.fetch([at(0, [ack(0, 3, RELEASE)])])
      await member.fetch([at(0)], { maxRecords: 0, maxWaitMs: 100 })
    },
  },
  {
    title: 'share sessions: wrong epochs, unknown sessions, the end',
    api: 'ShareFetch',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await write(probe, name, batch(3))
      const member = new Member(probe, version, name, topicId)
      member.epoch = 1
      await member.fetch([at(0)])
      member.epoch = -1
      await member.fetch()
      member.epoch = 0
      await member.fetch([at(0, [ack(0, 0, ACCEPT)])])
      await member.fetch([at(0)])
      member.epoch = 5
      await member.fetch()
      member.epoch = 1
      await member.fetch([], { forgottenTopicsData: [{ topicId, partitions: [0] }], maxWaitMs: 100 })
      member.epoch = -1
      await member.fetch([at(0, [ack(0, 0, ACCEPT)])])
      const other = new Member(probe.fork(), version, name, topicId, 'member-two')
      await other.fetch([at(0)])
    },
  },
  {
    title: 'share fetch: more bytes than the quota: no records, the time to pause',
    api: 'ShareFetch',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      for (let i = 0; i < 2; i++) await write(probe, name, batch(1, {}, 60_000))
      await limited(probe, name, 'consumer_byte_rate', 10_000)
      const member = new Member(probe, version, name, topicId)
      // Apache Kafka counts the bytes that it read, also of batches that it leaves out.
      await member.fetch([at(0)], { maxBytes: 60_100 })
      // Twice 60 kB in a window of 10 s are 20 % too much.
      const refused = await member.fetch([at(0, [ack(0, 0, ACCEPT)])], { maxBytes: 60_100 })
      note(probe, 'ShareFetch', isNear(refused.throttleTimeMs, 2000))
    },
  },
  {
    title: 'share fetch: unknown topics and partitions, groups without state, bad members',
    api: 'ShareFetch',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await write(probe, name, batch(3))
      const member = new Member(probe, version, name, topicId)
      await member.fetch([at(7)], { maxWaitMs: 100 })
      await member.fetch([], { maxWaitMs: 100 })
      await member.fetch([], { topics: [{ topicId: UNKNOWN_ID, partitions: [at(0)] }], maxWaitMs: 100 })
      await new Member(probe, version, `${name}-none`, topicId).fetch([at(0)], { maxWaitMs: 1500 })
      await member.fetch([], { memberId: '' })
      await member.fetch([], { memberId: 'x'.repeat(37) })
      await member.fetch([], { groupId: null })
    },
  },
]

const acknowledging: Scenario[] = [
  {
    title: 'share acknowledge: accepted, released, refused',
    api: 'ShareAcknowledge',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name, 2)
      for (let i = 0; i < 3; i++) await write(probe, name, batch(3))
      const member = new Member(probe, 1, name, topicId)
      const send = async (partition: number, batches: readonly Body[], more: Body = {}) => {
        const acknowledging = new Member(probe, version, name, topicId)
        acknowledging.epoch = member.epoch
        await acknowledging.acknowledge(partition, batches, more)
        member.epoch = acknowledging.epoch
      }
      await send(0, [ack(0, 0, ACCEPT)])
      await member.fetch([at(0)])
      await send(0, [ack(0, 2, ACCEPT)])
      await send(0, [ack(0, 2, ACCEPT)])
      await send(0, [ack(3, 4, RELEASE), ack(5, 5, REJECT)])
      await send(0, [ack(3, 3, ACCEPT)])
      await send(0, [ack(6, 20, ACCEPT)])
      await send(0, [ack(8, 6, ACCEPT)])
      await send(0, [ack(6, 8, ACCEPT, ACCEPT)])
      await send(0, [ack(6, 8)])
      await send(0, [ack(6, 8, 9)])
      await send(0, [ack(6, 8, RENEW)])
      await send(0, [])
      await send(1, [ack(0, 0, ACCEPT)])
      await send(7, [ack(0, 0, ACCEPT)])
      await send(0, [], { topics: [{ topicId: UNKNOWN_ID, partitions: [at(0, [ack(0, 0, ACCEPT)])] }] })
      await send(0, [ack(6, 8, ACCEPT)])
      await member.fetch([], { maxWaitMs: 3000 })
      member.epoch = 0
      await send(0, [ack(3, 4, ACCEPT)])
      member.epoch = -1
      await send(0, [ack(3, 4, ACCEPT)])
      await send(0, [ack(3, 4, ACCEPT)])
      await probe.send('ReadShareGroupStateSummary', 1, of(name, topicId, 0, { leaderEpoch: -1 }))
    },
  },
  {
    title: 'share acknowledge: locks renewed; what another member has',
    api: 'ShareAcknowledge',
    from: 2,
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      await write(probe, name, batch(3))
      const member = new Member(probe, version, name, topicId)
      await member.fetch([at(0)])
      await member.acknowledge(0, [ack(0, 1, RENEW)], { isRenewAck: true })
      await member.fetch([at(0, [ack(2, 2, RENEW)])], { isRenewAck: true })
      const none = { maxBytes: 0, minBytes: 0, maxRecords: 0, maxWaitMs: 0 }
      await member.fetch([at(0, [ack(2, 2, RENEW)])], { isRenewAck: true, ...none })
      const other = new Member(probe.fork(), version, name, topicId, 'member-two')
      await other.fetch([at(0)], { maxWaitMs: 100 })
      await other.acknowledge(0, [ack(0, 2, ACCEPT)])
      await member.acknowledge(0, [ack(0, 2, ACCEPT)])
    },
  },
]

export interface Beat {
  memberEpoch: number
  rackId?: string | null
  subscribedTopicNames?: readonly string[] | null
}

export function beat(groupId: string, memberId: string, more: Beat): Body {
  return { groupId, memberId, rackId: null, subscribedTopicNames: null, ...more }
}

/** Heartbeats, not part of what is compared, until the member has been given partitions; answers its epoch. */
export async function assigned(probe: Probe, groupId: string, memberId: string, epoch: number): Promise<number> {
  let memberEpoch = epoch
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await probe.quietly('ShareGroupHeartbeat', 1, beat(groupId, memberId, { memberEpoch }))
    if (answer.errorCode !== 0) throw new Error(`heartbeat: error ${answer.errorCode} ${answer.errorMessage}`)
    memberEpoch = answer.memberEpoch
    if ((answer.assignment?.topicPartitions ?? []).length > 0) return memberEpoch
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('no partitions')
}

const grouping: Scenario[] = [
  {
    title: 'a share group: joined, assigned, described, left',
    api: 'ShareGroupHeartbeat',
    run: async (probe, version, name) => {
      await topicOf(probe, name, 2)
      const group = `${name}-g`
      const send = (memberId: string, more: Beat) =>
        probe.send('ShareGroupHeartbeat', version, beat(group, memberId, more))
      const describe = () => probe.send('ShareGroupDescribe', 1, { groupIds: [group] })
      await send('one', { memberEpoch: 1 })
      await send('one', { memberEpoch: 0, subscribedTopicNames: [name] })
      const epoch = await assigned(probe, group, 'one', 2)
      await describe()
      await send('one', { memberEpoch: epoch, subscribedTopicNames: [name] })
      await send('one', { memberEpoch: epoch })
      await send('one', { memberEpoch: epoch + 1 })
      await send('two', { memberEpoch: epoch })
      await send('two', { memberEpoch: -1 })
      await probe.send('ListGroups', 5, { statesFilter: ['stable'], typesFilter: ['share'] })
      await probe.send('DescribeGroups', 6, { groups: [group] })
      await probe.send('OffsetFetch', 8, { groups: [{ groupId: group, topics: null }] })
      await probe.send('DeleteGroups', 2, { groupsNames: [group] })
      await send('one', { memberEpoch: -1 })
      await describe()
      await probe.send('DeleteGroups', 2, { groupsNames: [group] })
      await describe()
    },
  },
  {
    title: 'share group heartbeats that are refused',
    api: 'ShareGroupHeartbeat',
    run: async (probe, version, name) => {
      const send = (groupId: string, memberId: string, more: Beat) =>
        probe.send('ShareGroupHeartbeat', version, beat(groupId, memberId, more))
      await send('', 'one', { memberEpoch: 0, subscribedTopicNames: ['t'] })
      await send(name, '', { memberEpoch: 0, subscribedTopicNames: ['t'] })
      await send(name, 'x'.repeat(37), { memberEpoch: 0, subscribedTopicNames: ['t'] })
      await send(name, 'one', { memberEpoch: 0 })
      await send(name, 'one', { memberEpoch: 0, subscribedTopicNames: [] })
      await send(name, 'one', { memberEpoch: -2 })
      await send(name, 'one', { memberEpoch: -1 })
      await send(name, 'one', { memberEpoch: 0, rackId: '', subscribedTopicNames: ['t'] })
      await send(name, 'one', { memberEpoch: 0, rackId: 'r', subscribedTopicNames: [`${name}-none`] })
      await send(name, 'one', { memberEpoch: 2 })
      await send(name, 'one', { memberEpoch: 1 })
      await send(name, 'one', { memberEpoch: 0, subscribedTopicNames: [`${name}-none`] })
      await probe.send('ShareGroupDescribe', 1, { groupIds: [name] })
      await send(name, 'one', { memberEpoch: -1 })
    },
  },
  {
    title: 'share groups that are not there, or of another kind',
    api: 'ShareGroupDescribe',
    run: async (probe, version, name) => {
      const send = (groupIds: readonly string[], more: Body = {}) =>
        probe.send('ShareGroupDescribe', version, { groupIds, ...more })
      await send([`${name}-none`])
      await send([''])
      await send([])
      await probe.quietly('ShareGroupHeartbeat', 1, beat(name, 'one', { memberEpoch: 0, subscribedTopicNames: ['x'] }))
      await send([name], { includeAuthorizedOperations: true })
    },
  },
]

const offsets: Scenario[] = [
  {
    title: 'offsets of share groups: of all topics, of some, of none',
    api: 'DescribeShareGroupOffsets',
    run: async (probe, version, name) => {
      const topicId = await topicOf(probe, name)
      for (let i = 0; i < 3; i++) await write(probe, name, batch(3))
      const send = (groups: readonly Body[]) => probe.send('DescribeShareGroupOffsets', version, { groups })
      const some = (topicName: string, ...partitions: readonly number[]) => [{ topicName, partitions }]
      await send([{ groupId: `${name}-none`, topics: null }])
      await send([{ groupId: `${name}-none`, topics: some(name, 0) }])
      await send([{ groupId: name, topics: some(name, 0) }])
      await probe.send('WriteShareGroupState', 1, written(name, topicId, { deliveryCompleteCount: 2, startOffset: 3 }))
      await send([{ groupId: name, topics: some(name, 0) }])
      await send([{ groupId: name, topics: some(`${name}-none`, 0) }])
      await send([{ groupId: name, topics: [] }])
      await send([
        { groupId: '', topics: some(name, 0) },
        { groupId: name, topics: some(name, 0) },
      ])
      for (const topics of [null, some(`${name}-none`, 0)]) await send([{ groupId: '', topics }])
      const group = `${name}-g`
      const body = beat(group, 'one', { memberEpoch: 0, subscribedTopicNames: [name] })
      await probe.quietly('ShareGroupHeartbeat', 1, body)
      await assigned(probe, group, 'one', 2)
      await send([{ groupId: group, topics: null }])
    },
  },
]

export const shareScenarios: readonly Scenario[] = [...stating, ...fetching, ...acknowledging, ...grouping, ...offsets]
