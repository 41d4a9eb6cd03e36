import { expect, test } from 'vitest'
import { LogError } from '../../../log/append-error.ts'
import { errors } from '../../../protocol/errors.ts'
import type { ShareGroupHeartbeatRequest } from '../../../protocol/messages/share-group-heartbeat.ts'
import { ConsumerHarness } from '../../consumer/consumer.testkit.ts'
import { CoordinatorError } from '../../coordinator-error.ts'
import type { Result } from '../../runtime/result.ts'
import type { ShareStates } from './share-states.ts'
import type { PartitionsByTopic } from './state-partitions.ts'

const GROUP = 'group'
const CLIENT = { apiVersion: 1, clientId: 'client', clientHost: '/127.0.0.1' }

/** Share groups over a log in memory; what the share coordinator would do is done by the test. */
class ShareHarness extends ConsumerHarness {
  static override async started(): Promise<ShareHarness> {
    const harness = new ShareHarness()
    await harness.coordinator.onElection(0, 0)
    return harness
  }

  async beatOnly(memberId: string, memberEpoch: number, topics: string[] | null = null) {
    const request: ShareGroupHeartbeatRequest = {
      groupId: GROUP,
      memberId,
      memberEpoch,
      rackId: null,
      subscribedTopicNames: topics,
    }
    return await this.done(this.coordinator.shareHeartbeat(CLIENT, request))
  }

  /** A heartbeat; share state that is missing is made. */
  async member(memberId: string, memberEpoch: number, topics: string[] | null = null) {
    const { response, missing } = await this.beatOnly(memberId, memberEpoch, topics)
    if (missing.size > 0) await this.change((states) => states.initialized(GROUP, missing))
    return response
  }

  /** Joins, and goes on until partitions are assigned; answers the member's epoch. */
  async assigned(memberId: string, topics: string[]): Promise<number> {
    await this.member(memberId, 0, topics)
    for (let i = 0; i < 3; i++) {
      const { memberEpoch, assignment } = await this.member(memberId, 0, topics)
      if (assignment!.topicPartitions!.length > 0) return memberEpoch!
    }
    throw new Error('no partitions')
  }

  change<R>(operation: (states: ShareStates) => Result<R>): Promise<R> {
    return this.done(this.coordinator.changeShareState(GROUP, operation))
  }

  async group() {
    return (await this.done(this.coordinator.describeShareGroups([GROUP])))[0]!
  }

  async partitions(): Promise<PartitionsByTopic> {
    return await this.done(this.coordinator.sharePartitions(GROUP))
  }
}

function refusal(error: { readonly name: string }) {
  return expect.objectContaining({ error })
}

test('a member is fenced by epochs that it never had; its last two are good (KIP-932)', async () => {
  const h = await ShareHarness.started()
  await h.topic('a', 2)
  const epoch = await h.assigned('m1', ['a'])
  expect(await h.member('m1', epoch)).toMatchObject({ memberEpoch: epoch })
  expect(await h.member('m1', epoch + 1)).toMatchObject({ errorCode: errors.FENCED_MEMBER_EPOCH.code })
  // Its answer got lost: it comes with the epoch before.
  await h.member('m2', 0, ['a'])
  expect(await h.member('m1', epoch)).toMatchObject({ memberEpoch: epoch + 1 })
  expect(await h.member('m1', epoch)).toMatchObject({ memberEpoch: epoch + 1 })
  await h.member('m2', -1)
  expect(await h.member('m1', epoch + 1)).toMatchObject({ memberEpoch: epoch + 2 })
  expect(await h.member('m1', epoch)).toMatchObject({ errorCode: errors.FENCED_MEMBER_EPOCH.code })
  // Whoever is fenced begins anew.
  expect(await h.member('m1', 0, ['a'])).toMatchObject({ memberEpoch: epoch + 2 })
})

