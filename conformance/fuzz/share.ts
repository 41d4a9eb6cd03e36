import type { Body } from '../differential/probe.ts'
import { sleep } from '../harness/process.ts'
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
import { anyVersion, type Machine, type Play, type Step } from './machine.ts'
import { TOPICS } from './pair.ts'
import type { Random } from './random.ts'
import type { Side } from './side.ts'

const CLIENTS = 5
const JOINING = 0
const LEAVING = -1

const SUBSCRIPTIONS: Readonly<Record<string, readonly string[] | null>> = {
  a: ['fuzz-a'],
  c: ['fuzz-c'],
  ab: ['fuzz-a', 'fuzz-b'],
  nothing: [],
  missing: ['fuzz-missing', 'fuzz-b'],
  none: null,
}
const SUBSCRIBED = { a: 8, c: 3, ab: 4, nothing: 0.5, missing: 0.7, none: 0.5 }
const BEATS = { join: 10, nothing: 12, subscribe: 4, leave: 4, 'epoch -3': 0.3, 'long behind': 0.5 }
const OPS = {
  ...OFFSET_OPS,
  beat: 30,
  'describe-share': 3,
  offsets: 3,
  'alter-offsets': 1,
  'delete-share-offsets': 1,
  strange: 1,
}

/** Share groups (KIP-932): who is in them, and what they are assigned. */
export function shareMachine(topicIds: ReadonlyMap<string, string>): Machine {
  return {
    name: 'share',
    length: 40,
    step: shareStep,
    start: async (side) => new SharePlay(side, topicIds),
  }
}

function shareStep(random: Random): Step {
  const op = random.weighted(OPS)
  if (isOffsetOp(op)) return offsetStep(random, op, CLIENTS)
  const client = random.between(0, CLIENTS - 1)
  const version = anyVersion(random, 'DescribeShareGroupOffsets')
  const subscription = random.weighted(SUBSCRIBED)
  const topic = random.pick(['fuzz-a', 'fuzz-b', 'fuzz-missing'])
  return { op, client, args: { kind: random.weighted(BEATS), subscription, version, topic, ...anySpeaker(random) } }
}

interface Client {
  readonly who: string
  readonly memberId: string
  readonly instanceId: null
  generation: number
}

const KEEP_ALIVE: Step = { op: 'beat', client: 0, args: { kind: 'nothing', subscription: 'none' } }

/** Where the clients of one group stand. */
class SharePlay implements Play {
  readonly #side: Side
  readonly #groupId: string
  readonly #topicIds: ReadonlyMap<string, string>
  readonly #clients: readonly Client[]

