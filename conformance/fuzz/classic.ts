import type { Body } from '../differential/probe.ts'
import { sleep } from '../harness/process.ts'
import {
  anySpeaker,
  assignmentBytes,
  isOffsetOp,
  lookAtGroup,
  OFFSET_OPS,
  offsetStep,
  readableAssignment,
  type Speaker,
  sortMembers,
  speakerOf,
  stateOf,
  subscriptionBytes,
  takeOffsetStep,
} from './group-tools.ts'
import { anyVersion, type Machine, type Play, type Step } from './machine.ts'
import type { Random } from './random.ts'
import type { Side } from './side.ts'

const MEMBER_ID_REQUIRED = 79
const UNKNOWN_MEMBER_ID = 25
const FENCED_INSTANCE_ID = 82
/** The clients' instance ids; two of them share one. */
const INSTANCES: readonly (string | null)[] = [null, null, null, 'i3', 'i4', 'i3']
const PROTOCOLS: Readonly<Record<string, readonly string[]>> = {
  range: ['range'],
  both: ['range', 'roundrobin'],
  reverse: ['roundrobin', 'range'],
  other: ['roundrobin'],
  none: [],
}
const NEVER_MS = 1_000_000

const OPS = { join: 12, 'rejoin all': 4, sync: 6, 'sync all': 6, heartbeat: 5, leave: 3, ...OFFSET_OPS }

const AS_THEMSELVES = { generation: 'own', member: 'own', instance: 'own', protocolType: 'consumer' }

/** Groups of the classic protocol. */
export function classicMachine(topicIds: ReadonlyMap<string, string>): Machine {
  return {
    name: 'classic',
    length: 40,
    step: classicStep,
    start: async (side) => new ClassicPlay(side, topicIds, INSTANCES),
  }
}

export function classicStep(random: Random): Step {
  const op = random.weighted(OPS)
  if (isOffsetOp(op)) return offsetStep(random, op, INSTANCES.length)
  const client = random.between(0, INSTANCES.length - 1)
  if (op === 'join') return { op, client, args: joinArgs(random) }
  if (op === 'rejoin all' || op === 'sync all') return { op, client, args: { version: 5, ...AS_THEMSELVES } }
  if (op === 'sync') {
    const version = anyVersion(random, 'SyncGroup')
    const names = { protocolType: random.chance(0.05) ? 'connect' : 'consumer', wrongProtocol: random.chance(0.05) }
    return { op, client, args: { version, ...names, ...anySpeaker(random) } }
  }
  if (op === 'heartbeat')
    return { op, client, args: { version: anyVersion(random, 'Heartbeat'), ...anySpeaker(random) } }
  const version = anyVersion(random, 'LeaveGroup')
  const others = random.chance(0.2) ? [random.between(0, INSTANCES.length - 1)] : []
  return { op, client, args: { version, others, byInstance: random.chance(0.5), ...anySpeaker(random) } }
}

function joinArgs(random: Random): Step['args'] {
  return {
    version: anyVersion(random, 'JoinGroup'),
    protocols: random.weighted({ range: 6, both: 6, reverse: 4, other: 1, none: 0.3 }),
    protocolType: random.chance(0.03) ? random.pick(['connect', '']) : 'consumer',
    topics: random.pick(['a', 'a', 'a', 'b']),
    sessionTimeoutMs: random.chance(0.02) ? 1 : NEVER_MS,
    ...anySpeaker(random),
  }
}

interface Client {
  readonly who: string
  readonly instanceId: string | null
  memberId: string
  generation: number
  protocol: string | null
  /** It waits for the answer to a SyncGroup. */
  isSyncing: boolean
  /** How it joined the last time. */
  joinedBy: Step['args'] | undefined
  /** Member ids that it had before. */
  readonly old: string[]
}

/** Where the clients of one group stand. Also for groups in which clients of both protocols meet. */
export class ClassicPlay implements Play {
  readonly groupId: string
  readonly #side: Side
  readonly #topicIds: ReadonlyMap<string, string>
  readonly #clients: readonly Client[]
  #leader = ''

