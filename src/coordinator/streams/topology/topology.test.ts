import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CoordinatorError } from '../../coordinator-error.ts'
import { configureTopology } from './configure.ts'
import { describeTopology } from './describe.ts'
import { partitionsOfTasks } from './endpoint-partitions.ts'
import { readersOf, requiredTopics, sameTopology } from './streams-topology.ts'
import { internal, subtopology, topicsOf, topologyOf } from './topology.testkit.ts'
import type { ConfiguredTopology, StreamsTopology, Subtopology } from './types.ts'

/** Reads `words`, writes a repartition topic; counts what comes from there (KIP-1071's example in small). */
const wordCount = topologyOf(
  subtopology('0', { sourceTopics: ['words'], repartitionSinkTopics: ['by-word'] }),
  subtopology('1', {
    repartitionSourceTopics: [internal('by-word')],
    stateChangelogTopics: [internal('counts', 0, { 'cleanup.policy': 'compact', 'segment.bytes': '1000' })],
  }),
)

function counts(configured: ConfiguredTopology): Record<string, number> {
  return Object.fromEntries(
    [...configured.subtopologies.values()].flatMap(({ repartitionSourceTopics, stateChangelogTopics }) =>
      [...repartitionSourceTopics.values(), ...stateChangelogTopics.values()].map((topic) => [
        topic.name,
        topic.partitionCount,
      ]),
    ),
  )
}

function refusal(topology: StreamsTopology, topics: Record<string, number>): [error: string, message: string] {
  try {
    configureTopology(topology, topicsOf(topics))
  } catch (reason) {
    if (reason instanceof CoordinatorError) return [reason.error.name, reason.message]
    throw reason
  }
  throw new Error('it was accepted')
}

describe('internal topics', () => {
  test('get as many partitions as what they are made from, and are missing until they are there', () => {
    const configured = configureTopology(wordCount, topicsOf({ words: 4 }))
    expect(configured.epoch).toBe(3)
    expect([...configured.subtopologies.keys()]).toEqual(['0', '1'])
    expect([...configured.subtopologies.values()].map(({ taskCount }) => taskCount)).toEqual([4, 4])
    expect([...configured.subtopologies.values()].map(({ isStateful }) => isStateful)).toEqual([false, true])
    expect(configured.problem).toEqual({
      statusCode: 3,
      statusDetail: 'Internal topics are missing: counts, by-word',
    })
    expect(configured.internalTopicsToCreate).toEqual([
      {
        name: 'counts',
        partitionCount: 4,
        replicationFactor: null,
        configs: new Map([
          ['segment.bytes', '1000'],
          ['cleanup.policy', 'compact'],
        ]),
      },
      { name: 'by-word', partitionCount: 4, replicationFactor: null, configs: new Map() },
    ])
    const ready = configureTopology(wordCount, topicsOf({ words: 4, 'by-word': 4, counts: 4 }))
    expect(ready.problem).toBeNull()
    expect(ready.internalTopicsToCreate).toEqual([])
    expect(ready.subtopologies).toEqual(configured.subtopologies)
  })

  test('have the number of partitions and the replication factor that the topology gives them', () => {
    const topology = topologyOf(
      subtopology('0', { sourceTopics: ['a'], repartitionSinkTopics: ['r'] }),
      subtopology('1', { repartitionSourceTopics: [{ ...internal('r', 7), replicationFactor: 2 }] }),
    )
    const { internalTopicsToCreate, subtopologies } = configureTopology(topology, topicsOf({ a: 4 }))
    expect(internalTopicsToCreate).toEqual([{ name: 'r', partitionCount: 7, replicationFactor: 2, configs: new Map() }])
    expect(subtopologies.get('1')!.taskCount).toBe(7)
  })

  test('that are there with another number of partitions are not touched', () => {
    const { problem, subtopologies } = configureTopology(wordCount, topicsOf({ words: 4, 'by-word': 4, counts: 3 }))
    expect(problem).toEqual({
      statusCode: 2,
      statusDetail: 'Existing topic counts has different number of partitions: expected 4, found 3',
    })
    expect(subtopologies.size).toBe(0)
  })

  test('take the most of all sources known when the walk over subtopologies comes by', () => {
    const chain = topologyOf(
      subtopology('2', { repartitionSourceTopics: [internal('r1')], repartitionSinkTopics: ['r2'] }),
      subtopology('1', {
        sourceTopics: ['b'],
        repartitionSourceTopics: [internal('r0')],
        repartitionSinkTopics: ['r1'],
      }),
      subtopology('0', { repartitionSourceTopics: [internal('r3')], repartitionSinkTopics: ['r0'] }),
      subtopology('3', { sourceTopics: ['a'], repartitionSinkTopics: ['r3'] }),
      subtopology('4', { repartitionSourceTopics: [internal('r2')] }),
    )
    // Subtopology 0 cannot be told at first; by the time it can, 1 has been, from `b` alone.
    const configured = configureTopology(chain, topicsOf({ a: 9, b: 2 }))
    expect(counts(configured)).toEqual({ r0: 9, r1: 2, r2: 2, r3: 9 })
    expect(Array.from(configured.subtopologies.values(), ({ taskCount }) => taskCount)).toEqual([9, 9, 2, 9, 2])
  })
})

