import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { partitionRecord, partitionRecordVersion } from '../metadata/snapshot-records.ts'
import type { TopicImage } from '../metadata/types.ts'
import { errors } from '../protocol/errors.ts'
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '../protocol/messages/create-partitions.ts'
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/messages/delete-topics.ts'
import { ZERO_UUID } from '../protocol/uuid.ts'
import { checkManualAssignment, firstState, type NewPartition, newPartition, placePartitions } from './placement.ts'
import {
  checkMutations,
  checkRecordCount,
  type Decision,
  type DecisionContext,
  type Outcome,
  outcomeOf,
  outcomeOfError,
  Refusal,
  refuse,
} from './result.ts'

type Topic = CreatePartitionsRequest['topics'][number]
type Deleted = DeleteTopicsResponse['responses'][number]

/** Decides a DeleteTopics request. Throws Refusal where it is refused as a whole. */
export function deleteTopics(
  context: DecisionContext,
  request: DeleteTopicsRequest,
  version: number,
): Decision<DeleteTopicsResponse> {
  if (!context.config.get('delete.topic.enable')) {
    if (version < 3) throw new Refusal('INVALID_REQUEST', 'This version does not support topic deletion.')
    throw new Refusal('TOPIC_DELETION_DISABLED', null)
  }
  const asked = [...request.topicNames.map((name) => ({ name, topicId: ZERO_UUID })), ...request.topics]
  const nameCounts = countBy(asked, ({ name, topicId }) => (topicId === ZERO_UUID ? name : null))
  const idCounts = countBy(asked, ({ name, topicId }) => (name === null && topicId !== ZERO_UUID ? topicId : null))
  const responses: Deleted[] = []
  const doomed = new Map<string, TopicImage>()
  const answered = new Set<string>()
  // Topics named by id come first: a name that leads to one of them is the mistake.
  for (const topic of [...asked].sort((a, b) => Number(a.name !== null) - Number(b.name !== null))) {
    const count = topic.name === null ? idCounts.get(topic.topicId) : nameCounts.get(topic.name)
    const key = `${topic.name} ${topic.topicId}`
    if (answered.has(key) && (count ?? 1) > 1) continue
    answered.add(key)
    try {
      const found = findDoomed(context, topic, count ?? 1)
      if (doomed.has(found.id) || (topic.name !== null && (idCounts.get(found.id) ?? 0) > 1)) {
        doomed.delete(found.id)
        const text = 'The provided topic name maps to an ID that was already supplied.'
        responses.push({ name: topic.name, topicId: found.id, ...outcomeOfError(new Refusal('INVALID_REQUEST', text)) })
      } else doomed.set(found.id, found)
    } catch (error) {
      responses.push({ ...topic, ...outcomeOfError(error) })
    }
  }
  const records: MetadataRecord[] = []
  for (const { id, name, partitions } of doomed.values()) {
    const outcome = outcomeOf(() => {
      checkMutations(context, partitions.size, errors.THROTTLING_QUOTA_EXCEEDED.message)
      records.push(metadataRecord('RemoveTopic', { topicId: id }))
    })
    responses.push({ name, topicId: id, ...outcome })
  }
  checkRecordCount(records)
  return { records, response: { throttleTimeMs: 0, responses } }
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string | null): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) {
    const key = keyOf(item)
    if (key !== null) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

function findDoomed(
  { head }: DecisionContext,
  { name, topicId }: { name: string | null; topicId: string },
  count: number,
): TopicImage {
  if (name === null) {
    if (topicId === ZERO_UUID) throw new Refusal('INVALID_REQUEST', 'Neither topic name nor id were specified.')
    if (count > 1) throw new Refusal('INVALID_REQUEST', 'Duplicate topic id.')
    const topic = head.topics.byId(topicId)
    if (topic === undefined) throw refuse('UNKNOWN_TOPIC_ID')
    return topic
  }
  if (topicId !== ZERO_UUID) throw new Refusal('INVALID_REQUEST', 'You may not specify both topic name and topic id.')
  if (count > 1) throw new Refusal('INVALID_REQUEST', 'Duplicate topic name.')
  const topic = head.topics.byName(name)
  if (topic === undefined) throw refuse('UNKNOWN_TOPIC_OR_PARTITION')
  return topic
}

/** Decides a CreatePartitions request. Throws Refusal where it is refused as a whole. */
export function createPartitions(
  context: DecisionContext,
  request: CreatePartitionsRequest,
): Decision<CreatePartitionsResponse> {
  const counts = countBy(request.topics, ({ name }) => name)
  const records: MetadataRecord[] = []
  const results: CreatePartitionsResponse['results'] = []
  for (const [name, count] of counts) {
    if (count < 2) continue
    results.push({ name, ...outcomeOfError(new Refusal('INVALID_REQUEST', 'Duplicate topic name.')) })
  }
  for (const topic of request.topics) {
    if (counts.get(topic.name)! > 1) continue
    const outcome: Outcome = outcomeOf(() => records.push(...addPartitions(context, topic)))
    results.push({ name: topic.name, ...outcome })
  }
  checkRecordCount(records)
  return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, results } }
}

function addPartitions(context: DecisionContext, asked: Topic): MetadataRecord[] {
  const { head } = context
  const topic = head.topics.byName(asked.name)
  if (topic === undefined) throw new Refusal('UNKNOWN_TOPIC_OR_PARTITION', null)
  const existing = topic.partitions.size
  if (asked.count === existing) {
    throw new Refusal('INVALID_PARTITIONS', `Topic already has ${existing} partition(s).`)
  }
  if (asked.count < existing) {
    throw new Refusal(
      'INVALID_PARTITIONS',
      `The topic ${asked.name} currently has ${existing} partition(s); ${asked.count} would not be an increase.`,
    )
  }
  const additional = asked.count - existing
  if (asked.assignments !== null && asked.assignments.length !== additional) {
    throw new Refusal(
      'INVALID_REPLICA_ASSIGNMENT',
      `Attempted to add ${additional} additional partition(s), but only ${asked.assignments.length} assignment(s) ` +
        'were specified.',
    )
  }
  // Refused here, before a count of two thousand million has been written out.
  if (additional > 10_000) {
    throw new Refusal('POLICY_VIOLATION', 'Unable to perform excessively large batch operation.')
  }
  checkMutations(context, additional)
  const factor = topic.partitions.get(0)?.replicas.length ?? 1
  const placed =
    asked.assignments === null
      ? placeMore(context, additional, factor)
      : asked.assignments.map(({ brokerIds }, index) => placeAsAsked(context, brokerIds, factor, existing + index))
  const version = partitionRecordVersion(head)
  return placed.map((partition, index) => partitionRecord(firstState(topic.id, existing + index, partition), version))
}

function placeMore(context: DecisionContext, count: number, factor: number): NewPartition[] {
  const placed = placePartitions(context, count, factor)
  if (placed.every((partition) => partition.isr.length > 0)) return placed
  throw new Refusal(
    'INVALID_REPLICATION_FACTOR',
    `Unable to replicate the partition ${factor} time(s): All brokers are currently fenced or in controlled shutdown.`,
  )
}

function placeAsAsked(
  { head }: DecisionContext,
  brokerIds: readonly number[],
  factor: number,
  partition: number,
): NewPartition {
  checkManualAssignment(head, brokerIds, factor)
  const placed = newPartition(head, brokerIds)
  if (placed.isr.length > 0) return placed
  throw new Refusal(
    'INVALID_REPLICA_ASSIGNMENT',
    `All brokers specified in the manual partition assignment for partition ${partition} are fenced or in ` +
      'controlled shutdown.',
  )
}
