import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Assignment } from '../assignment.ts'
import type { AssignableGroup, AssignableMember } from '../target-assignment.ts'
import { rangeAssignor } from './range.ts'
import { uniformAssignor } from './uniform.ts'

type Counts = readonly number[]

/** 22 characters, as the ids of topics have. */
function idOf(topic: number): string {
  return `t${topic}`.padEnd(22, 'A')
}

/** Topic `t0`, `t1`...; members by id, with the topics that each wants and what it was assigned before. */
function groupOf(
  counts: Counts,
  wants: ReadonlyMap<string, readonly number[]>,
  before: ReadonlyMap<string, Assignment> = new Map(),
): AssignableGroup {
  const members = new Map<string, AssignableMember>()
  for (const [id, topics] of wants) {
    const topicIds = new Set(topics.filter((topic) => topic < counts.length).map((topic) => idOf(topic)))
    members.set(id, { instanceId: null, rackId: null, topicIds, assignment: before.get(id) ?? new Map() })
  }
  const sets = [...members.values()].map(({ topicIds }) => [...topicIds].sort().join())
  return {
    members,
    isHomogeneous: new Set(sets).size <= 1,
    partitionCount: (topicId) => counts[Number(topicId[1])],
  }
}

function loads(assignments: ReadonlyMap<string, Assignment>): number[] {
  return Array.from(assignments.values(), (assignment) =>
    [...assignment.values()].reduce((sum, partitions) => sum + partitions.size, 0),
  )
}

/** Every partition that somebody wants has one owner, who wants it; nothing else has one. */
function expectValid(group: AssignableGroup, assignments: ReadonlyMap<string, Assignment>): void {
  const owners = new Map<string, string>()
  for (const [id, assignment] of assignments) {
    for (const [topicId, partitions] of assignment) {
      expect(group.members.get(id)!.topicIds.has(topicId)).toBe(true)
      expect(partitions.size).toBeGreaterThan(0)
      for (const partition of partitions) {
        const key = `${topicId}-${partition}`
        expect(owners.get(key)).toBeUndefined()
        owners.set(key, id)
      }
    }
  }
  const wanted = new Set([...group.members.values()].flatMap(({ topicIds }) => [...topicIds]))
  const total = [...wanted].reduce((sum, topicId) => sum + group.partitionCount(topicId)!, 0)
  expect(owners.size).toBe(total)
}

const counts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 })
const someWants = fc.array(fc.uniqueArray(fc.nat({ max: 3 }), { maxLength: 4 }), { minLength: 1, maxLength: 6 })
const sameWants = fc
  .tuple(fc.uniqueArray(fc.nat({ max: 3 }), { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 7 }))
  .map(([topics, members]) => Array.from({ length: members }, () => topics))

function asMap(wants: readonly (readonly number[])[]): Map<string, readonly number[]> {
  return new Map(wants.map((topics, i) => [`m${i}`, topics]))
}

describe.each([uniformAssignor, rangeAssignor])('$name', (assignor) => {
  test('whatever members want, each partition has one owner who wants it', () => {
    fc.assert(
      fc.property(counts, someWants, (partitions, wants) => {
        const group = groupOf(partitions, asMap(wants))
        expectValid(group, assignor.assign(group))
      }),
      { seed: 1 },
    )
  })

  test('also after members have come and gone and topics have grown', () => {
    fc.assert(
      fc.property(counts, someWants, someWants, fc.nat({ max: 3 }), (partitions, first, second, growth) => {
        const before = assignor.assign(groupOf(partitions, asMap(first)))
        const grown = partitions.map((count) => count + growth)
        const group = groupOf(grown, asMap(second), before)
        expectValid(group, assignor.assign(group))
      }),
      { seed: 1 },
    )
  })
})

