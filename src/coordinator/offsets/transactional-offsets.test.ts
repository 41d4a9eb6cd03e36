import { expect, test } from 'vitest'
import { LogError } from '../../log/append-error.ts'
import { errors } from '../../protocol/errors.ts'
import { BatchView } from '../../protocol/records/batch.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { Harness } from '../harness.testkit.ts'

const PRODUCER = { producerId: 7, producerEpoch: 3 }

async function commit(harness: Harness, offset: number, more: object = {}): Promise<number> {
  const partitions = [{ partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: null }]
  const member = { generationId: -1, memberId: '', groupInstanceId: null }
  const request = {
    transactionalId: 't',
    groupId: 'group',
    ...PRODUCER,
    ...member,
    topics: [{ name: 'topic', partitions }],
  }
  const response = await harness.done(
    harness.coordinator.commitTransactionalOffsets({ ...request, ...more }, () => ZERO_UUID, undefined),
  )
  return response.topics[0]!.partitions[0]!.errorCode
}

function end(harness: Harness, isCommit: boolean, producer = PRODUCER) {
  const marker = { ...producer, coordinatorEpoch: 0, isCommit, transactionVersion: 2 }
  return harness.done(harness.coordinator.endTransaction(0, marker))
}

async function stableError(harness: Harness): Promise<number> {
  const topics = [{ name: 'topic', topicId: ZERO_UUID, partitionIndexes: [0] }]
  const request = { groupId: 'group', memberId: null, memberEpoch: -1, topics }
  const response = await harness.done(harness.coordinator.fetchOffsets(request, true))
  return response.topics[0]!.partitions[0]!.errorCode
}

test.each([
  [true, 5],
  [false, -1],
])(
  'offsets of a transaction wait for its end (commit: %s), also through a reload (KIP-447)',
  async (isCommit, seen) => {
    const harness = await Harness.started()
    expect(await commit(harness, 5)).toBe(errors.NONE.code)
    expect([await harness.fetch(), await stableError(harness)]).toEqual([-1, errors.UNSTABLE_OFFSET_COMMIT.code])
    await harness.restart()
    expect([await harness.fetch(), await stableError(harness)]).toEqual([-1, errors.UNSTABLE_OFFSET_COMMIT.code])
    expect(await end(harness, isCommit)).toBe(errors.NONE)
    expect([await harness.fetch(), await stableError(harness)]).toEqual([seen, errors.NONE.code])
    await harness.restart()
    expect([await harness.fetch(), await stableError(harness)]).toEqual([seen, errors.NONE.code])
  },
)

test('a transaction has batches of its own, in the order of what was asked', async () => {
  const harness = await Harness.started()
  const asked = [harness.commitOutcome(1), commit(harness, 2), end(harness, true), harness.commitOutcome(3)]
  await Promise.all(asked)
  const batches = harness.log.batches.get(0)!.map((bytes) => new BatchView(bytes))
  expect(batches.map(({ isTransactional, isControl, producerId }) => [isTransactional, isControl, producerId])).toEqual(
    [
      [false, false, -1],
      [true, false, 7],
      [true, true, 7],
      [false, false, -1],
    ],
  )
  expect(await harness.fetch()).toBe(3)
})

test('what could not be written is taken back', async () => {
  const harness = await Harness.started()
  harness.log.failures.push(new LogError('INVALID_PRODUCER_EPOCH', 'fenced'))
  expect(await commit(harness, 5)).toBe(errors.INVALID_PRODUCER_EPOCH.code)
  expect(await stableError(harness)).toBe(errors.NONE.code)
  expect(await commit(harness, 6)).toBe(errors.NONE.code)
  harness.log.failures.push(new LogError('TRANSACTION_COORDINATOR_FENCED', 'late'))
  expect(await end(harness, true)).toBe(errors.TRANSACTION_COORDINATOR_FENCED)
  expect([await harness.fetch(), await stableError(harness)]).toEqual([-1, errors.UNSTABLE_OFFSET_COMMIT.code])
})

test('only members of the present generation commit', async () => {
  const harness = await Harness.started()
  expect(await commit(harness, 5, { generationId: 1, memberId: 'm' })).toBe(errors.ILLEGAL_GENERATION.code)
  const { memberIds, generationId } = await harness.stableGroup(1)
  const member = { memberId: memberIds[0]!, generationId }
  expect(await commit(harness, 5, member)).toBe(errors.NONE.code)
  expect(await commit(harness, 5, { ...member, generationId: generationId + 1 })).toBe(errors.ILLEGAL_GENERATION.code)
  expect(await commit(harness, 5, { ...member, memberId: 'stranger' })).toBe(errors.UNKNOWN_MEMBER_ID.code)
})
