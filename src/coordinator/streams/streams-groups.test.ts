import { expect, test } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { commitPartition } from '../harness.testkit.ts'
import { MemberState } from '../modern/member.ts'
import { unrecorded } from '../runtime/undo-log.ts'
import { epochOfTask, newStreamsMember, withAssignment } from './member.ts'
import { assignmentRecord, groupTombstones } from './records.ts'
import { StreamsHarness, settleThreads, stateful, Thread } from './streams.testkit.ts'
import { StreamsGroup } from './streams-group.ts'

async function settled() {
  const harness = await StreamsHarness.paced({ standbyReplicas: 1 })
  await harness.topic('changelog', 4)
  const threads = [new Thread(harness, 'a', stateful), new Thread(harness, 'b', stateful)] as const
  await settleThreads(threads)
  return { harness, threads }
}

test('all of it is there again after a reload', async () => {
  const { harness, threads } = await settled()
  const late = new Thread(harness, 'c', stateful)
  await late.beat()
  // Told to give something up, and not through with it.
  await threads[0].beat()
  const before = await harness.describeStreams()
  await harness.restart()
  expect(await harness.describeStreams()).toEqual({
    ...before,
    // What the topics come to is found by the next heartbeat.
    topology: { epoch: 0, subtopologies: [expect.objectContaining({ subtopologyId: '0' })] },
  })
  await settleThreads([...threads, late])
  expect([...threads, late].reduce((sum, { tasks }) => sum + tasks, 0)).toBe(4)
})

test('a member commits at its epoch, and at an earlier one what it had then (KIP-1251)', async () => {
  const harness = await StreamsHarness.paced()
  await harness.topic('other', 1)
  const [a, b] = [new Thread(harness, 'a'), new Thread(harness, 'b')]
  await a.beat()
  await b.beat()
  await settleThreads([a, b])
  const commit = (memberId: string, generationIdOrMemberEpoch: number, partition: number, name = 'topic') => {
    const topics = [{ name, topicId: ZERO_UUID, partitions: [commitPartition(partition, 1)] }]
    return harness.commitOutcome(1, { memberId, generationIdOrMemberEpoch, topics })
  }
  const codeOf = async (outcome: ReturnType<typeof commit>) =>
    (await outcome).required.topics[0]!.partitions[0]!.errorCode
  const kept = a.active[0]!.partitions[0]!
  const given = [0, 1, 2, 3].find((partition) => !a.active[0]!.partitions.includes(partition))!
  const stale = errors.STALE_MEMBER_EPOCH.code
  expect(a.epoch).toBe(3)
  expect(await codeOf(commit('a', 3, given))).toBe(0)
  expect(await codeOf(commit('a', 2, kept))).toBe(0)
  expect(await codeOf(commit('a', 2, given))).toBe(stale)
  expect(await codeOf(commit('a', 1, kept))).toBe(stale)
  expect(await codeOf(commit('a', 4, kept))).toBe(stale)
  expect(await codeOf(commit('a', 2, 0, 'other'))).toBe(stale)
  expect(await codeOf(commit('c', 3, kept))).toBe(errors.UNKNOWN_MEMBER_ID.code)
  expect(await codeOf(commit('', -1, kept))).toBe(errors.UNKNOWN_MEMBER_ID.code)
})

test('offsets of an empty group end with their time, and the group with them', async () => {
  const harness = await StreamsHarness.paced()
  const thread = new Thread(harness, 'm1')
  await thread.beat()
  await harness.commit(7, { memberId: 'm1', generationIdOrMemberEpoch: thread.epoch })
  // A group with members keeps the offsets of what it reads.
  for (let i = 0; i < 40; i++) {
    await harness.pass(30_000)
    await thread.beat()
  }
  expect(await harness.fetch()).toBe(7)
  await thread.leave()
  await harness.pass(1_100_000)
  expect(await harness.fetch()).toBe(-1)
  expect(await harness.list()).toEqual([])
})

test('only an empty group is deleted, with its records in the order that Apache Kafka insists on', async () => {
  const { harness, threads } = await settled()
  const remove = async () => (await harness.done(harness.coordinator.deleteGroups(['group'])))[0]!.errorCode
  expect(await remove()).toBe(errors.NON_EMPTY_GROUP.code)
  for (const thread of threads) await thread.leave()
  const before = harness.records().length
  expect(await remove()).toBe(0)
  expect(harness.records().slice(before)).toEqual(groupTombstones('group', []))
  await harness.restart()
  expect(await harness.list()).toEqual([])
})

test('an empty group changes its kind, and back', async () => {
  const harness = await StreamsHarness.paced()
  await harness.commit(5)
  expect(await harness.list([], ['classic'])).toHaveLength(1)
  const thread = new Thread(harness, 'm1')
  expect(await thread.beat()).toBe(0)
  expect(await harness.list([], ['streams'])).toHaveLength(1)
  const refused = harness.join({})
  await harness.settle()
  expect(refused.required.errorCode).toBe(errors.INCONSISTENT_GROUP_PROTOCOL.code)
  await thread.leave()
  await harness.stableGroup(1)
  expect(await harness.list([], ['classic'])).toHaveLength(1)
  expect(await thread.beat()).toBe(errors.GROUP_ID_NOT_FOUND.code)
  await harness.restart()
  expect(await harness.list([], ['classic'])).toHaveLength(1)
  expect(await harness.fetch()).toBe(5)
})

test('records of a member may come in another order after compaction', () => {
  const group = new StreamsGroup('group', unrecorded())
  const none = { activeTasks: [], standbyTasks: [], warmupTasks: [] }
  const pending = {
    activeTasksPendingRevocation: [],
    standbyTasksPendingRevocation: [],
    warmupTasksPendingRevocation: [],
  }
  // Of releases before 4.3, without the epochs at which it got its tasks.
  const activeTasks = [{ subtopologyId: '0', partitions: [1], assignmentEpochs: null }]
  const current = { memberEpoch: 5, previousMemberEpoch: 4, state: 1, ...none, ...pending, activeTasks }
  group.putMember(withAssignment(newStreamsMember('a'), current))
  group.putMember({ ...group.member('a')!, processId: 'p' })
  expect(group.owners.active('0', 1)).toBe('p')
  expect(epochOfTask(group.member('a')!, '0', 1)).toBe(5)
  group.removeMember('a')
  expect(group.owners.active('0', 1)).toBeUndefined()
})

test.each([
  [MemberState.stable, 1],
  [MemberState.unrevoked, 2],
  [MemberState.unreleased, 3],
])('state %i has the number %i on disk, unlike that of consumer groups', (state, number) => {
  const { value } = assignmentRecord('group', { ...newStreamsMember('a'), state })
  expect(value).toMatchObject({ state: number })
  expect(withAssignment(newStreamsMember('a'), value as never).state).toBe(state)
})

test.each([0, 4, 127, -1])('state %i on disk is of a later release', (number) => {
  const value = { ...assignmentRecord('group', newStreamsMember('a')).value, state: number }
  expect(withAssignment(newStreamsMember('a'), value as never).state).toBe(MemberState.unknown)
})
