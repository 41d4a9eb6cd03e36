import { describe, expect, test } from 'vitest'
import { LogError } from '../../log/append-error.ts'
import { DeltaBuilder } from '../../metadata/delta.ts'
import { errors } from '../../protocol/errors.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { ControlType, controlKey, endTxnMarkerValue } from '../../protocol/records/control.ts'
import { decodeRecords } from '../../protocol/records/cursor.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { coordinatorRecord, encodeKey, encodeValue } from '../coordinator-record.ts'
import { offsetCommit } from '../group-records.ts'
import { commitPartition, Harness, subscription } from '../harness.testkit.ts'

const { code: NONE } = errors.NONE
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const OTHER_ID = 'AAAAAAAAAAAAAAAAAAAAAg'

function fetchRequest(topics: { name: string; topicId?: string; partitionIndexes: number[] }[] | null) {
  const full = topics?.map((topic) => ({ topicId: ZERO_UUID, ...topic })) ?? null
  return { groupId: 'group', memberId: null, memberEpoch: -1, topics: full }
}

describe('OffsetCommit', () => {
  test('a consumer that is no member commits for a group of its own making', async () => {
    const harness = await Harness.started()
    expect(await harness.commit(42)).toBe(NONE)
    expect(await harness.fetch()).toBe(42)
    expect(await harness.list()).toEqual([
      { groupId: 'group', protocolType: '', groupState: 'Empty', groupType: 'classic' },
    ])
  })

  test('a commit of which nothing is accepted makes no group', async () => {
    const harness = await Harness.started()
    const topics = [{ name: 'topic', topicId: ZERO_UUID, partitions: [commitPartition(0, 1, 'x'.repeat(11))] }]
    expect(await harness.commit(0, { topics })).toBe(errors.OFFSET_METADATA_TOO_LARGE.code)
    expect(await harness.list()).toEqual([])
  })

  test('members commit in their generation, and stay in by it', async () => {
    const harness = await Harness.started()
    const { memberIds, generationId } = await harness.stableGroup(1)
    const identity = { memberId: memberIds[0]!, generationIdOrMemberEpoch: generationId }
    for (let i = 0; i < 4; i++) {
      await harness.pass(9000)
      expect(await harness.commit(i, identity)).toBe(NONE)
    }
    expect(await harness.fetch()).toBe(3)
    const refusals: [object, { code: number }][] = [
      [{ generationIdOrMemberEpoch: generationId + 1 }, errors.ILLEGAL_GENERATION],
      [{ generationIdOrMemberEpoch: -1 }, errors.ILLEGAL_GENERATION],
      [{ memberId: 'nobody' }, errors.UNKNOWN_MEMBER_ID],
      [{ groupInstanceId: 'nobody' }, errors.UNKNOWN_MEMBER_ID],
      [{ memberId: '', generationIdOrMemberEpoch: -1 }, errors.UNKNOWN_MEMBER_ID],
    ]
    for (const [change, error] of refusals) expect(await harness.commit(9, { ...identity, ...change })).toBe(error.code)
    expect(await harness.fetch()).toBe(3)
  })

  test('for a generation of a group that is not there, the answer depends on the version (KIP-848)', async () => {
    const harness = await Harness.started()
    const identity = { memberId: 'm', generationIdOrMemberEpoch: 1 }
    expect(await harness.commit(1, identity, 8)).toBe(errors.ILLEGAL_GENERATION.code)
    expect(await harness.commit(1, identity, 9)).toBe(errors.GROUP_ID_NOT_FOUND.code)
  })

  test('between join and sync it is too late for the old generation and too early for the new one', async () => {
    const harness = await Harness.started()
    const join = harness.join({}, 3)
    await harness.pass(3000)
    const identity = { memberId: join.required.memberId!, generationIdOrMemberEpoch: 1 }
    expect(await harness.commit(1, identity)).toBe(errors.REBALANCE_IN_PROGRESS.code)
  })

  test('while the group prepares a rebalance, the old generation still commits', async () => {
    const harness = await Harness.started()
    const { memberIds, generationId } = await harness.stableGroup(2)
    harness.join({ memberId: memberIds[0]! })
    await harness.settle()
    const identity = { memberId: memberIds[1]!, generationIdOrMemberEpoch: generationId }
    expect(await harness.commit(5, identity)).toBe(NONE)
  })

  test('metadata that is too long is refused by partition', async () => {
    const harness = await Harness.started()
    const partitions = [commitPartition(0, 1, 'x'.repeat(11)), commitPartition(1, 2, 'x'.repeat(10))]
    const outcome = await harness.commitOutcome(0, { topics: [{ name: 'topic', topicId: ZERO_UUID, partitions }] })
    expect(outcome.required.topics[0]!.partitions).toEqual([
      { partitionIndex: 0, errorCode: errors.OFFSET_METADATA_TOO_LARGE.code },
      { partitionIndex: 1, errorCode: NONE },
    ])
    expect(await harness.fetch('topic', 0)).toBe(-1)
    expect(await harness.fetch('topic', 1)).toBe(2)
  })

  test('what could not be written was not committed', async () => {
    const harness = await Harness.started()
    await harness.commit(1)
    harness.log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    expect(await harness.commit(2)).toBe(errors.NOT_COORDINATOR.code)
    expect(await harness.fetch()).toBe(1)
  })

  test('the record is as Apache Kafka 4.3 writes it: version 4, or 1 where the client asked for a retention', async () => {
    const harness = await Harness.started()
    const nowMs = harness.time.nowMs()
    const topics = [{ name: 'topic', topicId: TOPIC_ID, partitions: [commitPartition(3, 7, 'note')] }]
    await harness.commit(0, { topics })
    await harness.commit(0, { topics, retentionTimeMs: 1000 }, 4)
    const written = harness.log.batches.get(0)!.flatMap((batch) => decodeRecords(new BatchView(batch), 10_000))
    expect(written.map((record) => record.value!.readInt16BE(0))).toEqual([4, 1])
    const key = { group: 'group', topic: 'topic', partition: 3 }
    const value = { offset: 7, leaderEpoch: -1, metadata: 'note', commitTimestamp: nowMs, topicId: TOPIC_ID }
    const record = coordinatorRecord(offsetCommit, key, 4, { ...value, expireTimestamp: -1 })
    expect(written[0]!.key).toEqual(encodeKey(record))
    expect(written[0]!.value).toEqual(encodeValue(record))
    const expiring = coordinatorRecord(offsetCommit, key, 1, { ...value, expireTimestamp: nowMs + 1000 })
    expect(written[1]!.value).toEqual(encodeValue(expiring))
  })
})

