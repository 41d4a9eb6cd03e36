import type { Body } from '../differential/probe.ts'
import { anyVersion, type Step } from './machine.ts'
import { TOPICS } from './pair.ts'
import type { Random } from './random.ts'
import type { Side } from './side.ts'

/** As whom a member of a group speaks: with its member id and its generation or epoch. */
export interface Speaker {
  readonly memberId: string
  /** Of the classic protocol, or the epoch of the new one. */
  readonly generation: number
  readonly instanceId: string | null
}

export const topicNames: readonly string[] = Object.keys(TOPICS)
const MISSING_TOPIC = 'fuzz-missing'
const MISSING_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAABgA'
/** `offset.metadata.max.bytes` is 4096. */
const OVERSIZED = 'm'.repeat(5000)
/** A member id that is or ends with a random UUID. */
const BROKER_MADE = /^[\w-]{22}$|-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Members in the order of their names: brokers take them from hash tables. Who waits for an answer has no name yet. */
export function sortMembers(side: Side, members: Body[]): void {
  for (const member of members) {
    if (BROKER_MADE.test(member.memberId) && !side.symbols.has(member.memberId)) member.memberId = '<not told yet>'
  }
  const orderOf = (member: Body) => JSON.stringify([side.symbols.get(member.memberId) ?? member.memberId, member])
  members.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
}

export function sortPartitions({ topicPartitions }: Body): void {
  for (const { partitions } of topicPartitions) partitions.sort((a: number, b: number) => a - b)
}

const GENERATIONS = { own: 12, behind: 1, ahead: 1, none: 1 }
const MEMBERS = { own: 14, nobody: 1, none: 1, other: 1, old: 1 } as const
const INSTANCES = { own: 14, none: 1, other: 1, unknown: 1 }

/** As whom a request is sent: mostly as oneself, but also with what belongs to others, or does no more. */
export function anySpeaker(random: Random): { generation: string; member: string; instance: string } {
  return {
    generation: random.weighted(GENERATIONS),
    member: random.weighted(MEMBERS),
    instance: random.weighted(INSTANCES),
  }
}

/** What the step's words mean for the client. `old`: ids that it had before, the last one last. */
export function speakerOf(step: Step, own: Speaker, other: Speaker, old: readonly string[]): Speaker {
  const { generation, member, instance } = step.args
  const memberIds: Record<string, string> = {
    own: own.memberId,
    nobody: 'nobody',
    none: '',
    other: other.memberId,
    old: old.at(-1) ?? 'nobody',
  }
  const generations: Record<string, number> = {
    own: own.generation,
    behind: own.generation - 1,
    ahead: own.generation + 1,
    none: -1,
  }
  const instances: Record<string, string | null> = {
    own: own.instanceId,
    none: null,
    other: other.instanceId,
    unknown: 'i-unknown',
  }
  return {
    memberId: memberIds[String(member)]!,
    generation: generations[String(generation)]!,
    instanceId: instances[String(instance)]!,
  }
}

type OffsetOp = 'commit' | 'fetch' | 'delete-offsets' | 'describe' | 'list' | 'delete-group'
export const OFFSET_OPS: Readonly<Record<OffsetOp, number>> = {
  commit: 6,
  fetch: 3,
  'delete-offsets': 1,
  describe: 2,
  list: 1,
  'delete-group': 1,
}

export function isOffsetOp(op: string): op is OffsetOp {
  return op in OFFSET_OPS
}