describe('sources', () => {
  test('that do not exist are named, the first three of them', () => {
    const topology = topologyOf(
      subtopology('0', { sourceTopics: ['e', 'd', 'a'] }),
      subtopology('1', { sourceTopics: ['c', 'b', 'a'] }),
    )
    expect(configureTopology(topology, topicsOf({ b: 1 })).problem).toEqual({
      statusCode: 1,
      statusDetail: 'Source topics a, c, d and 1 additional topics are missing.',
    })
  })

  test('that are read together must be partitioned alike', () => {
    const topology = topologyOf(
      subtopology('0', {
        sourceTopics: ['b', 'a', 'c'],
        copartitionGroups: [{ sourceTopics: [0, 1], sourceTopicRegex: [], repartitionSourceTopics: [] }],
      }),
    )
    expect(configureTopology(topology, topicsOf({ a: 2, b: 2, c: 3 })).subtopologies.get('0')!.taskCount).toBe(3)
    expect(configureTopology(topology, topicsOf({ a: 1, b: 2, c: 2 })).problem).toEqual({
      statusCode: 2,
      statusDetail: 'Following topics do not have the same number of partitions: [{a=1, b=2}]',
    })
  })
})

describe('repartition topics that are read together with others', () => {
  const joined = (partitions: readonly [number, number], sourceTopics: string[] = []) =>
    topologyOf(
      subtopology('0', { sourceTopics: ['a'], repartitionSinkTopics: ['ra'] }),
      subtopology('1', { sourceTopics: ['b'], repartitionSinkTopics: ['rb'] }),
      subtopology('2', {
        sourceTopics,
        repartitionSourceTopics: [internal('ra', partitions[0]), internal('rb', partitions[1])],
        copartitionGroups: [
          { sourceTopics: [...sourceTopics.keys()], sourceTopicRegex: [], repartitionSourceTopics: [0, 1] },
        ],
      }),
    )

  test('get the most of all', () => {
    expect(counts(configureTopology(joined([0, 0]), topicsOf({ a: 2, b: 5 })))).toEqual({ ra: 5, rb: 5 })
  })

  test('get what is fixed for one of them', () => {
    expect(counts(configureTopology(joined([3, 0]), topicsOf({ a: 2, b: 5 })))).toEqual({ ra: 3, rb: 3 })
    expect(configureTopology(joined([3, 4]), topicsOf({ a: 2, b: 5 })).problem).toEqual({
      statusCode: 2,
      statusDetail: 'Following topics do not have the same number of partitions: [{ra=3, rb=4}]',
    })
  })

  test('get what the sources have', () => {
    expect(counts(configureTopology(joined([0, 0], ['c']), topicsOf({ a: 2, b: 5, c: 3 })))).toEqual({ ra: 3, rb: 3 })
    expect(configureTopology(joined([0, 4], ['c']), topicsOf({ a: 2, b: 5, c: 3 })).problem).toEqual({
      statusCode: 2,
      statusDetail:
        "Number of partitions [4] of repartition topic [rb] doesn't match number of partitions [3] of the source topic.",
    })
  })
})

