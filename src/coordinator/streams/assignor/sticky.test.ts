import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stickyTaskAssignor } from './sticky.ts'
import type { AssignableStreamsGroup, TaskAssignment, Tasks } from './types.ts'

type Subtopologies = AssignableStreamsGroup['subtopologies']

/** By member, the process that it is in. */
type Processes = ReadonlyMap<string, string>

type Assignments = ReadonlyMap<string, TaskAssignment>

const NOTHING: TaskAssignment = { active: new Map(), standby: new Map(), warmup: new Map() }

function subtopologiesOf(...parts: readonly (readonly [taskCount: number, isStateful: boolean])[]): Subtopologies {
  return new Map(parts.map(([taskCount, isStateful], i) => [String(i), { taskCount, isStateful }]))
}

function assign(
  processes: Processes,
  subtopologies: Subtopologies,
  standbyReplicas = 0,
  before: Assignments = new Map(),
): Assignments {
  const members = new Map(
    Array.from(processes, ([id, processId]) => [id, { processId, target: before.get(id) ?? NOTHING }]),
  )
  return stickyTaskAssignor.assign({ members, subtopologies, standbyReplicas })
}

/** `m0`, `m1`... one in each process. */
function singles(count: number): Map<string, string> {
  return new Map(Array.from({ length: count }, (_, i) => [`m${i}`, `p${i}`]))
}

function namesOf(tasks: Tasks): string[] {
  return [...tasks].flatMap(([id, partitions]) => Array.from(partitions, (partition) => `${id}_${partition}`))
}

/** By task, who has it. */
function owners(assignments: Assignments, kind: keyof TaskAssignment): Map<string, string[]> {
  const byTask = new Map<string, string[]>()
  for (const [id, assignment] of assignments) {
    for (const task of namesOf(assignment[kind])) byTask.set(task, [...(byTask.get(task) ?? []), id])
  }
  return byTask
}

function tasksOf(subtopologies: Subtopologies, onlyStateful = false): string[] {
  return [...subtopologies].flatMap(([id, { taskCount, isStateful }]) =>
    isStateful || !onlyStateful ? Array.from({ length: taskCount }, (_, partition) => `${id}_${partition}`) : [],
  )
}

/** Assertions are few, for they cost more than what they look at. */
function expectValid(
  assignments: Assignments,
  processes: Processes,
  subtopologies: Subtopologies,
  standbyReplicas: number,
): void {
  expect([...assignments.keys()].sort()).toEqual([...processes.keys()].sort())
  const active = owners(assignments, 'active')
  expect([...active.keys()].sort()).toEqual(tasksOf(subtopologies).sort())
  expect([...active].filter(([, ids]) => ids.length !== 1)).toEqual([])
  const standby = owners(assignments, 'standby')
  const processCount = new Set(processes.values()).size
  const replicas = Math.min(standbyReplicas, processCount - 1)
  expect([...standby.keys()].sort()).toEqual(replicas > 0 ? tasksOf(subtopologies, true).sort() : [])
  expect([...standby].filter(([, ids]) => ids.length !== replicas)).toEqual([])
  const together = [...standby].filter(([task, ids]) => {
    const where = [...ids, ...active.get(task)!].map((id) => processes.get(id))
    return new Set(where).size < where.length
  })
  expect(together).toEqual([])
  expect([...assignments.values()].filter(({ warmup }) => warmup.size > 0)).toEqual([])
}

function loads(assignments: Assignments, ...kinds: (keyof TaskAssignment)[]): number[] {
  return Array.from(assignments.values(), (assignment) =>
    kinds.reduce((sum, kind) => sum + namesOf(assignment[kind]).length, 0),
  )
}

function spread(numbers: readonly number[]): number {
  return Math.max(...numbers) - Math.min(...numbers)
}

describe('active tasks', () => {
  test('are spread over members, in ranges at first', () => {
    const assignments = assign(singles(2), subtopologiesOf([2, false], [2, false]))
    expect(Array.from(assignments.values(), ({ active }) => namesOf(active))).toEqual([
      ['0_0', '1_0'],
      ['0_1', '1_1'],
    ])
  })

  test('stay where they are, and only so many move as somebody new needs', () => {
    const subtopologies = subtopologiesOf([6, true])
    const before = assign(singles(2), subtopologies)
    expect(assign(singles(2), subtopologies, 0, before)).toEqual(before)
    const after = assign(singles(3), subtopologies, 0, before)
    expect(loads(after, 'active')).toEqual([2, 2, 2])
    for (const id of ['m0', 'm1']) {
      expect(namesOf(before.get(id)!.active)).toEqual(expect.arrayContaining(namesOf(after.get(id)!.active)))
    }
  })

  test('go where a standby was when their member has gone', () => {
    const subtopologies = subtopologiesOf([3, true])
    const before = assign(singles(3), subtopologies, 1)
    const lost = namesOf(before.get('m0')!.active)
    const heir = owners(before, 'standby').get(lost[0]!)![0]!
    const processes = singles(3)
    processes.delete('m0')
    const after = assign(processes, subtopologies, 1, before)
    expect(owners(after, 'active').get(lost[0]!)).toEqual([heir])
  })

  test('are shared by members, not by processes', () => {
    const processes = new Map([
      ['a', 'big'],
      ['b', 'big'],
      ['c', 'small'],
    ])
    expect(loads(assign(processes, subtopologiesOf([9, false])), 'active')).toEqual([3, 3, 3])
  })

  test('that there are no more are forgotten', () => {
    const before = assign(singles(2), subtopologiesOf([4, false], [4, false]))
    const subtopologies = subtopologiesOf([2, false])
    expectValid(assign(singles(2), subtopologies, 0, before), singles(2), subtopologies, 0)
  })
})

