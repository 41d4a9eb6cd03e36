import { errors } from '../../src/protocol/errors.ts'
import type { Body } from '../differential/probe.ts'
import { internal, subtopology, topology } from '../differential/scenarios/streams-tools.ts'
import {
  anySpeaker,
  isOffsetOp,
  lookAtGroup,
  OFFSET_OPS,
  offsetStep,
  type Speaker,
  sortMembers,
  speakerOf,
  takeOffsetStep,
} from './group-tools.ts'
import type { Machine, Play, Step } from './machine.ts'
import type { Random } from './random.ts'
import type { Side } from './side.ts'

const CLIENTS = 6
/** Clients 0 and 1 are threads of one process, 2 and 3 of the next, and so on. */
const THREADS_PER_PROCESS = 2
const NEVER_MS = 1_000_000
const JOINING = 0
const LEAVING = -1
const LEAVING_STATIC = -2

const together = { sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] }
const joined = {
  repartitionSourceTopics: [internal('fuzz-b-by-key')],
  stateChangelogTopics: [internal('fuzz-b-changelog')],
  copartitionGroups: [together],
}
const stateful = { stateChangelogTopics: [internal('fuzz-a-changelog')] }

/** What whole applications are made of; a sequence is about one of them. */
const APPLICATIONS: readonly Body[] = [
  topology([subtopology('0', ['fuzz-a'])], 1),
  topology([subtopology('0', ['fuzz-a'], stateful)], 1),
  topology([subtopology('0', ['fuzz-c']), subtopology('1', ['fuzz-a'], stateful)], 1),
  topology(
    [
      subtopology('0', ['fuzz-b'], { repartitionSinkTopics: ['fuzz-b-by-key'] }),
      subtopology('1', ['fuzz-b'], joined),
      subtopology('2', ['fuzz-a'], stateful),
      subtopology('3', ['fuzz-a', 'fuzz-c']),
    ],
    1,
  ),
  topology([subtopology('0', ['fuzz-missing']), subtopology('1', ['fuzz-a'])], 1),
  topology([subtopology('0', ['fuzz-a', 'fuzz-b'], { copartitionGroups: [pairOf(0, 1)] })], 1),
  topology([subtopology('0', ['fuzz-c'], stateful)], 1),
]
/** The topics of the others are missing or do not suit. */
const READY_APPLICATIONS = 4
/** How often sequences are about each. */
const APPLICATION_OF = [0, 1, 2, 3, 1, 2, 3, 3, 0, 1, 2, 3, 4, 2, 3, 5, 1, 2, 3, 6]

/** What a client may join with besides the application's own topology. */
const TOPOLOGIES: Readonly<Record<string, (own: Body) => Body>> = {
  own: (own) => own,
  turned: (own) => ({ ...own, subtopologies: [...own.subtopologies].reverse() }),
  older: (own) => ({ ...own, epoch: 0 }),
  newer: (own) => ({ ...own, epoch: 2 }),
  other: () => topology([subtopology('0', ['fuzz-b'])], 1),
  'epoch -1': (own) => ({ ...own, epoch: -1 }),
  empty: () => topology([], 1),
  twice: (own) => ({ ...own, subtopologies: [...own.subtopologies, own.subtopologies[0]] }),
  cycle: () => topology([subtopology('0', [], { ...joined, repartitionSinkTopics: ['fuzz-b-by-key'] })], 1),
  unwritten: () => topology([subtopology('0', ['fuzz-b'], joined)], 1),
  sourceless: () => topology([subtopology('0', [])], 1),
  'no such index': () => topology([subtopology('0', ['fuzz-a'], { copartitionGroups: [pairOf(0, 7)] })], 1),
  'counted changelog': () =>
    topology([subtopology('0', ['fuzz-a'], { stateChangelogTopics: [internal('fuzz-s', { partitions: 4 })] })], 1),
  regex: () => topology([subtopology('0', [], { sourceTopicRegex: ['fuzz-.*'] })], 1),
}
const JOINED_WITH = {
  own: 40,
  turned: 2,
  older: 1,
  newer: 1,
  other: 1,
  'epoch -1': 0.5,
  empty: 0.5,
  twice: 0.5,
  cycle: 0.5,
  unwritten: 0.5,
  sourceless: 0.5,
  'no such index': 0.5,
  'counted changelog': 0.5,
  regex: 0.5,
}

