import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { CoordinatorError } from '../../src/coordinator/coordinator-error.ts'
import { stickyTaskAssignor } from '../../src/coordinator/streams/assignor/sticky.ts'
import type { AssignableMember, TaskAssignment, Tasks } from '../../src/coordinator/streams/assignor/types.ts'
import { configureTopology } from '../../src/coordinator/streams/topology/configure.ts'
import { describeTopology } from '../../src/coordinator/streams/topology/describe.ts'
import { readersOf, requiredTopics } from '../../src/coordinator/streams/topology/streams-topology.ts'
import { internal, subtopology, topicsOf, topologyOf } from '../../src/coordinator/streams/topology/topology.testkit.ts'
import type { StreamsTopology, Subtopology } from '../../src/coordinator/streams/topology/types.ts'
import { compileJava } from '../harness/java.ts'
import { kafkaCoordinates } from '../harness/maven.ts'
import { jvmFlags } from '../harness/oracle.ts'
import { runOk } from '../harness/process.ts'

const SEED = 20_260_603
const TOPOLOGIES = 1000
const HISTORIES = 300
const GROUPS = 700

/** What Apache Kafka answers each. */
async function kafkaAnswers(inputs: readonly unknown[]): Promise<unknown[]> {
  const path = await compileJava('conformance/streams-assignor/StreamsGroups.java', kafkaCoordinates)
  const stdin = inputs.map((input) => `${JSON.stringify(input)}\n`).join('')
  const stdout = await runOk('java', [...jvmFlags, '-Xmx512m', '-cp', path, 'StreamsGroups'], { stdin })
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** By input; all are asked at once, for one JVM is enough. */
const kafkaAnswer = new Map<unknown, unknown>()

beforeAll(async () => {
  const inputs = [...topologyCases, ...chainCases, ...histories, ...oddGroups, ...largeGroups]
  const answers = await kafkaAnswers(inputs)
  expect(answers).toHaveLength(inputs.length)
  for (const [i, input] of inputs.entries()) kafkaAnswer.set(input, answers[i])
})

function expectSame<T>(inputs: readonly T[], answerOf: (input: T) => unknown): void {
  for (const input of inputs) {
    const [answer, expected] = [JSON.parse(JSON.stringify(answerOf(input))), kafkaAnswer.get(input)]
    if (!isDeepStrictEqual(answer, expected)) expect({ input, answer }).toEqual({ input, answer: expected })
  }
}

interface TopologyCase {
  readonly topology: StreamsTopology
  readonly topics: Record<string, number>
}

function configureAnswer({ topology, topics }: TopologyCase): unknown {
  try {
    const configured = configureTopology(topology, topicsOf(topics))
    return {
      epoch: configured.epoch,
      tasks: Array.from(configured.subtopologies.values(), ({ id, taskCount }) => ({ id, count: taskCount })),
      create: configured.internalTopicsToCreate.map(({ name, partitionCount, replicationFactor, configs }) => ({
        name,
        partitions: partitionCount,
        replicationFactor: replicationFactor ?? -1,
        configs: [...configs].flat(),
      })),
      problem: configured.problem,
      described: describeTopology(topology, configured),
      required: [...requiredTopics(topology)].sort(),
      readers: Object.fromEntries(readersOf(topology)),
    }
  } catch (reason) {
    if (!(reason instanceof CoordinatorError)) throw reason
    const { error, message } = reason
    return { error: error.name, message: message === error.message ? null : message }
  }
}

const sources = ['a', 'b', 'c', 'clicks', 'orders-by-customer']
const repartitioned = ['r0', 'r1', 'r2', 'app-KSTREAM-AGGREGATE-repartition', 'app-left-repartition', 'x', 'p']
const stores = ['s0', 's1', 'app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog']
const settings = ['cleanup.policy', 'segment.bytes', 'retention.ms', 'min.insync.replicas', 'max.message.bytes']

const topicConfigs = fc.uniqueArray(
  fc.record({ key: fc.constantFrom(...settings), value: fc.constantFrom('1', 'compact', '') }),
  { selector: ({ key }) => key, maxLength: 5 },
)
const rarely = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) })
const repartitionTopic = fc.record({
  name: fc.oneof(
    { weight: 60, arbitrary: fc.constantFrom(...repartitioned) },
    { weight: 1, arbitrary: fc.constantFrom('', '..', 'ä', 'a') },
  ),
  partitions: rarely(0, 1, 2, 4, 6, -1),
  replicationFactor: rarely(0, 1, 3, -1),
  topicConfigs,
})
const changelogTopic = fc.record({
  name: fc.constantFrom(...stores),
  partitions: rarely(0, 5),
  replicationFactor: rarely(0, 1),
  topicConfigs,
})
const distinct = <T extends { readonly name: string }>(topic: fc.Arbitrary<T>, maxLength: number) =>
  fc.oneof(
    { weight: 30, arbitrary: fc.uniqueArray(topic, { selector: ({ name }) => name, maxLength }) },
    { weight: 1, arbitrary: fc.array(topic, { maxLength }) },
  )