describe('standby tasks', () => {
  test('are for tasks with stores, and never where the task or another standby is', () => {
    const processes = new Map([
      ['a', 'one'],
      ['b', 'one'],
      ['c', 'two'],
    ])
    const subtopologies = subtopologiesOf([2, false], [2, true])
    for (const replicas of [1, 2, 5]) {
      expectValid(assign(processes, subtopologies, replicas), processes, subtopologies, replicas)
    }
    expect(loads(assign(singles(1), subtopologies, 1), 'standby')).toEqual([0])
  })

  test('stay where they are', () => {
    const subtopologies = subtopologiesOf([4, true], [3, true])
    const before = assign(singles(4), subtopologies, 1)
    expect(assign(singles(4), subtopologies, 1, before)).toEqual(before)
  })
})

test('nobody is there to have anything', () => {
  expect(assign(new Map(), subtopologiesOf([2, true]), 1)).toEqual(new Map())
})

describe('whatever comes and goes', () => {
  const anySubtopologies = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.boolean()), { minLength: 1, maxLength: 4 })
    .map((parts) => subtopologiesOf(...parts))
  const anyProcesses = fc
    .array(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 4 })), { minLength: 1, maxLength: 9 })
    .map((pairs) => new Map(pairs.map(([member, process]) => [`m${member}`, `p${process}`])))
  const replicas = fc.nat({ max: 2 })

  test('each task is active once and has its standbys elsewhere', () => {
    fc.assert(
      fc.property(
        anySubtopologies,
        fc.array(anyProcesses, { minLength: 1, maxLength: 4 }),
        replicas,
        (parts, all, n) => {
          let assignments: Assignments = new Map()
          for (const processes of all) {
            assignments = assign(processes, parts, n, assignments)
            expectValid(assignments, processes, parts, n)
          }
        },
      ),
      { seed: 1, numRuns: 100 },
    )
  })

  test('where each process has one member, active tasks differ by one at most', () => {
    fc.assert(
      fc.property(anySubtopologies, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (parts, sizes) => {
        let assignments: Assignments = new Map()
        for (const size of sizes) {
          assignments = assign(singles(size), parts, 0, assignments)
          expect(spread(loads(assignments, 'active'))).toBeLessThanOrEqual(1)
        }
      }),
      { seed: 1 },
    )
  })

  test('active tasks stay where nothing has changed', () => {
    fc.assert(
      fc.property(anySubtopologies, anyProcesses, replicas, (parts, processes, n) => {
        const before = assign(processes, parts, n)
        const after = assign(processes, parts, n, before)
        expect(owners(after, 'active')).toEqual(owners(before, 'active'))
      }),
      { seed: 1, numRuns: 100 },
    )
  })

  test('no task moves away from a member that stays when others leave', () => {
    fc.assert(
      fc.property(anySubtopologies, fc.integer({ min: 2, max: 9 }), fc.nat({ max: 8 }), (parts, size, gone) => {
        const processes = singles(size)
        const before = assign(processes, parts)
        processes.delete(`m${gone % size}`)
        const after = assign(processes, parts, 0, before)
        const now = owners(after, 'active')
        for (const [task, [id]] of owners(before, 'active')) {
          if (processes.has(id!)) expect(now.get(task), task).toEqual([id])
        }
      }),
      { seed: 1 },
    )
  })
})

test('ten thousand tasks with two standbys each for a thousand members of fifty processes', () => {
  const processes = new Map(Array.from({ length: 1000 }, (_, i) => [`m${i}`, `p${i % 50}`]))
  const subtopologies = subtopologiesOf([10_000, true])
  const before = assign(processes, subtopologies, 2)
  expectValid(before, processes, subtopologies, 2)
  for (let i = 0; i < 1000; i += 10) processes.delete(`m${i}`)
  expectValid(assign(processes, subtopologies, 2, before), processes, subtopologies, 2)
}, 60_000)