const BEATS = {
  join: 9,
  ack: 16,
  nothing: 5,
  unrevoked: 3,
  part: 2,
  full: 2,
  'without topology': 0.3,
  'no timeout': 0.3,
  'one kind of tasks': 0.3,
  'tasks of nobody': 0.5,
  'unknown subtopology': 0.5,
  'a task twice': 0.5,
  'a subtopology twice': 0.3,
  'joins with tasks': 0.3,
  'topology again': 0.3,
  'warm-up': 0.3,
  offsets: 0.3,
  'other process': 0.7,
  'other rack': 0.7,
  'other endpoint': 1.5,
  'other tags': 0.5,
  'same tag twice': 0.3,
  'lost endpoints': 1,
  shutdown: 0.5,
  'leave and shutdown': 0.5,
  leave: 3,
  'leave static': 0.4,
  'epoch -3': 0.3,
}
/** What also those send that are not in the group. */
const STAYS_OUT = ['without topology', 'no timeout', 'joins with tasks', 'leave', 'leave static', 'epoch -3']
/** After these a client knows that it is not in the group. */
const OUT: readonly number[] = [
  errors.UNKNOWN_MEMBER_ID.code,
  errors.FENCED_MEMBER_EPOCH.code,
  errors.GROUP_ID_NOT_FOUND.code,
]
const OPS = { ...OFFSET_OPS, beat: 34, 'describe streams': 3 }

function pairOf(...sourceTopics: number[]) {
  return { sourceTopics, sourceTopicRegex: [], repartitionSourceTopics: [] }
}

/** Groups of the threads of Streams applications (KIP-1071). */
export function streamsMachine(topicIds: ReadonlyMap<string, string>): Machine {
  return {
    name: 'streams',
    length: 45,
    step: streamsStep,
    start: async (side) => new StreamsPlay(side, topicIds),
  }
}

function streamsStep(random: Random): Step {
  const op = random.weighted(OPS)
  if (isOffsetOp(op)) return offsetStep(random, op, CLIENTS)
  const client = random.between(0, CLIENTS - 1)
  const kind = random.weighted(BEATS)
  const joinedWith = random.weighted(JOINED_WITH)
  return { op, client, args: { kind, joinedWith, version: 0, ...anySpeaker(random) } }
}

/** What a member has. */
interface Tasks {
  readonly activeTasks: readonly Body[]
  readonly standbyTasks: readonly Body[]
  readonly warmupTasks: readonly Body[]
}

const NO_TASKS: Tasks = { activeTasks: [], standbyTasks: [], warmupTasks: [] }

interface Client {
  readonly who: string
  readonly memberId: string
  readonly processId: string
  readonly instanceId: null
  generation: number
  endpointEpoch: number
  /** What it was told that it has, and what it had before that. */
  assigned: Tasks
  before: Tasks
}

/** Where the clients of one group stand. */
class StreamsPlay implements Play {
  readonly groupId: string
  readonly #side: Side
  readonly #topicIds: ReadonlyMap<string, string>
  readonly #clients: readonly Client[]
  readonly #application: Body
  readonly #isReady: boolean