const index = rarely(0, 1, 2, -1)
const copartitionGroup = fc.record({
  sourceTopics: fc.array(index, { maxLength: 2 }),
  sourceTopicRegex: fc.constant<number[]>([]),
  repartitionSourceTopics: fc.array(index, { maxLength: 3 }),
})
const anySubtopology = fc
  .record({
    sourceTopics: fc.subarray(sources, { maxLength: 3 }),
    repartitionSinkTopics: fc.subarray(repartitioned, { maxLength: 4 }),
    repartitionSourceTopics: distinct(repartitionTopic, 3),
    stateChangelogTopics: distinct(changelogTopic, 2),
  })
  .chain((parts) => {
    // Groups of what there is, as a rule: an application has no others.
    const groups = fc.record({
      sourceTopics: fc.subarray([...parts.sourceTopics.keys()]),
      sourceTopicRegex: fc.constant<number[]>([]),
      repartitionSourceTopics: fc.subarray([...parts.repartitionSourceTopics.keys()]),
    })
    const copartitionGroups = fc.oneof(
      { weight: 30, arbitrary: fc.array(groups, { maxLength: 2 }) },
      { weight: 1, arbitrary: fc.array(copartitionGroup, { maxLength: 2 }) },
    )
    return copartitionGroups.map((all) => ({ ...parts, copartitionGroups: all }))
  })
const ids = fc.oneof(
  { weight: 40, arbitrary: fc.constant((i: number) => String(i)) },
  { weight: 10, arbitrary: fc.constant((i: number) => `sub-${i * 7}`) },
  { weight: 1, arbitrary: fc.constant((i: number) => String(i % 4)) },
)
type Parts = Omit<Subtopology, 'subtopologyId' | 'sourceTopicRegex'>

/** What is read is written by somebody, who has a source: the rule in applications, the exception among random ones. */
function completed(all: readonly Parts[]): Parts[] {
  const written = new Set(all.flatMap(({ repartitionSinkTopics }) => repartitionSinkTopics))
  const read = all.flatMap(({ repartitionSourceTopics }) => repartitionSourceTopics.map(({ name }) => name))
  const unwritten = read.filter((name) => !written.has(name))
  return all.map((parts, i) => ({
    ...parts,
    sourceTopics: i === 0 || parts.repartitionSourceTopics.length === 0 ? sources.slice(0, 3) : parts.sourceTopics,
    repartitionSinkTopics: [...parts.repartitionSinkTopics, ...(i === 0 ? unwritten : [])],
  }))
}

const anyTopology = fc
  .tuple(fc.array(anySubtopology, { minLength: 1, maxLength: 14 }), ids, rarely(true, false), fc.boolean())
  .map(([all, idOf, isComplete, isTurned]) => {
    const subtopologies = (isComplete ? completed(all) : all).map((parts, i) => subtopology(idOf(i), parts))
    return topologyOf(...(isTurned ? subtopologies.reverse() : subtopologies))
  })