/** A request about a group that any kind of group answers. */
export function offsetStep(random: Random, op: OffsetOp, clients: number): Step {
  const client = random.between(0, clients - 1)
  const topic = random.chance(0.08) ? MISSING_TOPIC : random.pick(topicNames)
  const partitions = random.chance(0.1) ? [0, 99] : random.pick([[0], [1], [0, 1, 2]])
  const common = { topic, partitions, ...anySpeaker(random) }
  if (op === 'commit') {
    const version = anyVersion(random, 'OffsetCommit')
    const offset = random.between(0, 50)
    return { op, client, args: { version, offset, metadata: random.pick(['', 'm', null, 'oversized']), ...common } }
  }
  if (op === 'fetch') {
    const version = anyVersion(random, 'OffsetFetch')
    return { op, client, args: { version, all: random.chance(0.4), stable: random.chance(0.5), ...common } }
  }
  if (op === 'delete-offsets') return { op, client, args: common }
  if (op === 'describe') {
    const version = anyVersion(random, random.chance(0.5) ? 'DescribeGroups' : 'ConsumerGroupDescribe')
    return { op, client, args: { api: random.pick(['DescribeGroups', 'ConsumerGroupDescribe']), version } }
  }
  if (op === 'list') {
    const filter = random.pick(['', 'Stable', 'Empty', 'consumer', 'classic', 'unheard-of'])
    return { op, client, args: { version: anyVersion(random, 'ListGroups'), filter } }
  }
  return { op, client, args: { version: anyVersion(random, 'DeleteGroups') } }
}

/** Sends what `offsetStep` says for the client called `who`. */
export async function takeOffsetStep(
  side: Side,
  groupId: string,
  step: Step,
  who: string,
  speaker: Speaker,
  topicIds: ReadonlyMap<string, string>,
): Promise<void> {
  const { args, op } = step
  const version = Number(args.version)
  if (op === 'commit') await commit(side, groupId, step, who, speaker, topicIds)
  else if (op === 'fetch') await fetch(side, groupId, step, who, speaker, topicIds)
  else if (op === 'delete-offsets') {
    const partitions = (args.partitions as number[]).map((partitionIndex) => ({ partitionIndex }))
    await side.ask(who, 'OffsetDelete', 0, { groupId, topics: [{ name: args.topic, partitions }] })
  } else if (op === 'describe') {
    if (args.api === 'DescribeGroups') await describeClassic(side, groupId, who, Math.min(version, 6))
    else await describeConsumer(side, groupId, who, Math.min(version, 1))
  } else if (op === 'list') await list(side, version, String(args.filter), who)
  else await side.ask(who, 'DeleteGroups', version, { groupsNames: [groupId] })
}

async function commit(
  side: Side,
  groupId: string,
  { args }: Step,
  who: string,
  { memberId, generation, instanceId }: Speaker,
  topicIds: ReadonlyMap<string, string>,
): Promise<void> {
  const version = Number(args.version)
  const name = String(args.topic)
  // Refused as the first thing that a group hears, it makes Apache Kafka have a group that nobody sees until later.
  const isOversized = args.metadata === 'oversized' && (await isThere(side, groupId))
  const committedMetadata = isOversized ? OVERSIZED : (args.metadata as string | null)
  const partitions = (args.partitions as number[]).map((partitionIndex) => ({
    partitionIndex,
    committedOffset: args.offset,
    committedMetadata,
  }))
  const topic = version >= 10 ? { topicId: topicIds.get(name) ?? MISSING_TOPIC_ID } : { name }
  await side.ask(who, 'OffsetCommit', version, {
    groupId,
    generationIdOrMemberEpoch: generation,
    memberId,
    ...(version >= 7 ? { groupInstanceId: instanceId } : {}),
    topics: [{ ...topic, partitions }],
  })
}

async function isThere(side: Side, groupId: string): Promise<boolean> {
  if ((await stateOf(side, groupId)) !== 'Dead') return true
  const { groups } = await side.quietly('ConsumerGroupDescribe', 1, { groupIds: [groupId] })
  return groups[0].errorCode === 0
}

/** `Dead` where there is no classic group of this name. */
export async function stateOf(side: Side, groupId: string): Promise<string> {
  const { groups } = await side.quietly('DescribeGroups', 5, { groups: [groupId] })
  return groups[0].groupState
}

