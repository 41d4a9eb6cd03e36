import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogError } from '../../log/append-error.ts'
import { errors } from '../../protocol/errors.ts'
import type {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponseInput,
} from '../../protocol/messages/streams-group-heartbeat.ts'
import { ConsumerHarness, GROUP } from '../consumer/consumer.testkit.ts'
import type { GroupCoordinator } from '../group-coordinator.ts'
import { Outcome, testConfig } from '../harness.testkit.ts'
import type { StreamsHeartbeat } from './heartbeat.ts'
import { internal, subtopology } from './topology/topology.testkit.ts'
import type { InternalTopic, StreamsTopology } from './topology/types.ts'

/** A member that does not say that it has given up its tasks may be out after so long, before its session is. */
const REBALANCE_TIMEOUT_MS = 30_000
const SESSION_TIMEOUT_MS = 45_000
const CLIENTS = 6
/** Threads 0 and 1 are one process, 2 and 3 the next, and so on. */
const THREADS_PER_PROCESS = 2

/** Errors after which a client joins anew; any other one is a bug. */
const expected = [
  errors.FENCED_MEMBER_EPOCH,
  errors.UNKNOWN_MEMBER_ID,
  errors.GROUP_ID_NOT_FOUND,
  errors.NOT_COORDINATOR,
  errors.COORDINATOR_NOT_AVAILABLE,
  errors.COORDINATOR_LOAD_IN_PROGRESS,
]

/** Joins what comes from `a` over a repartition topic with `b`, and counts that; copies `c`. */
const topology: StreamsTopology = {
  epoch: 1,
  subtopologies: [
    subtopology('0', { sourceTopics: ['a'], repartitionSinkTopics: ['r'] }),
    subtopology('1', {
      sourceTopics: ['b'],
      repartitionSourceTopics: [internal('r')],
      stateChangelogTopics: [internal('s')],
      copartitionGroups: [{ sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] }],
    }),
    subtopology('2', { sourceTopics: ['c'] }),
  ],
}
/** What an older and a newer version of the application come with. */
const olderTopology: StreamsTopology = { epoch: 0, subtopologies: [subtopology('0', { sourceTopics: ['a'] })] }
const newerTopology: StreamsTopology = { ...topology, epoch: 2 }
const sources: ReadonlyMap<string, number> = new Map([
  ['a', 2],
  ['b', 3],
  ['c', 1],
])

type Owned = Record<'active' | 'standby', Set<string>>
type Ids = NonNullable<StreamsGroupHeartbeatResponseInput['activeTasks']>

type Command =
  | { readonly do: 'beat' | 'brief' | 'leave' | 'shutdown' | 'crash' | 'lose' | 'older'; readonly client: number }
  | { readonly do: 'move'; readonly client: number; readonly process: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'standbys'; readonly count: number }
  | { readonly do: 'grow' | 'drop'; readonly topic: string }
  | { readonly do: 'newer' | 'create' | 'restart' | 'fail' | 'hold' | 'release' }

/** A thread that does what it is told: gives up at once what it must not have, and takes what it is given. */
class Client {
  readonly memberId: string
  readonly processId: string
  topology = topology
  epoch = 0
  owned: Owned = { active: new Set(), standby: new Set() }
  waiting: Outcome<StreamsHeartbeat> | undefined
  /** The answer to what it sent last does not reach it. */
  isLost = false
  sentMs = 0
  /** When the last heartbeat left that was answered. */
  heardMs = 0

  constructor(memberId: string, processId: string) {
    this.memberId = memberId
    this.processId = processId
  }

  loseAll(): void {
    this.epoch = 0
    this.owned = { active: new Set(), standby: new Set() }
  }

  hear(response: StreamsGroupHeartbeatResponseInput): void {
    const { errorCode = 0, activeTasks, standbyTasks } = response
    if (errorCode !== 0) {
      this.loseAll()
      return
    }
    this.epoch = response.memberEpoch!
    if (activeTasks) this.owned = { active: namesOf(activeTasks), standby: namesOf(standbyTasks ?? []) }
  }

  /** A full heartbeat says everything, as the first one does; a brief one only that the member is there. */
  request(isFull: boolean): Partial<StreamsGroupHeartbeatRequest> {
    const { memberId, epoch: memberEpoch, processId, owned } = this
    if (!isFull && memberEpoch > 0) return { memberId, memberEpoch }
    const own = { activeTasks: idsOf(owned.active), standbyTasks: idsOf(owned.standby), warmupTasks: [] }
    const userEndpoint = processId === 'p0' ? { host: 'host', port: 1 } : null
    const joining = memberEpoch === 0 ? { topology: this.topology, userEndpoint } : {}
    return { memberId, memberEpoch, processId, rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS, ...own, ...joining }
  }
}

