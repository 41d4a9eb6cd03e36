import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import type { DescribeTopicPartitionsResponse } from '../../protocol/messages/describe-topic-partitions.ts'
import { UsageError } from '../console.ts'
import { type AdminClient, AdminError, check, UnsupportedError } from './client.ts'

export interface TopicListing {
  readonly name: string
  readonly id: string
  readonly internal: boolean
}

export interface PartitionInfo {
  readonly partition: number
  /** null where there is none, or it is not available. */
  readonly leader: number | null
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** null where the cluster does not tell. */
  readonly elr: readonly number[] | null
  readonly lastKnownElr: readonly number[] | null
}

export interface TopicInfo extends TopicListing {
  /** In ascending order. */
  readonly partitions: readonly PartitionInfo[]
}

const PARTITIONS_PER_RESPONSE = 2000

/** The topics that --exclude-internal leaves out. */
const INTERNAL_TOPICS = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state'])

/** Every topic, by name in ascending order. */
export async function listTopics(admin: AdminClient): Promise<TopicListing[]> {
  const { topics } = await admin.any(apis.Metadata, (version) => ({
    topics: version === 0 ? [] : null,
    allowAutoTopicCreation: false,
  }))
  return topics
    .map(({ name, topicId, isInternal }) => ({ name: name ?? '', id: topicId, internal: isInternal }))
    .sort((a, b) => compareText(a.name, b.name))
}

/** By code units, as Java compares strings. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * Whether a topic is wanted: its whole name is matched by a regular expression, in which a comma is an alternative, as in
 * Apache Kafka's tools. Throws UsageError for an expression that is none.
 */
export function topicFilter(expression: string | undefined, excludeInternal = false): (topic: TopicListing) => boolean {
  const isMatch = expression === undefined ? () => true : matcher(expression)
  return ({ name }) => isMatch(name) && !(excludeInternal && INTERNAL_TOPICS.has(name))
}

function matcher(expression: string): (name: string) => boolean {
  const source = expression
    .trim()
    .replaceAll(',', '|')
    .replaceAll(' ', '')
    .replace(/^["']+|["']+$/g, '')
  try {
    const regExp = new RegExp(`^(?:${source})$`)
    return (name) => regExp.test(name)
  } catch {
    throw new UsageError(`'${expression}' is no regular expression`)
  }
}

/** The topics of these names, in ascending order. Throws AdminError UNKNOWN_TOPIC_OR_PARTITION where one is not there. */
export async function describeTopics(
  admin: AdminClient,
  names: readonly string[],
  partitionsPerResponse = PARTITIONS_PER_RESPONSE,
): Promise<TopicInfo[]> {
  if (names.length === 0) return []
  const { brokers } = await admin.cluster()
  const leaderOf = (id: number) => (brokers.has(id) ? id : null)
  try {
    return await describePage(admin, names, partitionsPerResponse, leaderOf)
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error
    return await describeByMetadata(admin, names, leaderOf)
  }
}

type LeaderOf = (id: number) => number | null

interface Cursor {
  readonly topicName: string
  readonly partitionIndex: number
}

function askPage(
  admin: AdminClient,
  topics: readonly { readonly name: string }[],
  responsePartitionLimit: number,
  cursor: Cursor | null,
): Promise<DescribeTopicPartitionsResponse> {
  const rest = cursor === null ? topics : topics.filter(({ name }) => compareText(name, cursor.topicName) >= 0)
  return admin.any(apis.DescribeTopicPartitions, () => ({ topics: rest, responsePartitionLimit, cursor }))
}

async function describePage(
  admin: AdminClient,
  names: readonly string[],
  responsePartitionLimit: number,
  leaderOf: LeaderOf,
): Promise<TopicInfo[]> {
  const found = new Map<string, TopicListing & { partitions: PartitionInfo[] }>()
  const topics = [...names].sort(compareText).map((name) => ({ name }))
  let cursor: Cursor | null = null
  do {
    const answer = await askPage(admin, topics, responsePartitionLimit, cursor)
    for (const topic of answer.topics) {
      checkTopic(topic.errorCode, topic.name)
      const name = topic.name ?? ''
      const partitions = topic.partitions.map((partition) => ({
        partition: partition.partitionIndex,
        leader: leaderOf(partition.leaderId),
        replicas: partition.replicaNodes,
        isr: partition.isrNodes,
        elr: partition.eligibleLeaderReplicas,
        lastKnownElr: partition.lastKnownElr,
      }))
      const before = found.get(name)
      if (before === undefined) found.set(name, { name, id: topic.topicId, internal: topic.isInternal, partitions })
      else before.partitions.push(...partitions)
    }
    cursor = answer.nextCursor
  } while (cursor !== null)
  for (const { partitions } of found.values()) partitions.sort((a, b) => a.partition - b.partition)
  return [...found.values()].sort((a, b) => compareText(a.name, b.name))
}

/** Brokers from before KIP-966 tell nothing of eligible leader replicas. */
async function describeByMetadata(
  admin: AdminClient,
  names: readonly string[],
  leaderOf: LeaderOf,
): Promise<TopicInfo[]> {
  const { topics } = await admin.any(
    apis.Metadata,
    () => ({ topics: names.map((name) => ({ name })), allowAutoTopicCreation: false }),
    1,
  )
  const infos = topics.map((topic) => {
    checkTopic(topic.errorCode, topic.name)
    const partitions = topic.partitions.map((partition) => ({
      partition: partition.partitionIndex,
      leader: leaderOf(partition.leaderId),
      replicas: partition.replicaNodes,
      isr: partition.isrNodes,
      elr: null,
      lastKnownElr: null,
    }))
    partitions.sort((a, b) => a.partition - b.partition)
    return { name: topic.name ?? '', id: topic.topicId, internal: topic.isInternal, partitions }
  })
  return infos.sort((a, b) => compareText(a.name, b.name))
}

function checkTopic(code: number, name: string | null): void {
  if (code === errors.UNKNOWN_TOPIC_OR_PARTITION.code) throw new AdminError(code, `topic ${name} does not exist`)
  check(code, name)
}

export interface Reassignment {
  readonly topic: string
  readonly partition: number
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}

/** The reassignments that go on, in order of topic and partition; of the given partitions, or of all. */
export async function listReassignments(
  admin: AdminClient,
  of: readonly { readonly topic: string; readonly partition: number }[] | null,
): Promise<Reassignment[]> {
  const topics = of === null ? null : byTopic(of).map(([name, partitionIndexes]) => ({ name, partitionIndexes }))
  const timeoutMs = admin.requestTimeoutMs
  const answer = await admin.retrying(async () => {
    const response = await admin.controller(apis.ListPartitionReassignments, () => ({ timeoutMs, topics }))
    check(response.errorCode, response.errorMessage)
    return response
  })
  return answer.topics
    .flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, replicas, addingReplicas, removingReplicas }) => ({
        topic: name,
        partition: partitionIndex,
        replicas,
        adding: addingReplicas,
        removing: removingReplicas,
      })),
    )
    .sort(comparePartitions)
}

export function comparePartitions(
  a: { readonly topic: string; readonly partition: number },
  b: { readonly topic: string; readonly partition: number },
): number {
  return compareText(a.topic, b.topic) || a.partition - b.partition
}

/** The partitions, gathered by topic. */
export function byTopic(
  partitions: Iterable<{ readonly topic: string; readonly partition: number }>,
): [string, number[]][] {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition])
  return [...topics]
}