async function fetch(
  side: Side,
  groupId: string,
  { args }: Step,
  who: string,
  { memberId, generation }: Speaker,
  topicIds: ReadonlyMap<string, string>,
): Promise<void> {
  const version = Number(args.version)
  const name = String(args.topic)
  const partitionIndexes = args.partitions
  const requireStable = version >= 7 ? { requireStable: args.stable } : {}
  if (version < 8) {
    const topics = args.all && version >= 2 ? null : [{ name, partitionIndexes }]
    await side.ask(who, 'OffsetFetch', version, { groupId, topics, ...requireStable })
    return
  }
  const which = version >= 10 ? { topicId: topicIds.get(name) ?? MISSING_TOPIC_ID } : { name }
  const member = version >= 9 && memberId !== '' ? { memberId, memberEpoch: generation } : {}
  const topics = args.all ? null : [{ ...which, partitionIndexes }]
  await side.ask(who, 'OffsetFetch', version, { groups: [{ groupId, ...member, topics }], ...requireStable })
}

async function list(side: Side, version: number, filter: string, who: string): Promise<void> {
  const isType = ['consumer', 'classic'].includes(filter)
  const states = filter === '' || isType ? [] : [filter]
  const request = {
    ...(version >= 4 ? { statesFilter: states } : {}),
    ...(version >= 5 ? { typesFilter: isType ? [filter] : [] } : {}),
  }
  const normal = (response: Body) => {
    response.groups = response.groups?.filter(({ groupId }: Body) => groupId.startsWith(side.name))
  }
  await side.ask(who, 'ListGroups', version, request, { normal })
}

async function describeClassic(side: Side, groupId: string, who: string, version: number): Promise<void> {
  const normal = ({ groups }: Body) => {
    for (const { members } of groups ?? []) {
      for (const member of members) member.memberAssignment = readableAssignment(member.memberAssignment)
      sortMembers(side, members)
    }
  }
  await side.ask(who, 'DescribeGroups', version, { groups: [groupId] }, { normal })
}

async function describeConsumer(side: Side, groupId: string, who: string, version: number): Promise<void> {
  const normal = ({ groups }: Body) => {
    for (const { members } of groups ?? []) {
      sortMembers(side, members)
      for (const member of members) {
        member.subscribedTopicNames.sort()
        for (const assignment of [member.assignment, member.targetAssignment]) sortPartitions(assignment)
      }
    }
  }
  await side.ask(who, 'ConsumerGroupDescribe', version, { groupIds: [groupId] }, { normal })
}

/** All that there is to see of the group and its offsets. */
export async function lookAtGroup(side: Side, groupId: string): Promise<void> {
  await describeClassic(side, groupId, 'look', 6)
  await describeConsumer(side, groupId, 'look', 1)
  await list(side, 5, '', 'look')
  for (const requireStable of [true, false]) {
    await side.ask('look', 'OffsetFetch', 8, { groups: [{ groupId, topics: null }], requireStable })
  }
}

/** The subscription that classic consumers send as their metadata, version 1; owned partitions by topic. */
export function subscriptionBytes(topics: readonly string[]): Buffer {
  const parts: Buffer[] = [int16(1), int32(topics.length)]
  for (const topic of topics) parts.push(int16(topic.length), Buffer.from(topic))
  parts.push(int32(-1), int32(0))
  return Buffer.concat(parts)
}

/** The assignment that leaders of classic consumers send: one partition of one topic. */
export function assignmentBytes(topic: string, partition: number): Buffer {
  const name = [int16(topic.length), Buffer.from(topic)]
  return Buffer.concat([int16(1), int32(1), ...name, int32(1), int32(partition), int32(-1)])
}

/** The topics of an assignment made by `assignmentBytes` or a broker, in an order: brokers take them from hash tables. */
export function readableAssignment(bytes: Buffer): string {
  if (bytes.length === 0) return ''
  const topics: string[] = []
  let at = 6
  for (let left = bytes.readInt32BE(2); left > 0; left--) {
    const end = at + 2 + bytes.readInt16BE(at)
    const topic = bytes.toString('utf8', at + 2, end)
    const count = bytes.readInt32BE(end)
    const partitions = Array.from({ length: count }, (_, index) => bytes.readInt32BE(end + 4 + 4 * index))
    topics.push(`${topic}: ${partitions.sort().join()}`)
    at = end + 4 + 4 * count
  }
  return `version ${bytes.readInt16BE(0)}, ${topics.sort().join('; ')}, ${bytes.toString('hex', at)}`
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