const partitionCount = rarely(4, 1, 2, 6)
const anyTopics = fc
  .tuple(
    fc.array(partitionCount, { minLength: sources.length, maxLength: sources.length }),
    fc.array(fc.tuple(fc.constantFrom(...repartitioned, ...stores), partitionCount), { maxLength: 3 }),
    rarely(-1, 0, 1),
  )
  .map(([counts, others, missing]) => {
    const topics = Object.fromEntries([...sources.entries()].map(([i, name]) => [name, counts[i]!]))
    for (const [name, count] of others) topics[name] = count
    if (missing >= 0) delete topics[sources[missing]!]
    return topics
  })

/** A case, and the same once the topics that are missing have been made. */
function withTopicsMade(one: TopologyCase): TopologyCase[] {
  const answer = configureAnswer(one) as { create?: { name: string; partitions: number }[] }
  if (!answer.create?.length) return [one]
  const made = Object.fromEntries(answer.create.map(({ name, partitions }) => [name, partitions]))
  return [one, { topology: one.topology, topics: { ...one.topics, ...made } }]
}

const topologyCases = fc
  .sample(fc.record({ topology: anyTopology, topics: anyTopics }), { seed: SEED, numRuns: TOPOLOGIES })
  .flatMap(withTopicsMade)

test('topologies are configured as Apache Kafka does, whatever they are', () => {
  const kinds = new Map<string, number>()
  for (const each of topologyCases) {
    const answer = configureAnswer(each) as { error?: string; problem?: { statusCode: number } | null }
    const kind = answer.error ?? `status ${answer.problem?.statusCode ?? 'ready'}`
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  expect([...kinds.keys()].sort(), 'all that can come of a topology is among the cases').toEqual([
    'INVALID_TOPIC_EXCEPTION',
    'STREAMS_INVALID_TOPOLOGY',
    'UNKNOWN_SERVER_ERROR',
    'status 1',
    'status 2',
    'status 3',
    'status ready',
  ])
  for (const [kind, count] of kinds) expect(count, kind).toBeGreaterThan(10)
  expectSame(topologyCases, configureAnswer)
})

const chain = Array.from({ length: 100 }, (_, i) =>
  subtopology(String(i), {
    sourceTopics: i % 9 === 0 ? [sources[i % 5]!] : [],
    repartitionSourceTopics: [internal(`r${(i * 37) % 100}`), internal(`r${(i * 11 + 3) % 100}`)],
    repartitionSinkTopics: [`r${(i * 37 + 1) % 100}`, `r${i}`],
    stateChangelogTopics: [internal(`s${i}`)],
  }),
)
const chainCases = withTopicsMade({
  topology: topologyOf(...chain),
  topics: Object.fromEntries([...sources.entries()].map(([i, name]) => [name, 2 ** i])),
})

test('a long chain of subtopologies is configured as Apache Kafka does', () => {
  expectSame(chainCases, configureAnswer)
})

interface MemberCase {
  readonly id: string
  readonly process: string
  readonly active: Record<string, number[]>
  readonly standby: Record<string, number[]>
}

interface GroupCase {
  readonly members: readonly MemberCase[]
  readonly subtopologies: readonly { readonly id: string; readonly taskCount: number; readonly isStateful: boolean }[]
  readonly standbyReplicas: number
}

function asJson(tasks: Tasks): Record<string, number[]> {
  return Object.fromEntries(Array.from(tasks, ([id, partitions]) => [id, [...partitions].sort((a, b) => a - b)]))
}

function asTasks(json: Record<string, number[]>): Tasks {
  return new Map(Object.entries(json).map(([id, partitions]) => [id, new Set(partitions)]))
}

function assign({ members, subtopologies, standbyReplicas }: GroupCase): Map<string, TaskAssignment> {
  const all = members.map(({ id, process, active, standby }): [string, AssignableMember] => {
    return [
      id,
      { processId: process, target: { active: asTasks(active), standby: asTasks(standby), warmup: new Map() } },
    ]
  })
  const sorted = [...subtopologies].sort((a, b) => (a.id < b.id ? -1 : 1))
  return stickyTaskAssignor.assign({
    members: new Map(all),
    subtopologies: new Map(sorted.map((each) => [each.id, each])),
    standbyReplicas,
  })
}

function assignAnswer(group: GroupCase): unknown {
  return Object.fromEntries(
    Array.from(assign(group), ([id, { active, standby, warmup }]) => [
      id,
      { active: asJson(active), standby: asJson(standby), warmup: asJson(warmup) },
    ]),
  )
}

const anySubtopologies = fc.uniqueArray(
  fc.record({
    id: fc.nat({ max: 11 }).map(String),
    taskCount: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 9, max: 60 })),
    isStateful: fc.boolean(),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 5 },
)
const anyMembers = fc.uniqueArray(
  fc.tuple(
    fc.oneof(
      fc.nat({ max: 12 }).map((i) => `m${i}`),
      fc.uuid({ version: 4 }),
    ),
    fc.nat({ max: 5 }).map((i) => `process-${i}`),
  ),
  { selector: ([id]) => id, minLength: 1, maxLength: 16 },
)
const anyHistory = fc.array(
  fc.record({
    members: anyMembers,
    subtopologies: anySubtopologies,
    standbyReplicas: fc.nat({ max: 3 }),
    keeps: fc.boolean(),
  }),
  { minLength: 1, maxLength: 5 },
)