  /** `instanceIds`: of the clients. */
  constructor(side: Side, topicIds: ReadonlyMap<string, string>, instanceIds: readonly (string | null)[]) {
    this.groupId = side.name
    this.#side = side
    this.#topicIds = topicIds
    this.#clients = instanceIds.map((instanceId, index) => ({
      who: `classic ${index}`,
      instanceId,
      memberId: '',
      generation: -1,
      protocol: null,
      joinedBy: undefined,
      isSyncing: false,
      old: [],
    }))
  }

  async take(step: Step): Promise<void> {
    const client = this.#clientOf(step)
    const other = this.#clients[(step.client + 1) % this.#clients.length]!
    const speaker = speakerOf(step, client, other, client.old)
    if (step.op === 'join') await this.#join(step, client, speaker)
    else if (step.op === 'rejoin all') await this.#rejoinAll(step)
    else if (step.op === 'sync all') await this.#syncAll(step)
    else if (step.op === 'sync') await this.#sync(step, client, speaker)
    else if (step.op === 'heartbeat') await this.#heartbeat(step, client, speaker)
    else if (step.op === 'leave') await this.#leave(step, client, speaker)
    else await takeOffsetStep(this.#side, this.groupId, step, `${client.who}, aside`, speaker, this.#topicIds)
    await this.settle()
  }

  /** Who speaks as itself is somebody who has a name in the group, if there is anybody. */
  #clientOf({ op, client, args }: Step): Client {
    const own = this.#clients[client]!
    if (op === 'join' || args.member !== 'own' || own.memberId !== '') return own
    return this.#clients.find(({ memberId }) => memberId !== '') ?? own
  }

  /** Whoever is in the group joins again as before, from the one that the step says on. */
  async #rejoinAll(step: Step): Promise<void> {
    for (const client of this.#from(step.client)) {
      if (client.memberId === '' || client.joinedBy === undefined) continue
      await this.#join({ ...step, args: { ...client.joinedBy, ...AS_THEMSELVES } }, client, client)
      await this.#settleAnswers()
    }
  }

  async #syncAll(step: Step): Promise<void> {
    for (const client of this.#from(step.client)) {
      if (client.memberId === '' || client.generation < 0) continue
      await this.#sync(step, client, client)
      await this.#settleAnswers()
    }
  }

  #from(first: number): readonly Client[] {
    return [...this.#clients.slice(first), ...this.#clients.slice(0, first)]
  }

  async look(): Promise<void> {
    await lookAtGroup(this.#side, this.groupId)
  }

  /** Who still waits is answered when the others have left. */
  async end(): Promise<void> {}

  /** Until all that can be answered has been, and nothing that takes no time is left to happen. */
  async settle(): Promise<void> {
    await this.#settleAnswers()
    for (let attempt = 0; attempt < 1000 && (await this.#isAboutToEmpty()); attempt++) await sleep(2)
  }

  /** A group without members waits for those who have asked for an id as long as its members would: not at all. */
  async #isAboutToEmpty(): Promise<boolean> {
    const { groups } = await this.#side.quietly('DescribeGroups', 5, { groups: [this.groupId] })
    const [{ groupState, members }] = groups
    return groupState === 'PreparingRebalance' && members.length === 0
  }

  async #settleAnswers(): Promise<void> {
    const nobody = { groupId: this.groupId, generationId: 0, memberId: 'nobody' }
    await this.#side.settle(async () => {
      await this.#side.quietly('Heartbeat', 0, nobody)
    })
  }

  async #join({ args }: Step, client: Client, speaker: Speaker): Promise<void> {
    if (this.#side.isWaiting(client.who)) return
    const version = Number(args.version)
    const request = {
      groupId: this.groupId,
      sessionTimeoutMs: args.sessionTimeoutMs,
      ...(version >= 1 ? { rebalanceTimeoutMs: NEVER_MS } : {}),
      memberId: speaker.memberId,
      ...(version >= 5 ? { groupInstanceId: speaker.instanceId } : {}),
      protocolType: args.protocolType,
      protocols: PROTOCOLS[String(args.protocols)]!.map((name) => ({
        name,
        metadata: subscriptionBytes([`fuzz-${args.topics}`]),
      })),
    }
    const isEmpty = ['Empty', 'Dead'].includes(await stateOf(this.#side, this.groupId))
    const note = `JoinGroup as ${JSON.stringify(speaker)}`
    await this.#side.post(client.who, 'JoinGroup', version, request, {
      note: this.#named(note),
      heard: (response) => {
        if (response.errorCode === 0) client.joinedBy = args
        this.#joined(client, response)
      },
      normal: ({ members }) => sortMembers(this.#side, members ?? []),
    })
    // The first member of an empty group waits for a timer, if one of no time.
    if (isEmpty) await this.#side.answered(client.who)
  }

  /** The text with the names of members in place of their ids. */
  #named(text: string): string {
    let named = text
    for (const [value, symbol] of this.#side.symbols) named = named.replaceAll(String(value), symbol)
    return named
  }

  #joined(client: Client, response: Body): void {
    this.#side.learn(response.memberId, `<member ${client.who}.${client.old.length}>`)
    if (response.errorCode === UNKNOWN_MEMBER_ID || response.errorCode === FENCED_INSTANCE_ID) this.#forget(client)
    if (response.errorCode !== 0 && response.errorCode !== MEMBER_ID_REQUIRED) return
    if (client.memberId !== '' && client.memberId !== response.memberId) client.old.push(client.memberId)
    client.memberId = response.memberId
    if (response.errorCode !== 0) return
    client.generation = response.generationId
    client.protocol = response.protocolName
    this.#leader = response.leader
  }

  #forget(client: Client): void {
    if (client.memberId !== '') client.old.push(client.memberId)
    client.memberId = ''
    client.generation = -1
  }

  async #sync({ args }: Step, client: Client, speaker: Speaker): Promise<void> {
    if (this.#side.isWaiting(client.who)) return
    const version = Number(args.version)
    const isLeader = speaker.memberId === this.#leader
    const assignments = isLeader
      ? this.#clients
          .filter(({ memberId }) => memberId !== '')
          .map(({ memberId }, index) => ({ memberId, assignment: assignmentBytes('fuzz-a', index) }))
      : []
    const protocolName = args.wrongProtocol ? 'wrong' : client.protocol
    const request = {
      groupId: this.groupId,
      generationId: speaker.generation,
      memberId: speaker.memberId,
      ...(version >= 3 ? { groupInstanceId: speaker.instanceId } : {}),
      ...(version >= 5 ? { protocolType: args.protocolType, protocolName } : {}),
      assignments,
    }
    const note = this.#named(`SyncGroup as ${JSON.stringify(speaker)}`)
    client.isSyncing = true
    await this.#side.post(client.who, 'SyncGroup', version, request, {
      note,
      heard: ({ errorCode }) => {
        client.isSyncing = false
        if (errorCode === UNKNOWN_MEMBER_ID && speaker.memberId === client.memberId) this.#forget(client)
      },
      normal: (response) => {
        response.assignment = readableAssignment(response.assignment ?? Buffer.alloc(0))
      },
    })
  }

  async #heartbeat({ args }: Step, client: Client, speaker: Speaker): Promise<void> {
    const version = Number(args.version)
    await this.#side.ask(`${client.who}, aside`, 'Heartbeat', version, {
      groupId: this.groupId,
      generationId: speaker.generation,
      memberId: speaker.memberId,
      ...(version >= 3 ? { groupInstanceId: speaker.instanceId } : {}),
    })
  }

  async #leave({ args }: Step, client: Client, speaker: Speaker): Promise<void> {
    const version = Number(args.version)
    const others = (args.others as number[]).map((index) => this.#clients[index]!)
    const leaving: Speaker[] = [speaker, ...(version >= 3 ? others : [])]
    if (!(await this.#mayLeave(leaving))) return
    const members = leaving.map(({ memberId, instanceId }) => ({
      memberId: args.byInstance && instanceId !== null ? '' : memberId,
      groupInstanceId: instanceId,
    }))
    const who = version >= 3 ? { members } : { memberId: speaker.memberId }
    await this.#side.ask(`${client.who}, aside`, 'LeaveGroup', version, { groupId: this.groupId, ...who })
  }

  /**
   * Which of several members leads the group when its leader leaves is up to a hash of ids that brokers make up. And who leaves
   * while it waits for its assignment never hears from Apache Kafka again.
   */
  async #mayLeave(leaving: readonly Speaker[]): Promise<boolean> {
    const { groups } = await this.#side.quietly('DescribeGroups', 5, { groups: [this.groupId] })
    const members: Body[] = groups[0].members
    const isGone = ({ memberId, groupInstanceId }: Body) =>
      leaving.some((one) => one.memberId === memberId || (groupInstanceId && one.instanceId === groupInstanceId))
    const isWaiting = (id: string) => this.#clients.some(({ memberId, isSyncing }) => isSyncing && memberId === id)
    if (members.some((member) => isGone(member) && isWaiting(member.memberId))) return false
    const leaderStays = members.some((member) => member.memberId === this.#leader && !isGone(member))
    return leaderStays || members.filter((member) => !isGone(member)).length <= 1
  }
}
