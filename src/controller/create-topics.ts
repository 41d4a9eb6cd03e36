import { describeTopic } from '../config/describe.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { partitionRecord, partitionRecordVersion } from '../metadata/snapshot-records.ts'
import { ConfigResourceType } from '../metadata/types.ts'
import { randomUuid } from '../platform/random.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts'
import { ZERO_UUID } from '../protocol/uuid.ts'
import { MAX_BATCH_BYTES } from '../replication/raft/batches.ts'
import { type ConfigOperation, configRecords, OperationType } from './config-changes.ts'
import { checkManualAssignment, firstState, type NewPartition, newPartition, placePartitions } from './placement.ts'
import { checkNewTopic, type NewTopicRequest } from './policies.ts'
import {
  checkMutations,
  checkRecordCount,
  type Decision,
  type DecisionContext,
  MAX_RECORDS_PER_REQUEST,
  OK,
  type Outcome,
  outcomeOfError,
  Refusal,
} from './result.ts'
import { collisionKey, METADATA_TOPIC, topicNameFault } from './topic-names.ts'

type NewTopic = CreateTopicsRequest['topics'][number]
type Result = CreateTopicsResponse['topics'][number]

/** Names by collision key, for names that have one; made once a request. */
type Collisions = Map<string, string>

/**
 * Decides a CreateTopics request: one result a topic, and the records of those that succeed. Throws Refusal where the
 * request is refused as a whole.
 */
export function createTopics(context: DecisionContext, request: CreateTopicsRequest): Decision<CreateTopicsResponse> {
  const { duplicates, single } = splitDuplicates(request.topics)
  const allowed = single.filter((topic) => topic.name !== METADATA_TOPIC)
  checkPartitionCount(context, allowed)
  checkConfigSize(allowed)
  const collisions = findCollisions(context, allowed)
  const records: MetadataRecord[] = []
  const topics = allowed.map((topic) => createOne(context, topic, collisions, records))
  checkRecordCount(records)
  for (const name of duplicates) topics.push(failure(name, refusalOutcome('INVALID_REQUEST', 'Duplicate topic name.')))
  if (allowed.length < single.length) {
    const text = `Creation of internal topic ${METADATA_TOPIC} is prohibited.`
    topics.push(failure(METADATA_TOPIC, refusalOutcome('INVALID_REQUEST', text)))
  }
  return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, topics } }
}

function refusalOutcome(error: 'INVALID_REQUEST', text: string): Outcome {
  return outcomeOfError(new Refusal(error, text))
}

function splitDuplicates(topics: readonly NewTopic[]): { duplicates: Set<string>; single: NewTopic[] } {
  const seen = new Set<string>()
  const duplicates = new Set<string>()
  for (const { name } of topics) {
    if (seen.has(name)) duplicates.add(name)
    seen.add(name)
  }
  return { duplicates, single: topics.filter((topic) => !duplicates.has(topic.name)) }
}

function checkPartitionCount(context: DecisionContext, topics: readonly NewTopic[]): void {
  let total = 0
  for (const { assignments, numPartitions } of topics) {
    if (assignments.length > 0) total += assignments.length
    else if (numPartitions === -1) total += context.config.get('num.partitions')
    else if (numPartitions > 0) total += numPartitions
  }
  if (total > MAX_RECORDS_PER_REQUEST) {
    throw new Refusal('POLICY_VIOLATION', 'Excessively large number of partitions per request.')
  }
}

/** What does not fit one batch of metadata is refused before much time is spent on it: nobody else is served meanwhile. */
function checkConfigSize(topics: readonly NewTopic[]): void {
  let sizeBytes = 0
  for (const { configs } of topics)
    for (const { name, value } of configs) sizeBytes += name.length + (value?.length ?? 0)
  if (sizeBytes > MAX_BATCH_BYTES) throw new Refusal('POLICY_VIOLATION', 'Excessively large configs per request.')
}

function findCollisions({ head }: DecisionContext, topics: readonly NewTopic[]): Collisions {
  const collisions: Collisions = new Map()
  // Only names with such characters can collide, and most requests have none: then the topics are not even looked at.
  if (!topics.some(({ name }) => /[._]/.test(name))) return collisions
  for (const name of head.topics.names()) if (/[._]/.test(name)) collisions.set(collisionKey(name), name)
  return collisions
}

function createOne(
  context: DecisionContext,
  topic: NewTopic,
  collisions: Collisions,
  records: MetadataRecord[],
): Result {
  try {
    checkName(context, topic.name, collisions)
    const settings = checkSettings(topic)
    const topicId = randomUuid(context.random)
    const settingRecords = configRecords(
      context,
      { type: ConfigResourceType.topic, name: topic.name },
      settings.map(([name, value]): ConfigOperation => ({ name, operation: OperationType.set, value })),
      true,
    )
    const partitions = placeTopic(context, topic)
    checkNewTopic(context, policyRequest(topic, settings, partitions))
    checkMutations(context, partitions.length)
    const version = partitionRecordVersion(context.head)
    records.push(metadataRecord('Topic', { name: topic.name, topicId }), ...settingRecords)
    for (const [partition, placed] of partitions.entries()) {
      records.push(partitionRecord(firstState(topicId, partition, placed), version))
    }
    return success(context, topic.name, topicId, new Map(settings), partitions)
  } catch (error) {
    return failure(topic.name, outcomeOfError(error))
  }
}