describe('OffsetFetch', () => {
  test('all partitions of a group, or those asked for; -1 where nothing is committed', async () => {
    const harness = await Harness.started()
    const partitions = [commitPartition(0, 10), commitPartition(1, 11, 'note')]
    await harness.commit(0, { topics: [{ name: 'topic', topicId: TOPIC_ID, partitions }] })
    const all = await harness.done(harness.coordinator.fetchOffsets(fetchRequest(null), false))
    expect(all.topics).toEqual([
      {
        name: 'topic',
        topicId: ZERO_UUID,
        partitions: [
          { partitionIndex: 0, committedOffset: 10, committedLeaderEpoch: -1, metadata: '', errorCode: NONE },
          { partitionIndex: 1, committedOffset: 11, committedLeaderEpoch: -1, metadata: 'note', errorCode: NONE },
        ],
      },
    ])
    expect(await harness.fetch('topic', 2)).toBe(-1)
    expect(await harness.fetch('other')).toBe(-1)
    expect(await harness.fetch('topic', 0, 'other group')).toBe(-1)
  })

  test('an offset of a topic that was made again is not that of the new one', async () => {
    const harness = await Harness.started()
    await harness.commit(0, { topics: [{ name: 'topic', topicId: TOPIC_ID, partitions: [commitPartition(0, 10)] }] })
    for (const [topicId, expected] of [
      [TOPIC_ID, 10],
      [OTHER_ID, -1],
      [ZERO_UUID, 10],
    ] as const) {
      const request = fetchRequest([{ name: 'topic', topicId, partitionIndexes: [0] }])
      const response = await harness.done(harness.coordinator.fetchOffsets(request, false))
      expect(response.topics[0]!.partitions[0]!.committedOffset).toBe(expected)
    }
  })

  test('an offset inside a transaction is unstable until that ends (KIP-447)', async () => {
    const harness = new Harness()
    const record = (offset: number) => {
      const value = { leaderEpoch: -1, metadata: '', commitTimestamp: 0, expireTimestamp: -1, topicId: ZERO_UUID }
      const key = { group: 'group', topic: 'topic', partition: 0 }
      const full = coordinatorRecord(offsetCommit, key, 4, { offset, ...value })
      return { timestamp: 0, key: encodeKey(full), value: encodeValue(full) }
    }
    const producer = { producerId: 7, producerEpoch: 0, isTransactional: true }
    const marker = (type: ControlType) => ({ timestamp: 0, key: controlKey(type), value: endTxnMarkerValue(0) })
    const batches = [
      buildBatch([record(1)]),
      buildBatch([record(2)], { baseOffset: 1, baseSequence: 0, ...producer }),
      buildBatch([marker(ControlType.abort)], { baseOffset: 2, isControl: true, ...producer }),
      buildBatch([record(3)], { baseOffset: 3, baseSequence: 1, ...producer }),
      buildBatch([marker(ControlType.commit)], { baseOffset: 4, isControl: true, ...producer }),
    ]
    const seen: [number, number][] = []
    for (let count = 1; count <= batches.length; count++) {
      harness.log.batches.set(0, batches.slice(0, count))
      harness.coordinator = await harness.reloaded()
      const request = fetchRequest([{ name: 'topic', partitionIndexes: [0] }])
      const stable = await harness.done(harness.coordinator.fetchOffsets(request, true))
      seen.push([await harness.fetch(), stable.topics[0]!.partitions[0]!.errorCode])
    }
    const unstable = errors.UNSTABLE_OFFSET_COMMIT.code
    expect(seen).toEqual([
      [1, NONE],
      [1, unstable],
      [1, NONE],
      [1, unstable],
      [3, NONE],
    ])
  })
})

