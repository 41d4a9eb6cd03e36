import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { UsageError } from '../console.ts'
import { type AdminClient, AdminError, check } from './client.ts'
import type { TopicPartition } from './group-info.ts'
import { byTopic, comparePartitions, describeTopics, listTopics } from './topic-info.ts'

/** What an offset is asked for by, in place of a time. */
export const LATEST = -1
export const EARLIEST = -2

const CONSUMER = -1

export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

/** Leaders of partitions, by their names; null where there is none. Partitions that do not exist are left out. */
export async function leadersOf(
  admin: AdminClient,
  partitions: readonly TopicPartition[],
): Promise<Map<string, number | null>> {
  const wanted = new Set(partitions.map(({ topic }) => topic))
  const there = (await listTopics(admin)).filter(({ name }) => wanted.has(name))
  const described = await describeTopics(
    admin,
    there.map(({ name }) => name),
  )
  return new Map(
    described.flatMap(({ name, partitions }) =>
      partitions.map(({ partition, leader }) => [partitionName({ topic: name, partition }), leader] as const),
    ),
  )
}

/** Throws UsageError. */
function parseTopicPartitions(text: string): TopicPartition[] {
  const match = /^([^:]+):([0-9]{1,10}(?:,[0-9]{1,10})*)$/.exec(text)
  if (match === null)
    throw new UsageError(`--topic takes a topic, or topic:0,1 for some of its partitions, not '${text}'`)
  return match[2]!.split(',').map((partition) => ({ topic: match[1]!, partition: Number(partition) }))
}

/** The partitions that --topic names: topic, or topic:0,1. Throws UsageError, AdminError. */
export async function partitionsOf(admin: AdminClient, texts: readonly string[]): Promise<TopicPartition[]> {
  const named = texts.filter((text) => text.includes(':')).flatMap(parseTopicPartitions)
  const whole = [...new Set(texts.filter((text) => !text.includes(':')))]
  const described = await describeTopics(admin, whole)
  const all = described.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  )
  const once = new Map([...named, ...all].map((partition) => [partitionName(partition), partition]))
  return [...once.values()].sort(comparePartitions)
}

/**
 * The offsets of partitions at a time (in milliseconds, LATEST or EARLIEST), by their names; -1 where there is no record
 * as late. Partitions without a leader are left out.
 */
export async function listOffsets(
  admin: AdminClient,
  partitions: readonly TopicPartition[],
  timestamp: number,
): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  await admin.retrying(async () => {
    const missing = partitions.filter((partition) => !found.has(partitionName(partition)))
    if (missing.length === 0) return
    const leaders = await leadersOf(admin, missing)
    const byLeader = new Map<number, TopicPartition[]>()
    for (const partition of missing) {
      const leader = leaders.get(partitionName(partition))
      if (leader != null) byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition])
    }
    for (const [leader, led] of byLeader) await askLeader(admin, leader, led, timestamp, found)
  })
  return found
}

async function askLeader(
  admin: AdminClient,
  leader: number,
  partitions: readonly TopicPartition[],
  timestamp: number,
  found: Map<string, number>,
): Promise<void> {
  const topics = byTopic(partitions).map(([name, indexes]) => ({
    name,
    partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp })),
  }))
  const body = () => ({ replicaId: CONSUMER, topics, timeoutMs: admin.requestTimeoutMs })
  const answer = await admin.broker(leader, apis.ListOffsets, body, 1)
  let failure: AdminError | undefined
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode, offset } of partitions) {
      const key = partitionName({ topic: name, partition: partitionIndex })
      if (errorCode === 0) found.set(key, offset)
      else failure = new AdminError(errorCode, key)
    }
  }
  if (failure !== undefined) throw failure
}

/** Commits offsets for a group without members. Throws AdminError for the first that is refused. */
export async function commitOffsets(
  admin: AdminClient,
  group: string,
  offsets: readonly (TopicPartition & { readonly offset: number })[],
): Promise<void> {
  if (offsets.length === 0) return
  const ids = new Map((await listTopics(admin)).map(({ name, id }) => [name, id]))
  const offsetOf = new Map(offsets.map((entry) => [partitionName(entry), entry.offset]))
  const topics = byTopic(offsets).map(([name, indexes]) => ({
    name,
    ...(ids.has(name) ? { topicId: ids.get(name)! } : {}),
    partitions: indexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: offsetOf.get(partitionName({ topic: name, partition: partitionIndex }))!,
      committedMetadata: '',
    })),
  }))
  await admin.retrying(async () => {
    const answer = await admin.coordinator(group, apis.OffsetCommit, () => ({ groupId: group, topics }), 2)
    for (const { errorCode } of answer.topics.flatMap(({ partitions }) => partitions)) {
      if (errorCode === errors.UNKNOWN_MEMBER_ID.code) {
        throw new AdminError(errorCode, `group ${group} has members; stop them first`)
      }
      check(errorCode)
    }
  })
}