  constructor(side: Side, topicIds: ReadonlyMap<string, string>) {
    this.#side = side
    this.#groupId = side.name
    this.#topicIds = topicIds
    this.#clients = Array.from({ length: CLIENTS }, (_, index) => ({
      who: `sharer ${index}`,
      memberId: `m${index}`,
      instanceId: null,
      generation: 0,
    }))
  }

  async take(step: Step): Promise<void> {
    const client = this.#clients[step.client]!
    const other = this.#clients[(step.client + 1) % CLIENTS]!
    const speaker = speakerOf(step, client, other, [])
    if (isOffsetOp(step.op)) {
      return takeOffsetStep(this.#side, this.#groupId, step, client.who, speaker, this.#topicIds)
    }
    if (step.op === 'beat') return this.#beat(step, client, speaker)
    if (step.op === 'describe-share') return this.#describe(client.who)
    if (step.op === 'offsets') return this.#describeOffsets(client.who, Number(step.args.version))
    if (step.op === 'strange') return this.#beatAsConsumer(client)
    const topic = String(step.args.topic)
    if (step.op === 'alter-offsets') return this.#alterOffsets(client.who, topic)
    const request = { groupId: this.#groupId, topics: [{ topicName: topic }] }
    await this.#side.ask(client.who, 'DeleteShareGroupOffsets', 0, request)
  }

  async look(): Promise<void> {
    await this.#beatAll()
    await lookAtGroup(this.#side, this.#groupId)
    await this.#describe('look')
    await this.#describeOffsets('look', 1)
  }

  async end(): Promise<void> {}

  async #beat({ args }: Step, client: Client, { memberId, generation }: Speaker): Promise<void> {
    const names = SUBSCRIPTIONS[String(args.subscription)]
    // Who is not in the group has to join before anything else.
    const kind = client.generation === 0 && args.generation === 'own' && args.kind !== 'leave' ? 'join' : args.kind
    const bodies: Record<string, Body> = {
      join: { memberEpoch: JOINING, subscribedTopicNames: names },
      nothing: {},
      subscribe: { subscribedTopicNames: names },
      leave: { memberEpoch: LEAVING },
      'epoch -3': { memberEpoch: -3 },
      'long behind': { memberEpoch: Math.max(generation - 2, 1) },
    }
    const request = { groupId: this.#groupId, memberId, memberEpoch: generation, ...bodies[String(kind)] }
    const answer = await this.#side.ask(client.who, 'ShareGroupHeartbeat', 1, request, {
      note: `${kind} as ${JSON.stringify([memberId, generation])}`,
      // Who has which is up to the order of hash tables; and so is whether it has changed.
      normal: (response) => {
        response.assignment = null
      },
    })
    if (answer.errorCode !== 0) return
    const told = this.#clients.find((one) => one.memberId === memberId)
    if (told !== undefined) told.generation = Math.max(answer.memberEpoch, 0)
    await this.#untilInitialized()
  }

  /** Whoever has which: when all have been told, every partition is somebody's. */
  async #beatAll(): Promise<void> {
    const assigned = new Set<string>()
    for (let round = 0; round < 2; round++) {
      for (const client of this.#clients) {
        if (client.generation > 0) await this.#beat(KEEP_ALIVE, client, client)
      }
    }
    const { groups } = await this.#side.quietly('ShareGroupDescribe', 1, { groupIds: [this.#groupId] })
    for (const { memberId, assignment } of groups[0].members) {
      // Only the clients' own members have been told.
      if (!this.#clients.some((client) => client.memberId === memberId)) return
      for (const { topicName, partitions } of assignment.topicPartitions) {
        for (const partition of partitions) assigned.add(`${topicName}-${partition}`)
      }
    }
    const response = { assigned: [...assigned].sort().join() }
    this.#side.write('look', 'ShareGroupDescribe', 1, response, 'every partition is that of somebody')
  }

  /** The share state of new topics is made after the answer; its partitions are assigned from then on. */
  async #untilInitialized(): Promise<void> {
    for (let attempt = 0; attempt < 1000; attempt++) {
      const { groups } = await this.#side.quietly('ShareGroupDescribe', 1, { groupIds: [this.#groupId] })
      const members: Body[] = groups[0].members
      const wanted = new Set(members.flatMap(({ subscribedTopicNames }) => subscribedTopicNames))
      const groupId = this.#groupId
      const described = await this.#side.quietly('DescribeShareGroupOffsets', 0, {
        groups: [{ groupId, topics: null }],
      })
      const counts = new Map<string, number>(
        described.groups[0].topics.map(({ topicName, partitions }: Body) => [topicName, partitions.length]),
      )
      if ([...wanted].every((topic) => (TOPICS[topic] ?? 0) === (counts.get(topic) ?? 0))) return
      await sleep(2)
    }
    throw new Error(`${this.#side.broker.kind}: ${this.#groupId}: no share state`)
  }

  async #describe(who: string): Promise<void> {
    const normal = ({ groups }: Body) => {
      for (const { members } of groups ?? []) {
        sortMembers(this.#side, members)
        for (const member of members) {
          member.subscribedTopicNames.sort()
        }
        for (const member of members) member.assignment = { topicPartitions: [] }
      }
    }
    await this.#side.ask(who, 'ShareGroupDescribe', 1, { groupIds: [this.#groupId] }, { normal })
  }

  async #describeOffsets(who: string, version: number): Promise<void> {
    const request = { groups: [{ groupId: this.#groupId, topics: null }] }
    await this.#side.ask(who, 'DescribeShareGroupOffsets', version, request)
  }

  async #alterOffsets(who: string, topicName: string): Promise<void> {
    const partitions = [{ partitionIndex: 0, startOffset: 0 }]
    const request = { groupId: this.#groupId, topics: [{ topicName, partitions }] }
    await this.#side.ask(who, 'AlterShareGroupOffsets', 0, request)
  }

  /** The group is of another kind, which is refused, unless there is none yet. */
  async #beatAsConsumer(client: Client): Promise<void> {
    const { groups } = await this.#side.quietly('ShareGroupDescribe', 1, { groupIds: [this.#groupId] })
    if (groups[0].errorCode !== 0) return
    await this.#side.ask(client.who, 'ConsumerGroupHeartbeat', 1, {
      groupId: this.#groupId,
      memberId: client.memberId,
      memberEpoch: JOINING,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['fuzz-a'],
      topicPartitions: [],
    })
  }
}
