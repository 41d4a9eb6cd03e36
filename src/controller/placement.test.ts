import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BrokerImage } from '../metadata/types.ts'
import { errorOfCode } from '../protocol/errors.ts'
import { createPartitions } from './change-topics.ts'
import { newTopics } from './controller.testkit.ts'
import { createTopics } from './create-topics.ts'
import { clusterOf, directoryOf } from './partitions.testkit.ts'
import { placePartitions } from './placement.ts'

type Broker = Partial<BrokerImage> & { readonly id: number }

function place(brokers: readonly Broker[], count: number, factor: number): number[][] {
  return placePartitions(clusterOf({ brokers, partitions: [] }), count, factor).map(({ replicas }) => [...replicas])
}

const countOf = (placed: readonly number[][], id: number, at?: number) =>
  placed.filter((replicas) => (at === undefined ? replicas.includes(id) : replicas[at] === id)).length

const inRacks = (...racks: (string | null)[]) => racks.map((rack, id): Broker => ({ id, rack }))

describe('placePartitions', () => {
  test('spreads leaders and replicas evenly over brokers without racks', () => {
    const placed = place(inRacks(null, null, null, null), 400, 2)
    for (const id of [0, 1, 2, 3]) {
      expect(countOf(placed, id, 0)).toBe(100)
      expect(countOf(placed, id)).toBe(200)
    }
  })

  test('gives every partition a replica in each rack, and every rack as many leaders (KIP-36)', () => {
    const placed = place(inRacks('a', 'a', 'b', 'b', 'c', 'c'), 300, 3)
    for (const replicas of placed) expect(new Set(replicas.map((id) => Math.floor(id / 2))).size).toBe(3)
    for (const id of [0, 1, 2, 3, 4, 5]) {
      expect(Math.abs(countOf(placed, id, 0) - 50)).toBeLessThanOrEqual(3)
      expect(Math.abs(countOf(placed, id) - 150)).toBeLessThanOrEqual(3)
    }
  })

  test('lets no fenced broker lead, and takes one only where too few others are left', () => {
    const brokers = [{ id: 1 }, { id: 2, fenced: true }, { id: 3 }]
    for (const replicas of place(brokers, 20, 2)) expect([...replicas].sort()).toEqual([1, 3])
    const three = place(brokers, 20, 3)
    for (const replicas of three) expect(replicas[2]).toBe(2)
    expect(placePartitions(clusterOf({ brokers, partitions: [] }), 1, 3)[0]!.isr).not.toContain(2)
  })

  test('passes over brokers all of whose directories are cordoned (KIP-1066)', () => {
    const brokers = [{ id: 1 }, { id: 2, cordonedDirectories: [directoryOf(2)] }, { id: 3 }]
    for (const replicas of place(brokers, 20, 2)) expect(replicas).not.toContain(2)
    expect(() => place(brokers, 1, 3)).toThrow('because only 2 broker(s) are registered or some brokers have all')
  })

  test('passes over a broker that shuts down, but not one that has gone and may come back', () => {
    const going = [{ id: 1 }, { id: 2, inControlledShutdown: true }, { id: 3 }]
    for (const replicas of place(going, 20, 2)) expect(replicas).not.toContain(2)
    expect(() => place(going, 1, 3)).toThrow('because only 2 broker(s) are registered')
    const gone = [{ id: 1 }, { id: 2, inControlledShutdown: true, fenced: true }]
    for (const replicas of place(gone, 20, 2)) expect(replicas).toEqual([1, 2])
  })

  test('needs a broker that lives, and as many as there shall be replicas', () => {
    expect(() => place([{ id: 1, fenced: true }], 1, 1)).toThrow('All brokers are currently fenced')
    expect(() => place([{ id: 1 }], 1, 2)).toThrow('because only 1 broker(s) are registered')
  })

  test('names brokers once, those that live first in line, whatever the racks', () => {
    const racks = fc.option(fc.constantFrom('a', 'b', 'c'))
    const brokers = fc.array(fc.record({ rack: racks, fenced: fc.boolean() }), { minLength: 1, maxLength: 9 })
    fc.assert(
      fc.property(brokers, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 30 }), (drawn, asked, count) => {
        const all = drawn.map((broker, id) => ({ ...broker, id, fenced: broker.fenced && id > 0 }))
        const factor = Math.min(asked, all.length)
        const perRack = new Set(all.filter(({ fenced }) => !fenced).map(({ rack }) => rack)).size
        for (const replicas of place(all, count, factor)) {
          expect(new Set(replicas).size).toBe(factor)
          expect(all[replicas[0]!]!.fenced).toBe(false)
          const racksTaken = new Set(replicas.map((id) => all[id]!.rack)).size
          expect(racksTaken).toBeGreaterThanOrEqual(Math.min(perRack, factor))
        }
      }),
    )
  })
})

describe('topics on several brokers', () => {
  const brokers = [{ id: 1 }, { id: 2, fenced: true }, { id: 3, inControlledShutdown: true }]

  function create(assignments: readonly (readonly number[])[]) {
    const context = clusterOf({ brokers, partitions: [] })
    const topic = {
      name: 'u',
      assignments: assignments.map((ids, at) => ({ partitionIndex: at, brokerIds: [...ids] })),
    }
    const { records, response } = createTopics(context, newTopics(topic))
    for (const record of records) context.head.replay(record)
    const [{ errorCode, errorMessage }] = response.topics as [(typeof response.topics)[0]]
    return { context, error: errorOfCode(errorCode).name, errorMessage }
  }

  test('are in sync where brokers live, and led by the first of these', () => {
    const { context } = create([[2, 3, 1]])
    expect(context.head.topics.partition('u', 0)).toMatchObject({ replicas: [2, 3, 1], isr: [1], leader: 1 })
    expect(context.head.topics.partition('u', 0)!.directories).toEqual([2, 3, 1].map(directoryOf))
  })

  test('are refused where nobody in an assignment lives', () => {
    const { error, errorMessage } = create([[1], [2]])
    expect(error).toBe('INVALID_REPLICA_ASSIGNMENT')
    expect(errorMessage).toContain('for partition 1 are fenced or in controlled shutdown')
  })

  test('get more partitions with as many replicas as they have', () => {
    const { context } = create([[1, 2]])
    const more = (assignments: number[][] | null) => {
      const topics = [{ name: 'u', count: 2, assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null }]
      return createPartitions(context, { topics, timeoutMs: 0, validateOnly: false })
    }
    expect(errorOfCode(more([[1]]).response.results[0]!.errorCode).name).toBe('INVALID_REPLICA_ASSIGNMENT')
    const { records } = more(null)
    for (const record of records) context.head.replay(record)
    const { replicas, leader, isr } = context.head.topics.partition('u', 1)!
    expect(replicas).toHaveLength(2)
    expect({ leader, isr }).toEqual({ leader: 1, isr: [1] })
  })
})