describe('OffsetDelete (KIP-496)', () => {
  const deletion = (name: string) => ({ groupId: 'group', topics: [{ name, partitions: [{ partitionIndex: 0 }] }] })

  test('offsets go, unless a member is subscribed to the topic', async () => {
    const harness = await Harness.started()
    const topics = ['topic', 'other'].map((name) => ({ name, topicId: TOPIC_ID, partitions: [commitPartition(0, 1)] }))
    await harness.commit(0, { topics })
    await harness.stableGroup(1)
    const refused = await harness.done(harness.coordinator.deleteOffsets(deletion('topic')))
    expect(refused.topics![0]!.partitions![0]!.errorCode).toBe(errors.GROUP_SUBSCRIBED_TO_TOPIC.code)
    const done = await harness.done(harness.coordinator.deleteOffsets(deletion('other')))
    expect(done.topics![0]!.partitions![0]!.errorCode).toBe(NONE)
    expect([await harness.fetch('topic'), await harness.fetch('other')]).toEqual([1, -1])
  })

  test.each([
    ['', errors.INVALID_GROUP_ID],
    ['nobody', errors.GROUP_ID_NOT_FOUND],
  ])('of group "%s" is refused', async (groupId, error) => {
    const harness = await Harness.started()
    const response = await harness.done(harness.coordinator.deleteOffsets({ ...deletion('topic'), groupId }))
    expect(response).toEqual({ errorCode: error.code })
  })

  test('while members that are no consumers are there, nothing is deleted', async () => {
    const harness = await Harness.started()
    harness.join({ protocolType: 'connect' }, 3)
    await harness.pass(3000)
    const response = await harness.done(harness.coordinator.deleteOffsets(deletion('topic')))
    expect(response).toEqual({ errorCode: errors.NON_EMPTY_GROUP.code })
  })
})

describe('expiry', () => {
  const retention = { offsetsRetentionMs: 50_000, offsetsRetentionCheckIntervalMs: 1000 }

  test('without members an offset lives for the retention from its commit on, and the group as long as its offsets', async () => {
    const harness = await Harness.started(retention)
    await harness.commit(1)
    await harness.pass(49_500)
    expect(await harness.fetch()).toBe(1)
    await harness.pass(1000)
    expect(await harness.fetch()).toBe(-1)
    expect(await harness.list()).toEqual([])
    const fresh = await harness.reloaded()
    expect((await harness.done(fresh.listGroups({ statesFilter: [], typesFilter: [] }))).groups).toEqual([])
  })

  test('once the group is empty, from then on', async () => {
    const harness = await Harness.started(retention)
    const { memberIds, generationId } = await harness.stableGroup(1)
    const identity = { memberId: memberIds[0]!, generationIdOrMemberEpoch: generationId }
    await harness.commit(1, identity)
    for (let i = 0; i < 10; i++) {
      await harness.heartbeat(memberIds[0]!, generationId)
      await harness.pass(9000)
    }
    expect(await harness.fetch()).toBe(1)
    await harness.leave({ memberId: memberIds[0]! })
    await harness.pass(48_000)
    expect(await harness.fetch()).toBe(1)
    await harness.pass(3000)
    expect(await harness.fetch()).toBe(-1)
  })

  test('consumers that are there keep what they are subscribed to, and nothing else', async () => {
    const harness = await Harness.started(retention)
    const { memberIds, generationId } = await harness.stableGroup(1)
    const topics = ['topic', 'other'].map((name) => ({ name, topicId: TOPIC_ID, partitions: [commitPartition(0, 1)] }))
    await harness.commit(0, { topics, memberId: memberIds[0]!, generationIdOrMemberEpoch: generationId })
    for (let i = 0; i < 7; i++) {
      await harness.heartbeat(memberIds[0]!, generationId)
      await harness.pass(9000)
    }
    expect([await harness.fetch('topic'), await harness.fetch('other')]).toEqual([1, -1])
  })

  test('an old client may ask for its own retention', async () => {
    const harness = await Harness.started(retention)
    await harness.commit(1, { retentionTimeMs: 5000 }, 4)
    await harness.pass(4500)
    expect(await harness.fetch()).toBe(1)
    await harness.pass(1000)
    expect(await harness.fetch()).toBe(-1)
  })
})