function namesOf(ids: Ids): Set<string> {
  return new Set(
    ids.flatMap(({ subtopologyId, partitions = [] }) => Array.from(partitions, (each) => `${subtopologyId}_${each}`)),
  )
}

function idsOf(names: ReadonlySet<string>) {
  const ids = new Map<string, number[]>()
  for (const name of names) {
    const [id, partition] = name.split('_') as [string, string]
    ids.set(id, [...(ids.get(id) ?? []), Number(partition)])
  }
  return Array.from(ids, ([subtopologyId, partitions]) => ({ subtopologyId, partitions }))
}

interface Pace {
  readonly initialRebalanceDelayMs: number
  readonly assignmentIntervalMs: number
}

/** Threads of an application, a coordinator that restarts and a log that fails, and the rules that hold whatever they do. */
class Simulation {
  readonly harness: ConsumerHarness
  readonly clients: Client[] = []
  /** What the last answers said is missing. */
  #toCreate: readonly InternalTopic[] = []
  #standbyReplicas = 1
  #count = 0

  constructor(pace: Pace) {
    const streams = {
      ...testConfig.streams,
      paceOf: () => ({
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        heartbeatIntervalMs: 5000,
        ...pace,
        standbyReplicas: this.#standbyReplicas,
      }),
    }
    this.harness = new ConsumerHarness({ streams })
    for (let i = 0; i < CLIENTS; i++) this.#replace(i)
  }

  async start(): Promise<void> {
    await this.harness.coordinator.onElection(0, 0)
    for (const [name, count] of sources) await this.harness.topic(name, count)
  }

