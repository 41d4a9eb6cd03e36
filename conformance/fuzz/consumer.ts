import type { Body } from '../differential/probe.ts'
import { sleep } from '../harness/process.ts'
import {
  anySpeaker,
  isOffsetOp,
  lookAtGroup,
  OFFSET_OPS,
  offsetStep,
  type Speaker,
  sortPartitions,
  speakerOf,
  takeOffsetStep,
} from './group-tools.ts'
import { anyVersion, type Machine, type Play, type Step } from './machine.ts'
import type { Random } from './random.ts'
import type { Side } from './side.ts'

/** The clients' instance ids; two of them share one. */
const INSTANCES = [null, null, null, 'i3', 'i4', 'i3'] as const
const NEVER_MS = 1_000_000
/** Regular expressions are looked at again when the last time is ten seconds ago. */
export const REGEX_REFRESH_MS = 9_000
const JOINING = 0
const LEAVING = -1
const LEAVING_STATIC = -2

const SUBSCRIPTIONS: Readonly<Record<string, { names: readonly string[] | null; regex: string | null }>> = {
  a: { names: ['fuzz-a'], regex: null },
  c: { names: ['fuzz-c'], regex: null },
  ab: { names: ['fuzz-a', 'fuzz-b'], regex: null },
  nothing: { names: [], regex: null },
  missing: { names: ['fuzz-missing'], regex: null },
  regex: { names: null, regex: 'fuzz-[ab]' },
  'other regex': { names: null, regex: 'fuzz-(a|c)' },
  'regex and name': { names: ['fuzz-c'], regex: 'fuzz-[ab]' },
  'empty regex': { names: null, regex: '' },
  'bad regex': { names: null, regex: 'fuzz-(' },
  lookahead: { names: null, regex: '(?=fuzz)a' },
  none: { names: null, regex: null },
}
/** Of most sequences all members want the same, or else nothing could be said about who gets what. */
const SUBSCRIBED = {
  a: 8,
  c: 4,
  ab: 4,
  nothing: 0.5,
  missing: 0.5,
  regex: 3,
  'other regex': 0.7,
  'regex and name': 0.7,
  'empty regex': 0.4,
  'bad regex': 0.5,
  lookahead: 0.3,
  none: 0.3,
}
const ASSIGNORS = { range: 4, uniform: 4, none: 1, unheard: 0.3 }

const BEATS = {
  join: 9,
  ack: 14,
  nothing: 5,
  unrevoked: 3,
  part: 2,
  full: 2,
  subscribe: 4,
  leave: 3,
  'leave static': 2,
  foreign: 1,
  'epoch -3': 0.3,
  'no timeout': 0.3,
}
const OPS = { ...OFFSET_OPS, beat: 34 }

/** Groups of the consumer protocol (KIP-848). */
export function consumerMachine(topicIds: ReadonlyMap<string, string>): Machine {
  return {
    name: 'consumer',
    length: 45,
    withinMs: REGEX_REFRESH_MS,
    step: (random) => consumerStep(random, random.weighted(ASSIGNORS)),
    start: async (side) => new ConsumerPlay(side, topicIds),
  }
}

export function consumerStep(random: Random, assignor: string): Step {
  const op = random.weighted(OPS)
  if (isOffsetOp(op)) return offsetStep(random, op, INSTANCES.length)
  const kind = random.weighted(BEATS)
  const subscription = random.weighted(SUBSCRIBED)
  const version = anyVersion(random, 'ConsumerGroupHeartbeat')
  const client = random.between(0, INSTANCES.length - 1)
  return { op, client, args: { version, kind, subscription, assignor, ...anySpeaker(random) } }
}

interface Client {
  readonly who: string
  readonly memberId: string
  readonly instanceId: string | null
  generation: number
  /** What it was told that it has, and what it had before that. */
  assigned: Body[]
  before: Body[]
}

/** Where the clients of one group stand. */
export class ConsumerPlay implements Play {
  readonly groupId: string
  readonly #side: Side
  readonly #topicIds: ReadonlyMap<string, string>
  readonly #clients: readonly Client[]
  /** Regular expressions of which the broker knows the topics. */
  #resolved = new Set<string>()