test('offsets of a deleted topic go, those of its successor stay', async () => {
  const harness = await Harness.started()
  const commit = (name: string, topicId: string) =>
    harness.commit(0, { topics: [{ name, topicId, partitions: [commitPartition(0, 1)] }] })
  await commit('gone', TOPIC_ID)
  await commit('made-again', OTHER_ID)
  await commit('id-unknown', ZERO_UUID)
  const delta = new DeltaBuilder(false)
  for (const [i, name] of ['gone', 'made-again', 'id-unknown'].entries()) {
    delta.topicsDeleted.set(`${i}`, { name, id: TOPIC_ID, partitions: new Map() })
  }
  await harness.done(harness.coordinator.onMetadataChange(delta))
  const left = [await harness.fetch('gone'), await harness.fetch('made-again'), await harness.fetch('id-unknown')]
  expect(left).toEqual([-1, 1, -1])
})

describe('groups', () => {
  test('DeleteGroups takes groups without members, and their offsets (KIP-229)', async () => {
    const harness = await Harness.started()
    const { memberIds } = await harness.stableGroup(1)
    await harness.commit(1, { groupId: 'simple' })
    const results = await harness.done(harness.coordinator.deleteGroups(['group', 'simple', 'nobody']))
    expect(results).toEqual([
      { groupId: 'group', errorCode: errors.NON_EMPTY_GROUP.code },
      { groupId: 'simple', errorCode: NONE },
      { groupId: 'nobody', errorCode: errors.GROUP_ID_NOT_FOUND.code },
    ])
    expect(await harness.fetch('topic', 0, 'simple')).toBe(-1)
    await harness.leave({ memberId: memberIds[0]! })
    expect(await harness.done(harness.coordinator.deleteGroups(['group']))).toEqual([
      { groupId: 'group', errorCode: NONE },
    ])
    expect(await harness.list()).toEqual([])
  })

  test('ListGroups goes by state and type, in any case', async () => {
    const harness = await Harness.started()
    await harness.stableGroup(1)
    await harness.commit(1, { groupId: 'simple' })
    const ids = async (states: string[], types: string[]) => (await harness.list(states, types)).map((g) => g.groupId)
    expect(await ids([], [])).toEqual(['group', 'simple'])
    expect(await ids(['sTaBle '], ['CLASSIC'])).toEqual(['group'])
    expect(await ids(['empty', 'dead'], [])).toEqual(['simple'])
    expect(await ids([], ['consumer'])).toEqual([])
  })

  test('DescribeGroups: a group that is not there is dead, and from version 6 on an error (KIP-1043)', async () => {
    const harness = await Harness.started()
    expect(await harness.describe('nobody', 5)).toMatchObject({ groupState: 'Dead', errorCode: NONE })
    expect(await harness.describe('nobody', 6)).toMatchObject({
      groupState: 'Dead',
      errorCode: errors.GROUP_ID_NOT_FOUND.code,
      errorMessage: 'Group nobody not found.',
    })
  })

  test('DescribeGroups tells all of a stable group', async () => {
    const harness = await Harness.started()
    const { memberIds } = await harness.stableGroup(1)
    expect(await harness.describe()).toMatchObject({
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolData: 'range',
      members: [
        {
          memberId: memberIds[0],
          groupInstanceId: null,
          clientId: 'client',
          clientHost: '/127.0.0.1',
          memberMetadata: subscription('topic'),
          memberAssignment: Buffer.from(memberIds[0]!),
        },
      ],
    })
  })
})