describe('no topics would do for', () => {
  const loops =
    'Failed to compute number of partitions for all repartition topics. ' +
    'There may be loops in the topology that cannot be resolved.'

  test('a cycle that nothing comes into', () => {
    const topology = topologyOf(
      subtopology('0', { repartitionSourceTopics: [internal('r1')], repartitionSinkTopics: ['r0'] }),
      subtopology('1', { repartitionSourceTopics: [internal('r0')], repartitionSinkTopics: ['r1'] }),
    )
    expect(refusal(topology, {})).toEqual(['STREAMS_INVALID_TOPOLOGY', loops])
    const self = subtopology('0', { repartitionSourceTopics: [internal('r')], repartitionSinkTopics: ['r'] })
    expect(refusal(topologyOf(self), {})).toEqual(['STREAMS_INVALID_TOPOLOGY', loops])
  })

  test('a cycle is no harm where something comes into it', () => {
    const topology = topologyOf(
      subtopology('0', { sourceTopics: ['a'], repartitionSourceTopics: [internal('r')], repartitionSinkTopics: ['r'] }),
    )
    expect(counts(configureTopology(topology, topicsOf({ a: 6 })))).toEqual({ r: 6 })
  })

  test('a repartition topic that nobody writes', () => {
    const topology = topologyOf(subtopology('0', { repartitionSourceTopics: [internal('r')] }))
    expect(refusal(topology, {})).toEqual([
      'STREAMS_INVALID_TOPOLOGY',
      'Failed to compute number of partitions for all repartition topics, because ' +
        'a repartition source topic is never used as a sink topic.',
    ])
  })

  test('a subtopology without sources', () => {
    const topology = topologyOf(subtopology('x', { stateChangelogTopics: [internal('c')] }))
    expect(refusal(topology, {})).toEqual(['STREAMS_INVALID_TOPOLOGY', 'No source topics found for subtopology x'])
  })

  test('a topic whose name is none', () => {
    const topology = topologyOf(subtopology('0', { sourceTopics: ['a'], stateChangelogTopics: [internal('..')] }))
    expect(refusal(topology, { a: 1 })).toEqual([
      'INVALID_TOPIC_EXCEPTION',
      "Topic name is invalid: '..' is not allowed",
    ])
  })

  test.each([
    ['two subtopologies of one id', [subtopology('0', { sourceTopics: ['a'] }), subtopology('0')]],
    [
      'a group of topics that the subtopology does not have',
      [
        subtopology('0', {
          sourceTopics: ['a'],
          copartitionGroups: [{ sourceTopics: [1], sourceTopicRegex: [], repartitionSourceTopics: [] }],
        }),
      ],
    ],
    [
      'such a group, also where sources are missing',
      [
        subtopology('0', {
          sourceTopics: ['z'],
          copartitionGroups: [{ sourceTopics: [], sourceTopicRegex: [], repartitionSourceTopics: [-1] }],
        }),
      ],
    ],
    ['a negative number of partitions', [subtopology('0', { repartitionSourceTopics: [internal('r', -1)] })]],
    [
      'one topic twice',
      [subtopology('0', { sourceTopics: ['a'], stateChangelogTopics: [internal('c'), internal('c')] })],
    ],
    [
      'one setting twice',
      [
        subtopology('0', {
          sourceTopics: ['a'],
          stateChangelogTopics: [
            {
              ...internal('c'),
              topicConfigs: [
                { key: 'k', value: '1' },
                { key: 'k', value: '2' },
              ],
            },
          ],
        }),
      ],
    ],
    [
      'more tasks than could be written down',
      Array.from({ length: 101 }, (_, i) => subtopology(String(i), { sourceTopics: ['huge'] })),
    ],
  ])('%s', (_, subtopologies: Subtopology[]) => {
    expect(refusal(topologyOf(...subtopologies), { a: 1, huge: 10_000 })[0]).toBe('UNKNOWN_SERVER_ERROR')
  })
})

test('a text of a client is told only as far as it fits a response', () => {
  const name = 'a'.repeat(30_000)
  const topology = topologyOf(subtopology('0', { sourceTopics: [name] }))
  expect(configureTopology(topology, topicsOf({})).problem!.statusDetail).toHaveLength(8003)
})

describe('whatever the topology', () => {
  const names = fc.subarray(['a', 'b', 'r0', 'r1', 'r2', 'r3', 'r4'])
  const anySubtopology = fc.record({
    sourceTopics: fc.subarray(['a', 'b']),
    repartitionSinkTopics: fc.subarray(['r0', 'r1', 'r2', 'r3', 'r4']),
    repartitionSourceTopics: fc.subarray([internal('r0'), internal('r1', 3), internal('r2'), internal('r3')]),
    stateChangelogTopics: fc.subarray([internal('c0'), internal('c1')]),
  })
  const anyTopology = fc
    .array(anySubtopology, { minLength: 1, maxLength: 6 })
    .map((parts) => topologyOf(...parts.map((part, i) => subtopology(String(i), part))))

  test('it settles, or says why not; what it settles holds together and is the same once the topics are there', () => {
    fc.assert(
      fc.property(anyTopology, names, (topology, existing) => {
        const topics = { a: 2, b: 4, ...Object.fromEntries(existing.map((name) => [name, 4])) }
        let configured: ConfiguredTopology
        try {
          configured = configureTopology(topology, topicsOf(topics))
        } catch (reason) {
          expect(reason).toBeInstanceOf(CoordinatorError)
          return
        }
        const isMisfit = configured.problem?.statusCode === 2
        expect(configured.subtopologies.size).toBe(isMisfit ? 0 : topology.subtopologies.length)
        if (isMisfit) return
        const created = Object.fromEntries(
          configured.internalTopicsToCreate.map(({ name, partitionCount }) => [name, partitionCount]),
        )
        for (const name of Object.keys(created)) expect(Object.keys(topics)).not.toContain(name)
        const all: Record<string, number> = { ...topics, ...created }
        for (const { id, taskCount, ...each } of configured.subtopologies.values()) {
          const sources = [...each.sourceTopics, ...each.repartitionSourceTopics.keys()].map((name) => all[name]!)
          expect(taskCount, id).toBe(Math.max(...sources))
        }
        if (sharesChangelogs(topology)) return
        expect(configureTopology(topology, topicsOf(all)).subtopologies).toEqual(configured.subtopologies)
      }),
      { seed: 1, numRuns: 300 },
    )
  })
})