  constructor(side: Side, topicIds: ReadonlyMap<string, string>) {
    this.groupId = side.name
    this.#side = side
    this.#topicIds = topicIds
    this.#clients = INSTANCES.map((instanceId, index) => ({
      who: `consumer ${index}`,
      memberId: `m${index}`,
      instanceId,
      generation: 0,
      assigned: [],
      before: [],
    }))
  }

  async take(step: Step): Promise<void> {
    const client = this.#clients[step.client]!
    const other = this.#clients[(step.client + 1) % this.#clients.length]!
    const speaker = speakerOf(step, client, other, [])
    if (step.op === 'beat') await this.#beat(joining(step, client), client, asSpeaker(step, client, speaker))
    else await takeOffsetStep(this.#side, this.groupId, step, client.who, speaker, this.#topicIds)
  }

  async look(): Promise<void> {
    await lookAtGroup(this.#side, this.groupId)
  }

  async end(): Promise<void> {}

  async #beat(step: Step, client: Client, speaker: Speaker): Promise<void> {
    // In version 0 a broker makes up the id of a member that has none.
    const version = speaker.memberId === '' ? 1 : Number(step.args.version)
    const body = this.#bodyOf(step, client, speaker, version)
    const before = await this.#describe()
    // When the last member with a regular expression has left, Apache Kafka takes the others for members that want different things.
    if (body.memberEpoch === LEAVING && before.withRegex.has(speaker.memberId)) return
    const isAnyResolved = this.#resolved.size > 0
    // Of a member that comes without topics, Apache Kafka first assigns as if it wanted what the others want.
    if (before.isBehind && body.memberEpoch === JOINING && !body.subscribedTopicNames?.length) return
    const { memberId, generation, instanceId } = speaker
    const note = `${step.args.kind} as ${JSON.stringify([memberId, generation, instanceId])}`
    const answer = await this.#side.ask(client.who, 'ConsumerGroupHeartbeat', version, body, {
      note,
      normal: ({ assignment }) => {
        if (assignment) sortPartitions(assignment)
      },
    })
    if (answer.errorCode !== 0) return
    if (speaker.memberId === client.memberId) this.#heard(client, answer)
    // They are resolved after the answer, and no more often than every ten seconds: here, where none is known yet.
    if (body.memberEpoch >= JOINING && !isAnyResolved) await this.#untilResolved()
  }

  #heard(client: Client, { memberEpoch, assignment }: Body): void {
    client.generation = Math.max(memberEpoch, 0)
    if (memberEpoch < 0) {
      client.assigned = []
      client.before = []
    }
    if (!assignment) return
    client.before = client.assigned
    const assigned: Body[] = structuredClone(assignment.topicPartitions)
    const order = [...this.#topicIds.values()]
    client.assigned = assigned.sort((a, b) => order.indexOf(a.topicId) - order.indexOf(b.topicId))
  }

  #bodyOf({ args }: Step, client: Client, { memberId, generation, instanceId }: Speaker, version: number): Body {
    const { names, regex } = SUBSCRIPTIONS[String(args.subscription)]!
    const subscription = { subscribedTopicNames: names, ...(version >= 1 ? { subscribedTopicRegex: regex } : {}) }
    const serverAssignor = args.assignor === 'none' ? null : args.assignor
    const own = { groupId: this.groupId, memberId, instanceId, memberEpoch: generation }
    const metadata = { rebalanceTimeoutMs: NEVER_MS, ...subscription, serverAssignor }
    const bodies: Record<string, Body> = {
      join: { memberEpoch: JOINING, ...metadata, topicPartitions: [] },
      ack: { topicPartitions: client.assigned },
      nothing: {},
      unrevoked: { topicPartitions: client.before },
      part: { topicPartitions: client.assigned.slice(0, 1).map(firstHalf) },
      full: { ...metadata, topicPartitions: client.assigned },
      subscribe: subscription,
      leave: { memberEpoch: LEAVING },
      'leave static': { memberEpoch: LEAVING_STATIC },
      foreign: { topicPartitions: [{ topicId: this.#topicIds.get('fuzz-c'), partitions: [0, 5, 77] }] },
      'epoch -3': { memberEpoch: -3 },
      'no timeout': { memberEpoch: JOINING, ...metadata, rebalanceTimeoutMs: -1, topicPartitions: [] },
    }
    return { ...own, ...bodies[String(args.kind)] }
  }

  async #describe(): Promise<{ isBehind: boolean; regexes: string[]; withRegex: ReadonlySet<string> }> {
    const { groups } = await this.#side.quietly('ConsumerGroupDescribe', 1, { groupIds: [this.groupId] })
    const [{ groupEpoch, assignmentEpoch, members }] = groups
    const regexes = members.flatMap(({ subscribedTopicRegex }: Body) => subscribedTopicRegex || [])
    // What nobody has any more is forgotten.
    for (const regex of this.#resolved) if (!regexes.includes(regex)) this.#resolved.delete(regex)
    const withRegex = new Set<string>()
    for (const { memberId, subscribedTopicRegex } of members) if (subscribedTopicRegex) withRegex.add(memberId)
    return { isBehind: groupEpoch > assignmentEpoch, regexes, withRegex }
  }

  /** Whether the members have regular expressions, and the topics of none are known. */
  async isUnresolved(): Promise<boolean> {
    const { regexes } = await this.#describe()
    return regexes.length > 0 && this.#resolved.size === 0
  }

  /** Waits until the topics of regular expressions are known: the group goes on by an epoch, in which nothing is assigned. */
  async #untilResolved(): Promise<void> {
    for (let attempt = 0; attempt < 1000; attempt++) {
      const { isBehind, regexes } = await this.#describe()
      if (regexes.length === 0) return
      if (isBehind) {
        this.#resolved = new Set(regexes)
        return
      }
      await sleep(2)
    }
    throw new Error(`${this.#side.broker.kind}: ${this.groupId}: regular expressions are not resolved`)
  }
}

/** Who is not in the group has to join before anything else. */
function joining(step: Step, client: Client): Step {
  const { generation, kind } = step.args
  if (client.generation > 0 || generation !== 'own' || String(kind).startsWith('leave')) return step
  return { ...step, args: { ...step.args, kind: kind === 'no timeout' ? kind : 'join' } }
}

/**
 * A member that joins does so under its own names: when one comes again under another instance id, Apache Kafka never
 * forgets the first one, and nobody else can join under it.
 */
function asSpeaker({ args }: Step, client: Client, speaker: Speaker): Speaker {
  const joins = args.kind === 'join' || args.kind === 'no timeout' || speaker.generation === JOINING
  return joins && speaker.memberId !== '' ? client : speaker
}

function firstHalf({ topicId, partitions }: Body): Body {
  return { topicId, partitions: partitions.slice(0, Math.ceil(partitions.length / 2)) }
}
