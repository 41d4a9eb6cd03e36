import { describe, expect, test } from 'vitest'
import { Harness } from '../../coordinator/harness.testkit.ts'
import { MetadataImage } from '../../metadata/image.ts'
import { errors } from '../../protocol/errors.ts'
import type { Message } from '../../protocol/schema.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import type { ApiHandler, RequestContext, Services } from '../types.ts'
import { handler as joinHandler } from './join-group.ts'
import { handler as leaveHandler } from './leave-group.ts'
import { handler as commitHandler } from './offset-commit.ts'
import { handler as fetchHandler } from './offset-fetch.ts'
import { handler as syncHandler } from './sync-group.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

async function setup() {
  const harness = await Harness.started()
  const image = new MetadataImage()
  image.topics.add('topic', TOPIC_ID)
  image.topics.setPartition({ topicId: TOPIC_ID, partition: 0 } as Parameters<typeof image.topics.setPartition>[0])
  const services = { groups: harness.coordinator, image } as unknown as Services
  const ask = (handler: unknown, apiVersion: number, request: object) => {
    const context = { apiVersion, clientId: 'client', connection: { remoteAddress: '127.0.0.1' } }
    const { handle } = handler as ApiHandler<Message, Message>
    return harness.done(Promise.resolve(handle(request as never, context as RequestContext, services))) as Promise<
      // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
      any
    >
  }
  return { harness, ask }
}

function commit(topic: object, partitions: number[] = [0]) {
  const details = { committedOffset: 5, committedLeaderEpoch: -1, commitTimestamp: -1, committedMetadata: null }
  return {
    groupId: 'group',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1,
    topics: [
      {
        name: '',
        topicId: ZERO_UUID,
        ...topic,
        partitions: partitions.map((p) => ({ partitionIndex: p, ...details })),
      },
    ],
  }
}

describe('OffsetCommit', () => {
  test('topics go by name up to version 9, by id from 10 on; what is not known is refused', async () => {
    const { ask, harness } = await setup()
    expect(await ask(commitHandler, 9, commit({ name: 'topic' }, [0, 7]))).toEqual({
      topics: [
        {
          name: 'topic',
          topicId: TOPIC_ID,
          partitions: [
            { partitionIndex: 7, errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION.code },
            { partitionIndex: 0, errorCode: 0 },
          ],
        },
      ],
    })
    const byName = await ask(commitHandler, 9, commit({ name: 'nobody' }))
    expect(byName.topics[0].partitions[0].errorCode).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION.code)
    const byId = await ask(commitHandler, 10, commit({ topicId: 'AAAAAAAAAAAAAAAAAAAABQ' }))
    expect(byId.topics[0].partitions[0].errorCode).toBe(errors.UNKNOWN_TOPIC_ID.code)
    expect((await ask(commitHandler, 10, commit({ topicId: TOPIC_ID }))).topics[0].partitions[0].errorCode).toBe(0)
    expect(await harness.fetch()).toBe(5)
  })
})

describe('OffsetFetch', () => {
  const old = (partitionIndexes = [0, 1]) => ({
    groupId: 'group',
    topics: [{ name: 'topic', partitionIndexes }],
    groups: [],
    requireStable: false,
  })

  test('version 0 tells "nothing committed" by an error, later ones by -1', async () => {
    const { ask, harness } = await setup()
    await harness.commit(5)
    const codes = async (version: number) =>
      (await ask(fetchHandler, version, old())).topics[0].partitions.map((p: { errorCode: number }) => p.errorCode)
    expect(await codes(0)).toEqual([0, errors.UNKNOWN_TOPIC_OR_PARTITION.code])
    expect(await codes(1)).toEqual([0, 0])
  })

  test('an error of the group is told by every partition where there is no other place', async () => {
    const { ask, harness } = await setup()
    harness.coordinator.onResignation(0, 1)
    const { code } = errors.NOT_COORDINATOR
    expect((await ask(fetchHandler, 1, old([3]))).topics[0].partitions).toMatchObject([
      { partitionIndex: 3, committedOffset: -1, errorCode: code },
    ])
    expect(await ask(fetchHandler, 2, old())).toEqual({ errorCode: code, topics: [] })
    const groups = [{ groupId: 'group', memberId: null, memberEpoch: -1, topics: null }]
    expect(await ask(fetchHandler, 8, { groups, requireStable: false })).toEqual({
      groups: [{ groupId: 'group', topics: [], errorCode: code }],
    })
  })

  test('from version 10 on topics go by id, and those that are gone are left out of "all"', async () => {
    const { ask, harness } = await setup()
    await harness.commit(5)
    const gone = [{ name: 'gone', topicId: ZERO_UUID, partitions: commit({}).topics[0]!.partitions }]
    await harness.commitOutcome(0, { topics: gone as never })
    const group = (topics: object[] | null) => ({
      groups: [{ groupId: 'group', memberId: null, memberEpoch: -1, topics }],
      requireStable: false,
    })
    const all = await ask(fetchHandler, 10, group(null))
    expect(all.groups[0].topics.map((topic: { topicId: string }) => topic.topicId)).toEqual([TOPIC_ID])
    const unknownId = 'AAAAAAAAAAAAAAAAAAAABQ'
    const some = [TOPIC_ID, unknownId].map((topicId) => ({ name: '', topicId, partitionIndexes: [0] }))
    expect((await ask(fetchHandler, 10, group(some))).groups[0].topics).toMatchObject([
      { topicId: TOPIC_ID, partitions: [{ committedOffset: 5, errorCode: 0 }] },
      { topicId: unknownId, partitions: [{ committedOffset: -1, errorCode: errors.UNKNOWN_TOPIC_ID.code }] },
    ])
  })
})

test('JoinGroup: "no protocol" is empty before version 7 and null from then on', async () => {
  const { ask } = await setup()
  const request = { groupId: '', memberId: '', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, protocols: [] }
  expect((await ask(joinHandler, 6, request)).protocolName).toBe('')
  expect((await ask(joinHandler, 7, request)).protocolName).toBeNull()
})

test('SyncGroup 5 must say which protocol it believes in (KIP-559)', async () => {
  const { ask } = await setup()
  const request = { groupId: 'group', memberId: 'm', generationId: 1, protocolType: null, protocolName: null }
  expect(await ask(syncHandler, 5, request)).toEqual({ errorCode: errors.INCONSISTENT_GROUP_PROTOCOL.code })
})

test('LeaveGroup before version 3 names one member, and has one error', async () => {
  const { ask, harness } = await setup()
  const { memberIds } = await harness.stableGroup(1)
  const leave = (memberId: string) => ask(leaveHandler, 2, { groupId: 'group', memberId, members: [] })
  expect(await leave('nobody')).toEqual({ errorCode: errors.UNKNOWN_MEMBER_ID.code })
  expect(await leave(memberIds[0]!)).toEqual({ errorCode: 0 })
})