/** Stores of one name in two subtopologies, which no application has: the last one decides. */
function sharesChangelogs({ subtopologies }: StreamsTopology): boolean {
  const names = subtopologies.flatMap(({ stateChangelogTopics }) => stateChangelogTopics.map(({ name }) => name))
  return new Set(names).size < names.length
}

test('a chain of ten thousand subtopologies that is told backwards costs no more than its length', () => {
  const length = 10_000
  const chain = Array.from({ length }, (_, i) =>
    subtopology(String(i), {
      repartitionSourceTopics: [internal(`r${i + 1}`)],
      repartitionSinkTopics: [`r${i}`],
    }),
  )
  const last = subtopology('last', { sourceTopics: ['a'], repartitionSinkTopics: [`r${length}`] })
  let lookups = 0
  const { byName } = topicsOf({ a: 100 })
  const topics = {
    byName: (name: string) => {
      lookups++
      return byName(name)
    },
  }
  const { subtopologies } = configureTopology(topologyOf(...chain, last), topics)
  expect(subtopologies.get('0')!.taskCount).toBe(100)
  expect(lookups).toBeLessThan(20 * length)
}, 60_000)

describe('a topology', () => {
  test('is about its sources and internal topics, but not about what it writes', () => {
    expect([...requiredTopics(wordCount)].sort()).toEqual(['by-word', 'counts', 'words'])
  })

  test('knows who reads a topic', () => {
    expect(Object.fromEntries(readersOf(wordCount))).toEqual({ words: '0', 'by-word': '1' })
  })

  test('is the same in whatever order its subtopologies come', () => {
    const turned = { ...wordCount, subtopologies: [...wordCount.subtopologies].reverse() }
    expect(sameTopology(wordCount, turned)).toBe(true)
    expect(sameTopology(wordCount, structuredClone(wordCount))).toBe(true)
    expect(sameTopology(wordCount, { ...wordCount, epoch: 4 })).toBe(false)
    const [first, second] = wordCount.subtopologies
    expect(sameTopology(wordCount, topologyOf(first!))).toBe(false)
    expect(sameTopology(wordCount, topologyOf(first!, { ...second!, repartitionSinkTopics: ['x'] }))).toBe(false)
  })

  test('is described as it was given until it is ready, then with the numbers found', () => {
    const missing = configureTopology(wordCount, topicsOf({ words: 4 }))
    const ready = configureTopology(wordCount, topicsOf({ words: 4, 'by-word': 4, counts: 4 }))
    for (const configured of [null, missing]) {
      expect(describeTopology(wordCount, configured)).toEqual({
        epoch: 3,
        subtopologies: wordCount.subtopologies.map(({ sourceTopicRegex, copartitionGroups, ...rest }) => rest),
      })
    }
    expect(describeTopology(wordCount, ready).subtopologies![1]).toEqual({
      subtopologyId: '1',
      sourceTopics: [],
      repartitionSinkTopics: [],
      repartitionSourceTopics: [internal('by-word', 4)],
      stateChangelogTopics: [
        {
          ...internal('counts', 4),
          topicConfigs: [
            { key: 'cleanup.policy', value: 'compact' },
            { key: 'segment.bytes', value: '1000' },
          ],
        },
      ],
    })
  })
})

test('the partitions of tasks are those of all sources that there are', () => {
  const topology = topologyOf(
    subtopology('0', { sourceTopics: ['a', 'b'], repartitionSourceTopics: [internal('r', 3)] }),
  )
  const topics = { a: 3, b: 1, r: 3 }
  const { subtopologies } = configureTopology(topology, topicsOf(topics))
  const tasks = new Map([
    ['0', new Set([2, 0])],
    ['gone', new Set([0])],
  ])
  expect(partitionsOfTasks(tasks, subtopologies, topicsOf(topics))).toEqual([
    { topic: 'a', partitions: [0, 2] },
    { topic: 'b', partitions: [0] },
    { topic: 'r', partitions: [0, 2] },
  ])
  expect(partitionsOfTasks(tasks, subtopologies, topicsOf({ r: 3 }))).toEqual([{ topic: 'r', partitions: [0, 2] }])
})
