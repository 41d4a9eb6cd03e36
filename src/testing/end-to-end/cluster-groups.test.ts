import { afterEach, beforeEach, expect, test } from 'vitest'
import { apis } from '../../protocol/api-keys.ts'
import type { InputOf } from '../../protocol/schema.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { GROUP, nameOfError } from '../simulation/client.ts'
import { TestCluster } from './cluster.testkit.ts'

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.started(1)
})

afterEach(() => cluster.close())

function heartbeat(groupId: string, body: Partial<InputOf<typeof apis.ConsumerGroupHeartbeat.request>>) {
  return cluster.askCoordinator(
    groupId,
    GROUP,
    apis.ConsumerGroupHeartbeat,
    1,
    { groupId, rebalanceTimeoutMs: 60_000, ...body } as InputOf<typeof apis.ConsumerGroupHeartbeat.request>,
    ({ errorCode }) => errorCode,
  )
}

async function commit(groupId: string, memberId: string, epoch: number, offset: number): Promise<string> {
  const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }]
  const topics = [{ name: 'topic', topicId: ZERO_UUID, partitions }]
  const { topics: answers } = await cluster.askCoordinator(
    groupId,
    GROUP,
    apis.OffsetCommit,
    9,
    { groupId, memberId, generationIdOrMemberEpoch: epoch, topics },
    (response) => response.topics[0]!.partitions[0]!.errorCode,
  )
  return nameOfError(answers[0]!.partitions[0]!.errorCode)
}

async function committed(groupId: string): Promise<number> {
  const topics = [{ name: 'topic', partitionIndexes: [0] }]
  const { groups } = await cluster.askCoordinator(
    groupId,
    GROUP,
    apis.OffsetFetch,
    8,
    { groups: [{ groupId, topics }], requireStable: true },
    (response) => response.groups[0]!.errorCode,
  )
  return groups[0]!.topics[0]!.partitions[0]!.committedOffset
}

test('a consumer group and its offsets outlive their coordinator, again and again', async () => {
  await cluster.createTopic('topic', 3)
  const member = 'member'
  const joined = await cluster.done(
    heartbeat('g', { memberId: member, memberEpoch: 0, subscribedTopicNames: ['topic'], topicPartitions: [] }),
  )
  expect(nameOfError(joined.errorCode)).toBe('NONE')
  const coordinators = new Set<number>()
  let offset = 0
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 20; i++) {
      expect(await cluster.done(commit('g', member, joined.memberEpoch, ++offset))).toBe('NONE')
    }
    const coordinator = (await cluster.done(cluster.client.coordinatorOf('g', GROUP)))!
    coordinators.add(coordinator)
    cluster.kill(coordinator)
    expect(await cluster.done(committed('g'))).toBe(offset)
    const alive = await cluster.done(heartbeat('g', { memberId: member, memberEpoch: joined.memberEpoch }))
    expect([nameOfError(alive.errorCode), alive.memberEpoch]).toEqual(['NONE', joined.memberEpoch])
    await cluster.restart(coordinator)
  }
  expect(coordinators.size).toBeGreaterThan(1)
})

test('offsets that are acknowledged stay, while their partitions move from broker to broker and back', async () => {
  await cluster.createTopic('topic', 1)
  const groups = ['a', 'b', 'c']
  const offsets = new Map(groups.map((group) => [group, 0]))
  let isOver = false
  const committing = groups.map(async (group) => {
    while (!isOver) {
      const next = offsets.get(group)! + 1
      expect(await commit(group, '', -1, next)).toBe('NONE')
      offsets.set(group, next)
      await cluster.world.sleep(20)
    }
  })
  for (const id of [1, 2]) {
    cluster.kill(id)
    await cluster.pass(4000)
    await cluster.restart(id)
    await cluster.pass(1000)
    // What it led before it leads again, in the midst of commits.
    const body = { electionType: 0, topicPartitions: null, timeoutMs: 5000 }
    const answer = await cluster.done(
      cluster.client.anybody(apis.ElectLeaders, 2, body, (response) => response.errorCode === 0),
    )
    expect(answer!.replicaElectionResults.length).toBeGreaterThan(0)
    await cluster.pass(500)
  }
  isOver = true
  await cluster.done(Promise.all(committing))
  for (const group of groups) {
    expect(offsets.get(group)).toBeGreaterThan(20)
    expect(await cluster.done(committed(group))).toBe(offsets.get(group))
  }
})