test('whoever is no member, or no longer one, is told so', async () => {
  const h = await ShareHarness.started()
  await h.topic('a', 1)
  expect(await h.member('m1', 1)).toMatchObject({ errorCode: errors.GROUP_ID_NOT_FOUND.code })
  const epoch = await h.assigned('m1', ['a'])
  expect(await h.member('m2', 1)).toMatchObject({ errorCode: errors.UNKNOWN_MEMBER_ID.code })
  await h.pass(45_001)
  expect(await h.member('m1', epoch)).toMatchObject({ errorCode: errors.UNKNOWN_MEMBER_ID.code })
  expect(await h.group()).toMatchObject({ groupState: 'Empty' })
})

test('a member whose leaving could not be written down is out after its session', async () => {
  const h = await ShareHarness.started()
  await h.topic('a', 1)
  await h.assigned('m1', ['a'])
  h.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
  expect(await h.member('m1', -1)).toMatchObject({ errorCode: errors.NOT_COORDINATOR.code })
  expect((await h.group()).members).toHaveLength(1)
  await h.pass(45_000)
  expect((await h.group()).members).toEqual([])
})

test('a full group lets nobody else in', async () => {
  const h = await ShareHarness.started()
  await h.topic('a', 1)
  for (const memberId of ['m1', 'm2', 'm3']) expect((await h.member(memberId, 0, ['a'])).errorCode).toBeUndefined()
  expect(await h.member('m4', 0, ['a'])).toMatchObject({ errorCode: errors.GROUP_MAX_SIZE_REACHED.code })
  expect((await h.member('m3', 0, ['a'])).errorCode).toBeUndefined()
})

test('partitions are assigned once their share state is made, asked for once in a while', async () => {
  const h = await ShareHarness.started()
  const id = await h.topic('a', 2)
  const first = await h.beatOnly('m1', 0, ['a'])
  expect(first.missing).toEqual(new Map([[id, new Set([0, 1])]]))
  expect((await h.beatOnly('m1', 0, ['a'])).missing.size).toBe(0)
  await h.change((states) => states.notInitialized(GROUP, first.missing))
  expect((await h.beatOnly('m1', 0, ['a'])).missing).toEqual(first.missing)
  await h.pass(30_001)
  expect((await h.beatOnly('m1', 0, ['a'])).missing).toEqual(first.missing)
  await h.change((states) => states.initialized(GROUP, first.missing))
  const { response } = await h.beatOnly('m1', 0, ['a'])
  expect(response.assignment!.topicPartitions).toEqual([{ topicId: id, partitions: [0, 1] }])
  // New partitions have none yet.
  await h.topic('a', 3)
  expect((await h.beatOnly('m1', 0, ['a'])).missing).toEqual(new Map([[id, new Set([2])]]))
})

test('the group is the same after a crash', async () => {
  const h = await ShareHarness.started()
  await h.topic('a', 2)
  const epoch = await h.assigned('m1', ['a'])
  await h.change((states) => states.notInitialized(GROUP, new Map()))
  const before = [await h.group(), await h.partitions()]
  await h.restart()
  expect([await h.group(), await h.partitions()]).toEqual(before)
  expect(await h.member('m1', epoch)).toMatchObject({ memberEpoch: epoch })
})

test('offsets are altered of a group without members only, which need not be there yet', async () => {
  const h = await ShareHarness.started()
  const topicId = await h.topic('a', 2)
  const starts = [{ topicId, partition: 1, startOffset: 7 }]
  const restart = () => h.change((states) => states.restart(GROUP, starts))
  const epoch = await restart()
  expect(await h.group()).toMatchObject({ groupState: 'Empty', groupEpoch: epoch })
  expect((await h.partitions()).size).toBe(0)
  await h.change((states) => states.initialized(GROUP, new Map([[topicId, new Set([1])]])))
  expect(await h.partitions()).toEqual(new Map([[topicId, new Set([1])]]))
  await h.assigned('m1', ['a'])
  expect(await h.group()).toMatchObject({ groupState: 'Stable' })
  await expect(restart()).rejects.toEqual(refusal(errors.NON_EMPTY_GROUP))
  await h.member('m1', -1)
  expect(await restart()).toBeGreaterThan(epoch)
  await expect(
    h.change((states) => states.restart(GROUP, [{ topicId, partition: -1, startOffset: 0 }])),
  ).rejects.toBeInstanceOf(CoordinatorError)
})