  constructor(side: Side, topicIds: ReadonlyMap<string, string>) {
    this.groupId = side.name
    this.#side = side
    this.#topicIds = topicIds
    const seed = Number(side.name.split('-')[1])
    const application = APPLICATION_OF[seed % APPLICATION_OF.length]!
    this.#application = APPLICATIONS[application]!
    this.#isReady = application < READY_APPLICATIONS
    this.#clients = Array.from({ length: CLIENTS }, (_, index) => ({
      who: `thread ${index}`,
      memberId: `m${index}`,
      processId: `p${Math.floor(index / THREADS_PER_PROCESS)}`,
      instanceId: null,
      generation: 0,
      endpointEpoch: 0,
      assigned: NO_TASKS,
      before: NO_TASKS,
    }))
  }

  async take(step: Step): Promise<void> {
    const client = this.#clients[step.client]!
    const other = this.#clients[(step.client + 1) % this.#clients.length]!
    const speaker = speakerOf(step, client, other, [])
    if (step.op === 'beat') await this.#beat(joining(step, client), client, speaker)
    else if (step.op === 'describe streams') await this.#describe(client.who)
    else await takeOffsetStep(this.#side, this.groupId, step, client.who, speaker, this.#topicIds)
  }

  async look(): Promise<void> {
    await this.#describe('look')
    await lookAtGroup(this.#side, this.groupId)
  }

  async end(): Promise<void> {}

  async #describe(who: string): Promise<void> {
    const normal = ({ groups }: Body) => {
      for (const { members, topology: described } of groups ?? []) {
        forgetCounts(described)
        sortMembers(this.#side, members)
        for (const { assignment, targetAssignment, clientTags } of members) {
          for (const tasks of [assignment, targetAssignment]) sortTasks(tasks)
          clientTags.sort((a: Body, b: Body) => (a.key < b.key ? -1 : 1))
        }
      }
    }
    await this.#side.ask(who, 'StreamsGroupDescribe', 0, { groupIds: [this.groupId] }, { normal })
  }

  async #beat(step: Step, client: Client, speaker: Speaker): Promise<void> {
    const body = this.#bodyOf(step, client, speaker)
    const note = `${step.args.kind} as ${JSON.stringify([body.memberId, body.memberEpoch])}`
    const answer = await this.#side.ask(client.who, 'StreamsGroupHeartbeat', 0, body, { note, normal: sortAnswer })
    if (body.memberId !== client.memberId) return
    if (answer.errorCode === 0) heard(client, answer)
    else if (OUT.includes(answer.errorCode))
      Object.assign(client, { generation: 0, assigned: NO_TASKS, before: NO_TASKS })
  }

  #bodyOf({ args }: Step, client: Client, { memberId, generation, instanceId }: Speaker): Body {
    const { assigned, before, processId, endpointEpoch: endpointInformationEpoch } = client
    const own = { groupId: this.groupId, memberId, instanceId, memberEpoch: generation, endpointInformationEpoch }
    const sent = TOPOLOGIES[String(args.joinedWith)]!(this.#application)
    // Who joins does so under its own name: Streams makes it up anew for every thread.
    const said = { memberId: client.memberId, rebalanceTimeoutMs: NEVER_MS, processId }
    const join = { ...said, memberEpoch: JOINING, topology: sent, ...NO_TASKS }
    const foreign = (subtopologyId: string, ...partitions: number[]) => ({
      ...assigned,
      activeTasks: [{ subtopologyId, partitions }],
    })
    const bodies: Record<string, Body> = {
      join,
      ack: assigned,
      nothing: {},
      unrevoked: before,
      part: { ...assigned, activeTasks: assigned.activeTasks.slice(0, 1).map(firstHalf) },
      full: { rebalanceTimeoutMs: NEVER_MS, processId, ...assigned },
      'without topology': { ...join, topology: null },
      'no timeout': { ...join, rebalanceTimeoutMs: -1 },
      'one kind of tasks': { activeTasks: assigned.activeTasks },
      'tasks of nobody': foreign('0', 99, -1),
      'unknown subtopology': foreign('none', 0),
      'a task twice': foreign('0', 0, 0),
      'a subtopology twice': {
        ...assigned,
        activeTasks: [...foreign('0', 0).activeTasks, ...foreign('0', 1).activeTasks],
      },
      'joins with tasks': { ...join, ...foreign('0', 0) },
      'topology again': { topology: sent },
      'warm-up': { ...assigned, warmupTasks: [{ subtopologyId: '0', partitions: [0] }] },
      offsets: { taskOffsets: [{ subtopologyId: '0', partition: 0, offset: 1 }] },
      'other process': { processId: 'p2', ...assigned },
      'other rack': { rackId: 'rack', ...assigned },
      // Where topics do not suit, Apache Kafka has no answer for a group with endpoints.
      'other endpoint': { ...(this.#isReady ? { userEndpoint: { host: memberId, port: 1 } } : {}), ...assigned },
      'other tags': { clientTags: [tag('a', '1'), tag('b', '2')], ...assigned },
      'same tag twice': { clientTags: [tag('a', '1'), tag('a', '2')], ...assigned },
      'lost endpoints': { endpointInformationEpoch: -1 },
      shutdown: { ...assigned, shutdownApplication: true },
      'leave and shutdown': { memberEpoch: LEAVING, shutdownApplication: true },
      leave: { memberEpoch: LEAVING },
      'leave static': { memberEpoch: LEAVING_STATIC, instanceId: 'i' },
      'epoch -3': { memberEpoch: -3 },
    }
    return { ...own, ...bodies[String(args.kind)] }
  }
}

/** Who is not in the group has to join before anything else. */
function joining(step: Step, client: Client): Step {
  const { generation, kind } = step.args
  if (client.generation > 0 || generation !== 'own' || STAYS_OUT.includes(String(kind))) return step
  return { ...step, args: { ...step.args, kind: 'join' } }
}

function heard(client: Client, { memberEpoch, endpointInformationEpoch, ...answer }: Body): void {
  client.generation = Math.max(memberEpoch, 0)
  client.endpointEpoch = endpointInformationEpoch
  if (memberEpoch < 0) {
    client.assigned = NO_TASKS
    client.before = NO_TASKS
  }
  if (answer.activeTasks === null) return
  const { activeTasks, standbyTasks, warmupTasks } = structuredClone(answer)
  client.before = client.assigned
  client.assigned = { activeTasks, standbyTasks, warmupTasks }
}

/**
 * Apache Kafka tells the partitions of internal topics from the first record on that it writes for any group after it
 * has found them out.
 */
function forgetCounts(described: Body | null): void {
  for (const { stateChangelogTopics, repartitionSourceTopics } of described?.subtopologies ?? []) {
    for (const topic of [...stateChangelogTopics, ...repartitionSourceTopics]) topic.partitions = 0
  }
}

/** Brokers take subtopologies, members and topics from hash tables. */
function sortAnswer(answer: Body): void {
  sortTasks(answer)
  for (const { activePartitions, standbyPartitions } of answer.partitionsByUserEndpoint ?? []) {
    for (const topics of [activePartitions, standbyPartitions]) {
      for (const { partitions } of topics) partitions.sort((a: number, b: number) => a - b)
      sortByText(topics)
    }
  }
  sortByText(answer.partitionsByUserEndpoint ?? [])
}

function sortTasks({ activeTasks, standbyTasks, warmupTasks }: Body): void {
  for (const tasks of [activeTasks, standbyTasks, warmupTasks]) {
    for (const { partitions } of tasks ?? []) partitions.sort((a: number, b: number) => a - b)
    sortByText(tasks ?? [])
  }
}

function sortByText(list: Body[]): void {
  list.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

function firstHalf({ subtopologyId, partitions }: Body): Body {
  return { subtopologyId, partitions: partitions.slice(0, Math.ceil(partitions.length / 2)) }
}

function tag(key: string, value: string) {
  return { key, value }
}