describe('uniform', () => {
  test('where all want the same, loads differ by one at most and nothing moves that need not', () => {
    fc.assert(
      fc.property(counts, sameWants, fc.nat({ max: 7 }), fc.nat({ max: 3 }), (partitions, wants, leaving, joining) => {
        const group = groupOf(partitions, asMap(wants))
        const before = uniformAssignor.assign(group)
        const sizes = loads(before)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        const again = groupOf(partitions, asMap(wants), before)
        expect(uniformAssignor.assign(again)).toEqual(before)
        const members = asMap(wants)
        members.delete(`m${leaving}`)
        for (let i = 0; i < joining; i++) members.set(`n${i}`, wants[0]!)
        if (members.size === 0) return
        const changed = groupOf(partitions, members, before)
        const after = uniformAssignor.assign(changed)
        expectValid(changed, after)
        const later = loads(after)
        expect(Math.max(...later) - Math.min(...later)).toBeLessThanOrEqual(1)
        expectFewMoves(before, after)
      }),
      { seed: 1 },
    )
  })

  test('where members want different things, no single move makes it more equal', () => {
    fc.assert(
      fc.property(counts, someWants, someWants, (partitions, first, second) => {
        const before = uniformAssignor.assign(groupOf(partitions, asMap(first)))
        const group = { ...groupOf(partitions, asMap(second), before), isHomogeneous: false }
        const after = uniformAssignor.assign(group)
        expectValid(group, after)
        const sizes = new Map([...after.keys()].map((id, i) => [id, loads(after)[i]!]))
        for (const [from, assignment] of after) {
          for (const topicId of assignment.keys()) {
            for (const [to, { topicIds }] of group.members) {
              if (topicIds.has(topicId)) expect(sizes.get(from)! - sizes.get(to)!).toBeLessThanOrEqual(1)
            }
          }
        }
        expect(uniformAssignor.assign({ ...group, members: withAssignments(group, after) })).toEqual(after)
      }),
      { seed: 1 },
    )
  })
})

test('uniform: what nobody has goes first, then what members give up, to members as they come', () => {
  const topic = idOf(0)
  const topicIds = new Set([topic])
  const member = (...partitions: number[]): AssignableMember => ({
    instanceId: null,
    rackId: null,
    topicIds,
    assignment: partitions.length === 0 ? new Map() : new Map([[topic, new Set(partitions)]]),
  })
  const members = new Map([
    ['new', member()],
    ['rich', member(3, 2, 1, 0)],
    ['poor', member(4)],
  ])
  const assigned = uniformAssignor.assign({ members, isHomogeneous: true, partitionCount: () => 6 })
  const of = (id: string) => [...assigned.get(id)!.get(topic)!].sort()
  expect([of('new'), of('rich'), of('poor')]).toEqual([
    [2, 5],
    [0, 1],
    [3, 4],
  ])
})

/** Who stays gives up only what is above the smallest share that anybody has. */
function expectFewMoves(before: ReadonlyMap<string, Assignment>, after: ReadonlyMap<string, Assignment>): void {
  const largest = Math.max(...loads(after))
  const smallest = Math.min(...loads(after))
  for (const [id, assignment] of after) {
    const old = before.get(id)
    if (old === undefined) continue
    const kept = [...old].flatMap(([topicId, partitions]) =>
      [...partitions].filter((partition) => assignment.get(topicId)?.has(partition)),
    )
    const had = loads(new Map([[id, old]]))[0]!
    expect(kept.length).toBeGreaterThanOrEqual(Math.min(had, smallest))
    expect(kept.length).toBeLessThanOrEqual(largest)
  }
}

function withAssignments(group: AssignableGroup, assignments: ReadonlyMap<string, Assignment>) {
  return new Map(Array.from(group.members, ([id, member]) => [id, { ...member, assignment: assignments.get(id)! }]))
}

test('range: partitions of one number stay together, static members keep their place', () => {
  const members = new Map<string, AssignableMember>()
  const topicIds = new Set(['t0', 't1'])
  for (const [id, instanceId] of [
    ['x', null],
    ['c', 'i1'],
    ['a', null],
    ['b', 'i2'],
  ] as const) {
    members.set(id, { instanceId, rackId: null, topicIds, assignment: new Map() })
  }
  const group = { members, isHomogeneous: true, partitionCount: () => 6 }
  const assigned = rangeAssignor.assign(group)
  const of = (id: string) => Array.from(assigned.get(id)!.values(), (partitions) => [...partitions])
  expect([of('c'), of('b'), of('a'), of('x')]).toEqual([
    [
      [0, 1],
      [0, 1],
    ],
    [
      [2, 3],
      [2, 3],
    ],
    [[4], [4]],
    [[5], [5]],
  ])
})