  /** A thread that starts again has another id. */
  #replace(index: number, process = Math.floor(index / THREADS_PER_PROCESS)): void {
    this.clients[index] = new Client(`m${index}-${this.#count++}`, `p${process}`)
  }

  async run(command: Command): Promise<void> {
    const { log } = this.harness
    if (command.do === 'pass') await this.#pass(command.ms)
    else if (command.do === 'restart') await this.#released(() => this.harness.restart())
    else if (command.do === 'hold') log.isHeld = true
    else if (command.do === 'release') log.release()
    else if (command.do === 'fail') log.failures.push(new LogError('KAFKA_STORAGE_ERROR', 'broken'))
    else if (command.do === 'standbys') this.#standbyReplicas = command.count
    else if (command.do === 'grow') await this.#released(() => this.#grow(command.topic))
    else if (command.do === 'drop') await this.#released(() => this.#drop(command.topic))
    else if (command.do === 'create') await this.#released(() => this.#create())
    else if (command.do === 'newer') await this.#joinNewer()
    else if ('client' in command) this.#act(command)
    await this.harness.settle()
    this.#hearAll()
  }

  async #released(what: () => Promise<unknown>): Promise<void> {
    this.harness.log.release()
    await this.harness.settle()
    await what()
  }

  async #grow(name: string): Promise<void> {
    const count = this.harness.image.topics.byName(name)?.partitions.size ?? 0
    if (count < 6) await this.harness.topic(name, count + 1)
  }

  async #drop(name: string): Promise<void> {
    if (this.harness.image.topics.byName(name) !== undefined) await this.harness.deleteTopic(name)
  }

  async #create(): Promise<void> {
    for (const { name, partitionCount } of this.#toCreate) {
      if (this.harness.image.topics.byName(name) === undefined) await this.harness.topic(name, partitionCount)
    }
  }

  /** Those who may be out by now let go of what they have. */
  async #pass(ms: number): Promise<void> {
    await this.harness.pass(ms)
    this.#hearAll()
    for (const client of this.clients) {
      if (this.harness.time.nowMs() - client.heardMs >= REBALANCE_TIMEOUT_MS) client.loseAll()
    }
  }

  /** Where the group has a topology already, another one is refused. */
  async #joinNewer(): Promise<void> {
    const { log, coordinator } = this.harness
    if (log.isHeld || log.failures.length > 0) return
    const [before] = await this.describe(coordinator)
    if (!before?.topology) return
    const client = new Client('newer', 'newer')
    client.topology = newerTopology
    const { response } = (await this.#send(client, client.request(true))).required
    expect(response.errorCode).toBe(errors.INVALID_REQUEST.code)
    expect((await this.describe(coordinator))[0]).toEqual(before)
  }

  async #send(client: Client, request: Partial<StreamsGroupHeartbeatRequest>): Promise<Outcome<StreamsHeartbeat>> {
    const outcome = this.#heartbeat(client, request)
    await this.harness.settle()
    return outcome
  }

  #heartbeat(client: Client, request: Partial<StreamsGroupHeartbeatRequest>): Outcome<StreamsHeartbeat> {
    const context = { apiVersion: 0, clientId: client.memberId, clientHost: '/127.0.0.1' }
    return new Outcome(this.harness.coordinator.streamsHeartbeat(context, { ...emptyRequest, ...request }))
  }

  #act(command: Extract<Command, { readonly client: number }>): void {
    const client = this.clients[command.client]!
    if (command.do === 'crash') this.#replace(command.client)
    if (command.do === 'move') this.#replace(command.client, command.process)
    if (command.do === 'lose') client.isLost = client.waiting !== undefined
    if (client.waiting !== undefined || command.do === 'crash' || command.do === 'move') return
    if (command.do === 'leave' || command.do === 'shutdown') {
      this.#leave(client, command.do === 'shutdown')
      this.#replace(command.client)
      return
    }
    if (command.do === 'older' && client.epoch === 0) client.topology = olderTopology
    this.#beat(client, command.do !== 'brief')
  }

  #leave(client: Client, shutdownApplication: boolean): void {
    const { memberId, epoch } = client
    if (epoch > 0) this.#heartbeat(client, { memberId, memberEpoch: -1, shutdownApplication })
  }

  #beat(client: Client, isFull: boolean): void {
    client.isLost = false
    client.sentMs = this.harness.time.nowMs()
    client.waiting = this.#heartbeat(client, client.request(isFull))
  }

  #hearAll(): void {
    for (const client of this.clients) this.#hear(client)
    this.#check()
  }

  #hear(client: Client): void {
    if (!client.waiting?.isSettled) return
    const { response, topicsToCreate } = client.waiting.required
    client.waiting = undefined
    this.#expectKnown(client, response)
    if (client.isLost) return
    client.heardMs = client.sentMs
    if (!response.errorCode) this.#toCreate = topicsToCreate
    client.hear(response)
  }

  #expectKnown(client: Client, { errorCode = 0, errorMessage }: StreamsGroupHeartbeatResponseInput): void {
    if (errorCode === 0 || expected.some(({ code }) => code === errorCode)) return
    // Tasks that there are no more, or another topology where the group began with the older one.
    if (errorCode === errors.INVALID_REQUEST.code && errorMessage?.startsWith('Task')) return
    const isOlder = client.topology === olderTopology
    const message = `${client.memberId} was told ${errorCode}: ${errorMessage}`
    expect(errorMessage === 'Topology updates are not supported yet.' && !isOlder, message).toBe(true)
  }

  /** No task is active twice, and no process has a task twice. */
  #check(): void {
    const active = new Map<string, string>()
    const processes = new Map<string, string>()
    const claim = (claims: Map<string, string>, key: string, memberId: string) => {
      const other = claims.get(key)
      if (other !== undefined) throw new Error(`${other} and ${memberId} have ${key}`)
      claims.set(key, memberId)
    }
    for (const { memberId, processId, owned } of this.clients) {
      for (const task of owned.active) claim(active, task, memberId)
      for (const task of [...owned.active, ...owned.standby]) claim(processes, `${task} in ${processId}`, memberId)
    }
  }

  describe(coordinator: GroupCoordinator) {
    return this.harness.done(coordinator.describeStreamsGroups([GROUP]))
  }

  /** The topics are put right, those who are gone time out, and the others say that they are there. */
  async heal(): Promise<void> {
    this.harness.log.failures.length = 0
    await this.#released(() => this.#heartbeats(1))
    // Who was the first with an older topology keeps the others out; as in Apache Kafka, the group must go.
    for (const [i, { topology: own }] of this.clients.entries()) if (own !== topology) this.#replace(i)
    for (const name of ['r', 's']) await this.#drop(name)
    for (const [name, count] of sources) await this.#grow(name).then(() => this.#atLeast(name, count))
    for (let waitedMs = 0; waitedMs <= SESSION_TIMEOUT_MS; waitedMs += 25_000) {
      await this.#heartbeats(1)
      await this.#create()
      await this.#pass(25_000)
    }
    const [group] = await this.describe(this.harness.coordinator)
    if (group!.topology?.epoch === olderTopology.epoch) {
      await this.harness.done(this.harness.coordinator.deleteGroups([GROUP]))
    }
    await this.#heartbeats(1)
    await this.#create()
    await this.#pass(5000)
    await this.#heartbeats(6)
  }

  async #atLeast(name: string, count: number): Promise<void> {
    const found = this.harness.image.topics.byName(name)?.partitions.size ?? 0
    if (found < count) await this.harness.topic(name, count)
  }

  async #heartbeats(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      for (const client of this.clients) {
        if (client.waiting === undefined) this.#beat(client, true)
        await this.harness.settle()
        this.#hearAll()
      }
    }
  }

  /** Everybody has what it is to have; together that is every task once, with its standbys. */
  async checkHealed(): Promise<void> {
    const [group] = await this.describe(this.harness.coordinator)
    expect(group!.groupState).toBe('Stable')
    expect(group!.members.map(({ memberId }) => memberId).sort()).toEqual(
      this.clients.map(({ memberId }) => memberId).sort(),
    )
    for (const { memberId, memberEpoch, assignment, targetAssignment } of group!.members) {
      const client = this.clients.find((each) => each.memberId === memberId)!
      expect(assignment).toEqual(targetAssignment)
      expect(client.epoch).toBe(memberEpoch)
      expect(memberEpoch).toBe(group!.assignmentEpoch)
      expect(client.owned.active).toEqual(namesOf(assignment.activeTasks))
      expect(client.owned.standby).toEqual(namesOf(assignment.standbyTasks))
    }
    const count = (name: string) => this.harness.image.topics.byName(name)!.partitions.size
    const tasks = ['a', 'b', 'c'].flatMap((name, i) => Array.from({ length: count(name) }, (_, each) => `${i}_${each}`))
    expect(this.clients.flatMap(({ owned }) => [...owned.active]).sort()).toEqual(tasks.sort())
    const processCount = new Set(this.clients.map(({ processId }) => processId)).size
    const standbys = this.clients.flatMap(({ owned }) => [...owned.standby])
    expect(standbys).toHaveLength(Math.min(this.#standbyReplicas, processCount - 1) * count('b'))
    expect(standbys.every((task) => task.startsWith('1_'))).toBe(true)
  }

  /** Another coordinator that reads the log knows the same; what the topology comes to it finds out later. */
  async checkReplay(): Promise<void> {
    const picture = async (coordinator: GroupCoordinator) => {
      const [group] = await this.describe(coordinator)
      const members = [...group!.members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
      return { ...group, members, topology: group!.topology?.epoch }
    }
    const fresh = await this.harness.reloaded()
    expect(await picture(fresh)).toEqual(await picture(this.harness.coordinator))
  }
}

const emptyRequest: StreamsGroupHeartbeatRequest = {
  groupId: GROUP,
  memberId: '',
  memberEpoch: 0,
  endpointInformationEpoch: 0,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: -1,
  topology: null,
  activeTasks: null,
  standbyTasks: null,
  warmupTasks: null,
  processId: null,
  userEndpoint: null,
  clientTags: null,
  taskOffsets: null,
  taskEndOffsets: null,
  shutdownApplication: false,
}

const client = fc.nat({ max: CLIENTS - 1 })
const anyTopic = fc.constantFrom('a', 'b', 'c', 'r', 's')
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({ do: fc.constantFrom('beat' as const, 'beat' as const, 'brief' as const), client }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('lose', 'leave', 'shutdown', 'crash'), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('older' as const), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), client, process: fc.nat({ max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1000, 9000, 40_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('standbys' as const), count: fc.nat({ max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('grow' as const, 'drop' as const), topic: anyTopic }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('create' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('newer', 'restart', 'hold', 'release') }) },
)
const failing: fc.Arbitrary<Command> = fc.record({ do: fc.constant('fail' as const) })
const pace: fc.Arbitrary<Pace> = fc.record({
  initialRebalanceDelayMs: fc.constantFrom(0, 3000),
  assignmentIntervalMs: fc.constantFrom(0, 1000),
})

async function simulate(commands: readonly Command[], paced: Pace): Promise<void> {
  const simulation = new Simulation(paced)
  await simulation.start()
  for (const each of commands) await simulation.run(each)
  await simulation.heal()
  await simulation.checkHealed()
  await simulation.checkReplay()
}

test('whatever threads do, no task is active twice, all goes on once it can, and the log holds the state', async () => {
  const commands = fc.array(command, { minLength: 30, maxLength: 150 })
  await fc.assert(fc.asyncProperty(commands, pace, simulate), { numRuns: 75, seed: 1 })
}, 60_000)

test('the same where appends fail', async () => {
  const commands = fc.array(fc.oneof({ weight: 12, arbitrary: command }, { weight: 1, arbitrary: failing }), {
    minLength: 30,
    maxLength: 150,
  })
  await fc.assert(fc.asyncProperty(commands, pace, simulate), { numRuns: 75, seed: 1 })
}, 60_000)

test('a member whose leaving could not be written down is out when its session ends', async () => {
  const simulation = new Simulation({ initialRebalanceDelayMs: 0, assignmentIntervalMs: 0 })
  await simulation.start()
  await simulation.run({ do: 'beat', client: 0 })
  await simulation.run({ do: 'fail' })
  await simulation.run({ do: 'leave', client: 0 })
  const memberIds = async () => {
    const [group] = await simulation.describe(simulation.harness.coordinator)
    return group!.members.map(({ memberId }) => memberId)
  }
  expect(await memberIds()).toEqual(['m0-0'])
  await simulation.run({ do: 'pass', ms: SESSION_TIMEOUT_MS })
  expect(await memberIds()).toEqual([])
})
