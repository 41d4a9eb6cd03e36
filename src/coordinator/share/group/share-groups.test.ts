import { expect, test } from 'vitest'
import { errors } from '../../../protocol/errors.ts'
import { CoordinatorError } from '../../coordinator-error.ts'
import { NO_PARTITIONS } from '../../modern/assignment.ts'
import type { AssignableMember } from '../../modern/target-assignment.ts'
import { simpleAssignor } from './simple-assignor.ts'
import { validateShareHeartbeat } from './validate.ts'

const TOPIC = 'kZ2nDsw0T_qn3bZd9sSSAA'
const OTHER = 'kZ2nDsw0T_qn3bZd9sSSAQ'

function members(count: number, topics: readonly string[] = [TOPIC]): Map<string, AssignableMember> {
  return new Map(
    Array.from({ length: count }, (_, i) => [
      `m${i}`,
      { instanceId: null, rackId: null, topicIds: new Set(topics), assignment: NO_PARTITIONS },
    ]),
  )
}

function assign(
  group: Map<string, AssignableMember>,
  partitions: number,
  isHomogeneous = true,
  assignable = partitions,
) {
  return simpleAssignor((_, partition) => partition < assignable).assign({
    members: group,
    isHomogeneous,
    partitionCount: () => partitions,
  })
}

function counts(assigned: ReturnType<typeof assign>): number[] {
  return Array.from(assigned.values(), (topics) => [...topics.values()].reduce((sum, { size }) => sum + size, 0))
}

test.each([
  { members: 1, partitions: 4, each: [4] },
  { members: 2, partitions: 4, each: [2, 2] },
  { members: 3, partitions: 4, each: [2, 1, 1] },
  { members: 4, partitions: 2, each: [1, 1, 1, 1] },
  { members: 5, partitions: 2, each: [2, 1, 1, 1, 1] },
])(
  'the simple assignor: $members members share $partitions partitions (KIP-932)',
  ({ members: count, partitions, each }) => {
    const assigned = assign(members(count), partitions)
    expect(counts(assigned).sort((a, b) => b - a)).toEqual(each)
    const covered = new Set([...assigned.values()].flatMap((topics) => [...(topics.get(TOPIC) ?? [])]))
    expect(covered.size).toBe(partitions)
  },
)

test('only partitions that have share state are assigned', () => {
  expect(counts(assign(members(1), 4, true, 2))).toEqual([2])
})

test('members of different subscriptions get partitions of their own topics only', () => {
  const group = new Map([...members(1, [TOPIC]), ['other', members(1, [OTHER]).get('m0')!]])
  const assigned = assign(group, 2, false)
  expect([...assigned.get('m0')!.keys()]).toEqual([TOPIC])
  expect([...assigned.get('other')!.keys()]).toEqual([OTHER])
})

test('a member keeps what it has when another one comes, as far as that is even', () => {
  const first = assign(members(1), 4)
  const group = members(2)
  group.set('m0', { ...group.get('m0')!, assignment: first.get('m0')! })
  const second = assign(group, 4)
  expect(counts(second)).toEqual([2, 2])
  for (const partition of second.get('m0')!.get(TOPIC)!) expect(first.get('m0')!.get(TOPIC)).toContain(partition)
  expect(assign(new Map([...group].map(([id, one]) => [id, { ...one, assignment: second.get(id)! }])), 4)).toEqual(
    second,
  )
})

test('heartbeats that cannot be are refused without looking at the group', () => {
  const good = { groupId: 'g', memberId: 'm', memberEpoch: 0, rackId: null, subscribedTopicNames: ['t'] }
  validateShareHeartbeat(good)
  for (const bad of [
    { groupId: '' },
    { memberId: '' },
    { rackId: '' },
    { subscribedTopicNames: null },
    { subscribedTopicNames: [] },
    { memberEpoch: -2 },
  ]) {
    expect(() => validateShareHeartbeat({ ...good, ...bad })).toThrow(CoordinatorError)
    expect(() => validateShareHeartbeat({ ...good, ...bad })).toThrow(
      expect.objectContaining({ error: errors.INVALID_REQUEST }),
    )
  }
})