test('members of a classic group go on with another coordinator as if nothing had been', async () => {
  const join = (memberId: string) =>
    cluster.askCoordinator(
      'classic',
      GROUP,
      apis.JoinGroup,
      9,
      {
        groupId: 'classic',
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 30_000,
        memberId,
        groupInstanceId: null,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }],
        reason: null,
      },
      ({ errorCode }) => errorCode,
    )
  const { memberId } = await cluster.done(join(''))
  const { generationId } = await cluster.done(join(memberId))
  const assignment = Buffer.from('all of it')
  const sync = () =>
    cluster.askCoordinator(
      'classic',
      GROUP,
      apis.SyncGroup,
      5,
      {
        groupId: 'classic',
        generationId,
        memberId,
        groupInstanceId: null,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [{ memberId, assignment }],
      },
      ({ errorCode }) => errorCode,
    )
  expect((await cluster.done(sync())).assignment).toEqual(assignment)
  cluster.kill((await cluster.done(cluster.client.coordinatorOf('classic', GROUP)))!)
  const beat = await cluster.done(
    cluster.askCoordinator(
      'classic',
      GROUP,
      apis.Heartbeat,
      4,
      { groupId: 'classic', generationId, memberId, groupInstanceId: null },
      ({ errorCode }) => errorCode,
    ),
  )
  expect(nameOfError(beat.errorCode)).toBe('NONE')
  expect((await cluster.done(sync())).assignment).toEqual(assignment)
})

test('a rebalance of a classic group that was under way when its coordinator ended takes place with the next one', async () => {
  const ask = async (memberId: string) => {
    const protocols = [{ name: 'range', metadata: Buffer.from(`of ${memberId}`) }]
    const timeouts = { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000 }
    const group = { groupId: 'classic', memberId, groupInstanceId: null, protocolType: 'consumer', reason: null }
    const body = { ...group, ...timeouts, protocols }
    return await cluster.askCoordinator('classic', GROUP, apis.JoinGroup, 9, body, ({ errorCode }) => errorCode)
  }
  /** As clients do: who is not known joins anew, and then by the id that it was given. */
  const join = async (known: string) => {
    for (let memberId = known; ; ) {
      const answer = await ask(memberId)
      const error = nameOfError(answer.errorCode)
      if (error === 'NONE') return answer
      expect(['MEMBER_ID_REQUIRED', 'UNKNOWN_MEMBER_ID']).toContain(error)
      memberId = error === 'MEMBER_ID_REQUIRED' ? answer.memberId : ''
    }
  }
  const sync = async (memberId: string, generationId: number, to: readonly string[]) => {
    const group = { groupId: 'classic', groupInstanceId: null, protocolType: 'consumer', protocolName: 'range' }
    const assignments = to.map((id) => ({ memberId: id, assignment: Buffer.from(`for ${id}`) }))
    const body = { ...group, generationId, memberId, assignments }
    return await cluster.askCoordinator('classic', GROUP, apis.SyncGroup, 5, body, ({ errorCode }) => errorCode)
  }
  const beat = (memberId: string, generationId: number) => {
    const body = { groupId: 'classic', generationId, memberId, groupInstanceId: null }
    return cluster.askCoordinator('classic', GROUP, apis.Heartbeat, 4, body, ({ errorCode }) => errorCode)
  }
  const first = await cluster.done(join(''))
  const one = first.memberId
  await cluster.done(sync(one, first.generationId, [one]))
  const joining = join('')
  const isDisturbed = async () => {
    for (;;) {
      const { errorCode } = await beat(one, first.generationId)
      if (nameOfError(errorCode) === 'REBALANCE_IN_PROGRESS') return
      await cluster.world.sleep(200)
    }
  }
  await cluster.done(isDisturbed())
  cluster.kill((await cluster.done(cluster.client.coordinatorOf('classic', GROUP)))!)
  await cluster.done(isDisturbed())
  const [again, second] = await cluster.done(Promise.all([join(one), joining]))
  const { generationId } = again
  expect(generationId).toBeGreaterThan(first.generationId)
  expect(second.generationId).toBe(generationId)
  const [leader, follower] = again.leader === one ? [again, second] : [second, again]
  const ids = leader.members.map(({ memberId }) => memberId)
  expect(ids.sort()).toEqual([one, second.memberId].sort())
  const answers = Promise.all([sync(leader.memberId, generationId, ids), sync(follower.memberId, generationId, [])])
  const given = (await cluster.done(answers)).map(({ assignment }) => assignment.toString())
  expect(given).toEqual([`for ${leader.memberId}`, `for ${follower.memberId}`])
})