function policyRequest(
  { name, assignments }: NewTopic,
  settings: readonly [string, string][],
  partitions: readonly NewPartition[],
): NewTopicRequest {
  const isManual = assignments.length > 0
  const replicas = partitions.map((placed, index) => [index, placed.replicas] as const)
  return {
    topic: name,
    numPartitions: isManual ? null : partitions.length,
    replicationFactor: isManual ? null : partitions[0]!.replicas.length,
    replicasAssignments: isManual ? Object.fromEntries(replicas) : null,
    configs: Object.fromEntries(settings),
  }
}

function checkName({ head }: DecisionContext, name: string, collisions: Collisions): void {
  if (head.topics.byName(name)) throw new Refusal('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`)
  const colliding = collisions.get(collisionKey(name))
  if (colliding !== undefined && /[._]/.test(name)) {
    throw new Refusal('INVALID_TOPIC_EXCEPTION', `Topic '${name}' collides with existing topic: ${colliding}`)
  }
  const fault = topicNameFault(name)
  if (fault !== undefined) throw new Refusal('INVALID_TOPIC_EXCEPTION', fault)
}

function checkSettings({ configs }: NewTopic): [string, string][] {
  const settings = new Map<string, string>()
  const withoutValue: string[] = []
  for (const { name, value } of configs) {
    if (value === null) withoutValue.push(name)
    else settings.set(name, value)
  }
  if (withoutValue.length > 0) {
    throw new Refusal('INVALID_CONFIG', `Null value not supported for topic configs: ${withoutValue.join(',')}`)
  }
  return [...settings]
}

function placeTopic(context: DecisionContext, topic: NewTopic): NewPartition[] {
  if (topic.assignments.length > 0) return placeManually(context, topic)
  if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
    throw new Refusal(
      'INVALID_REPLICATION_FACTOR',
      'Replication factor must be larger than 0, or -1 to use the default value.',
    )
  }
  if (topic.numPartitions < -1 || topic.numPartitions === 0) {
    throw new Refusal('INVALID_PARTITIONS', 'Number of partitions was set to an invalid non-positive value.')
  }
  const { config } = context
  const count = topic.numPartitions === -1 ? config.get('num.partitions') : topic.numPartitions
  const factor = topic.replicationFactor === -1 ? config.get('default.replication.factor') : topic.replicationFactor
  const refusal = (why: string) =>
    new Refusal('INVALID_REPLICATION_FACTOR', `Unable to replicate the partition ${factor} time(s): ${why}`)
  try {
    const placed = placePartitions(context, count, factor)
    if (placed.every((partition) => partition.isr.length > 0)) return placed
  } catch (error) {
    if (error instanceof Refusal) throw refusal(error.message)
    throw error
  }
  throw refusal('All brokers are currently fenced or in controlled shutdown.')
}

function placeManually({ head }: DecisionContext, topic: NewTopic): NewPartition[] {
  const clash = (what: string) =>
    new Refusal('INVALID_REQUEST', `A manual partition assignment was specified, but ${what} was not set to -1.`)
  if (topic.replicationFactor !== -1) throw clash('replication factor')
  if (topic.numPartitions !== -1) throw clash('numPartitions')
  const refusal = (text: string) => new Refusal('INVALID_REPLICA_ASSIGNMENT', text)
  const placed = new Map<number, NewPartition>()
  let factor: number | undefined
  for (const { partitionIndex, brokerIds } of topic.assignments) {
    if (placed.has(partitionIndex)) {
      throw refusal(`Found multiple manual partition assignments for partition ${partitionIndex}`)
    }
    checkManualAssignment(head, brokerIds, factor)
    factor = brokerIds.length
    const partition = newPartition(head, brokerIds)
    if (partition.isr.length === 0) {
      throw refusal(
        `All brokers specified in the manual partition assignment for partition ${partitionIndex} are fenced or in ` +
          'controlled shutdown.',
      )
    }
    placed.set(partitionIndex, partition)
  }
  const ordered: NewPartition[] = []
  for (let index = 0; index < placed.size; index++) {
    const partition = placed.get(index)
    if (partition === undefined) throw refusal('partitions should be a consecutive 0-based integer sequence')
    ordered.push(partition)
  }
  return ordered
}

function success(
  { config }: DecisionContext,
  name: string,
  topicId: string,
  settings: ReadonlyMap<string, string>,
  partitions: readonly NewPartition[],
): Result {
  const configs = describeTopic(settings, config)
    .map((entry) => ({
      name: entry.name,
      value: entry.isSensitive ? null : entry.value,
      readOnly: entry.readOnly,
      configSource: entry.source,
      isSensitive: entry.isSensitive,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    name,
    topicId,
    ...OK,
    topicConfigErrorCode: 0,
    numPartitions: partitions.length,
    replicationFactor: partitions[0]!.replicas.length,
    configs,
  }
}

function failure(name: string, outcome: Outcome): Result {
  return {
    name,
    topicId: ZERO_UUID,
    ...outcome,
    topicConfigErrorCode: 0,
    numPartitions: -1,
    replicationFactor: -1,
    configs: [],
  }
}