test('a group of another kind has no share offsets', async () => {
  const h = await ShareHarness.started()
  const topicId = await h.topic('a', 1)
  await h.commit(1)
  const starts = [{ topicId, partition: 0, startOffset: 7 }]
  const restart = h.change((states) => states.restart(GROUP, starts))
  await expect(restart).rejects.toEqual(refusal(errors.GROUP_ID_NOT_FOUND))
  const deletion = h.change((states) => states.beginOffsetDeletion(GROUP, ['a']))
  await expect(deletion).rejects.toEqual(refusal(errors.GROUP_ID_NOT_FOUND))
  expect(await h.change((states) => states.beginGroupDeletion(GROUP))).toBeUndefined()
})

test('a deletion of offsets that was interrupted by a crash is done again', async () => {
  const h = await ShareHarness.started()
  const topicId = await h.topic('a', 2)
  await h.topic('b', 1)
  await h.assigned('m1', ['a'])
  const begin = () => h.change((states) => states.beginOffsetDeletion(GROUP, ['a', 'b', 'c', 'a']))
  await expect(begin()).rejects.toEqual(refusal(errors.NON_EMPTY_GROUP))
  await h.member('m1', -1)
  const nothing = { error: errors.UNKNOWN_TOPIC_OR_PARTITION }
  const expected = [
    { topicName: 'a', topicId, partitions: new Set([0, 1]) },
    expect.objectContaining({ topicName: 'b', ...nothing }),
    expect.objectContaining({ topicName: 'c', ...nothing }),
  ]
  expect(await begin()).toEqual(expected)
  await h.restart()
  expect(await begin()).toEqual(expected)
  await h.change((states) => states.deleted(GROUP, new Set([topicId])))
  expect((await begin())[0]).toMatchObject(nothing)
  // What is read again is not being deleted any more.
  await h.assigned('m1', ['a'])
  expect(await h.partitions()).toEqual(new Map([[topicId, new Set([0, 1])]]))
})

test('a group is deleted with all state that it may have', async () => {
  const h = await ShareHarness.started()
  const a = await h.topic('a', 2)
  const b = await h.topic('b', 1)
  await h.assigned('m1', ['a'])
  await expect(h.change((states) => states.beginGroupDeletion(GROUP))).rejects.toEqual(refusal(errors.NON_EMPTY_GROUP))
  // Under way, and not confirmed.
  await h.beatOnly('m1', 0, ['a', 'b'])
  await h.member('m1', -1)
  const all = new Map([
    [a, new Set([0, 1])],
    [b, new Set([0])],
  ])
  expect(await h.change((states) => states.beginGroupDeletion(GROUP))).toEqual(all)
  await h.restart()
  expect(await h.partitions()).toEqual(new Map())
  expect(await h.change((states) => states.beginGroupDeletion(GROUP))).toEqual(all)
  expect(await h.done(h.coordinator.deleteGroups([GROUP]))).toEqual([{ groupId: GROUP, errorCode: 0 }])
  await h.restart()
  expect(await h.group()).toMatchObject({ errorCode: errors.GROUP_ID_NOT_FOUND.code })
})

test('deleted topics are forgotten, whatever was to become of their share state', async () => {
  const h = await ShareHarness.started()
  for (const name of ['a', 'b', 'c']) await h.topic(name, 1)
  await h.assigned('m1', ['a', 'b'])
  const { missing } = await h.beatOnly('m1', 0, ['a', 'b', 'c'])
  await h.member('m1', -1)
  await h.change((states) => states.beginOffsetDeletion(GROUP, ['b']))
  for (const name of ['a', 'b', 'c']) await h.deleteTopic(name)
  // The confirmation comes late.
  await h.change((states) => states.initialized(GROUP, missing))
  await h.restart()
  expect(await h.partitions()).toEqual(new Map())
  expect(await h.change((states) => states.beginGroupDeletion(GROUP))).toEqual(new Map())
})