/** Each group with what the one before it came to. */
function groupsOf(history: Parameters<Parameters<typeof anyHistory.map>[0]>[0]): GroupCase[] {
  const groups: GroupCase[] = []
  let before = new Map<string, TaskAssignment>()
  for (const step of history) {
    const subtopologies = step.keeps ? (groups.at(-1)?.subtopologies ?? step.subtopologies) : step.subtopologies
    const members = step.members.map(([id, process]) => {
      const target = before.get(id)
      return { id, process, active: asJson(target?.active ?? new Map()), standby: asJson(target?.standby ?? new Map()) }
    })
    const group = { members, subtopologies, standbyReplicas: step.standbyReplicas }
    groups.push(group)
    before = assign(group)
  }
  return groups
}

const histories = fc.sample(anyHistory, { seed: SEED, numRuns: HISTORIES }).flatMap(groupsOf)

test('tasks are given to whom Apache Kafka gives them, whoever comes and goes', () => {
  expectSame(histories, assignAnswer)
})

const anyTasks = fc.dictionary(fc.nat({ max: 3 }).map(String), fc.uniqueArray(fc.nat({ max: 9 }), { minLength: 1 }), {
  maxKeys: 4,
})
const oddMember = fc.record({
  id: fc.nat({ max: 20 }).map((i) => `m${i}`),
  process: fc.nat({ max: 5 }).map((i) => `process-${i}`),
  active: anyTasks,
  standby: anyTasks,
})
const oddGroup = fc.record({
  members: fc.uniqueArray(oddMember, { selector: ({ id }) => id, minLength: 1, maxLength: 14 }),
  subtopologies: fc.uniqueArray(
    fc.record({
      id: fc.nat({ max: 3 }).map(String),
      taskCount: fc.integer({ min: 1, max: 12 }),
      isStateful: fc.boolean(),
    }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 4 },
  ),
  standbyReplicas: fc.nat({ max: 3 }),
})
const oddGroups = fc.sample(oddGroup, { seed: SEED, numRuns: GROUPS })

test('also where there were several that had a task, or somebody had it twice', () => {
  expectSame(oddGroups, assignAnswer)
})

function thousandMembers(): GroupCase[] {
  const members = Array.from({ length: 1000 }, (_, i) => ({
    id: `member-${i}`,
    process: `process-${i % 70}`,
    active: {},
    standby: {},
  }))
  const subtopologies = [
    { id: '0', taskCount: 4000, isStateful: false },
    { id: '1', taskCount: 6000, isStateful: true },
  ]
  const before = { members, subtopologies, standbyReplicas: 2 }
  const targets = assign(before)
  const later = members.slice(150).map((member) => {
    const { active, standby } = targets.get(member.id)!
    return { ...member, active: asJson(active), standby: asJson(standby) }
  })
  return [before, { ...before, members: later }]
}

const largeGroups = thousandMembers()

test('and among a thousand members with ten thousand tasks', () => {
  expectSame(largeGroups, assignAnswer)
})
