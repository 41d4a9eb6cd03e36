import { topicNameFault } from '../../../controller/topic-names.ts'
import { errors } from '../../../protocol/errors.ts'
import { CoordinatorError } from '../../coordinator-error.ts'
import { inHashOrder } from '../../hash-order.ts'
import { copartitionGroupsOf, PartitionCounts } from './partition-counts.ts'
import { requiredTopics, subtopologiesOf } from './streams-topology.ts'
import { bounded, brokenTopology, status, summaryOf, TopicMisfit } from './topology-error.ts'
import type {
  ConfiguredSubtopology,
  ConfiguredTopology,
  InternalTopic,
  StreamsTopology,
  Subtopology,
  TopicInfo,
  TopicView,
} from './types.ts'

/** The records of an assignment of more do not fit the coordinator's log; Apache Kafka finds that out when it writes them. */
const MAX_TASKS = 1_000_000

/**
 * How many tasks the topology comes to with the topics that there are, and what topics it lacks (KIP-1071). Where topics
 * are missing or do not suit, that is the answer's problem; it is found again when topics have changed.
 * @throws CoordinatorError where no topics would do: STREAMS_INVALID_TOPOLOGY, INVALID_TOPIC_EXCEPTION, or
 *   UNKNOWN_SERVER_ERROR for what no client of Streams sends, such as two subtopologies of the same id.
 */
export function configureTopology(topology: StreamsTopology, topics: TopicView): ConfiguredTopology {
  const byId = subtopologiesOf(topology)
  const copartitionGroups = copartitionGroupsOf(byId)
  try {
    refuseMissingSources(topology, topics)
    const counts = new PartitionCounts(byId, copartitionGroups, topics)
    const inOrder = Array.from(byId.values(), (subtopology) => configured(subtopology, counts))
    inOrder.sort((a, b) => (a.id < b.id ? -1 : 1))
    const internalTopicsToCreate = missingInternalTopics(inOrder, topology, topics)
    const taskCount = inOrder.reduce((sum, each) => sum + each.taskCount, 0)
    if (internalTopicsToCreate.length === 0 && taskCount > MAX_TASKS) throw brokenTopology()
    return {
      epoch: topology.epoch,
      subtopologies: new Map(inOrder.map((each) => [each.id, each])),
      internalTopicsToCreate,
      problem: problemOf(internalTopicsToCreate),
    }
  } catch (reason) {
    if (!(reason instanceof TopicMisfit)) throw reason
    return { epoch: topology.epoch, subtopologies: new Map(), internalTopicsToCreate: [], problem: reason.problem }
  }
}

function refuseMissingSources(topology: StreamsTopology, topics: TopicView): void {
  const sources = new Set(topology.subtopologies.flatMap(({ sourceTopics }) => sourceTopics))
  const missing = [...sources].filter((name) => topics.byName(name) === undefined).sort()
  if (missing.length === 0) return
  throw new TopicMisfit(status.MISSING_SOURCE_TOPICS, `Source topics ${summaryOf(missing)} are missing.`)
}

function configured(subtopology: Subtopology, counts: PartitionCounts): ConfiguredSubtopology {
  const taskCount = counts.most(subtopology)!
  const internal = (info: TopicInfo) => internalTopic(info, counts)
  const repartitionSourceTopics = byName(subtopology.repartitionSourceTopics.map(internal))
  const stateChangelogTopics = byName(subtopology.stateChangelogTopics.map(internal))
  if (taskCount < 1) throw brokenTopology()
  return {
    id: subtopology.subtopologyId,
    taskCount,
    isStateful: stateChangelogTopics.size > 0,
    sourceTopics: new Set(inHashOrder(new Set(subtopology.sourceTopics))),
    repartitionSinkTopics: new Set(subtopology.repartitionSinkTopics),
    repartitionSourceTopics,
    stateChangelogTopics,
  }
}

function internalTopic(info: TopicInfo, counts: PartitionCounts): InternalTopic {
  const { name, replicationFactor, topicConfigs } = info
  const values = new Map(topicConfigs.map(({ key, value }) => [key, value]))
  if (values.size < topicConfigs.length) throw brokenTopology()
  const fault = topicNameFault(name)
  if (fault !== undefined) throw new CoordinatorError(errors.INVALID_TOPIC_EXCEPTION, bounded(fault))
  const partitionCount = counts.wanted(info)
  if (partitionCount < 1) throw brokenTopology()
  const configs = new Map(inHashOrder(values.keys()).map((key) => [key, values.get(key)!]))
  return { name, partitionCount, replicationFactor: replicationFactor === 0 ? null : replicationFactor, configs }
}

function byName(topics: readonly InternalTopic[]): Map<string, InternalTopic> {
  const map = new Map(topics.map((topic) => [topic.name, topic]))
  if (map.size < topics.length) throw brokenTopology()
  return new Map(inHashOrder(map.keys()).map((name) => [name, map.get(name)!]))
}

/** @throws TopicMisfit where one that there is has another number of partitions. */
function missingInternalTopics(
  subtopologies: readonly ConfiguredSubtopology[],
  topology: StreamsTopology,
  topics: TopicView,
): InternalTopic[] {
  const internal = new Map<string, InternalTopic>()
  for (const { repartitionSourceTopics, stateChangelogTopics } of subtopologies) {
    for (const topic of repartitionSourceTopics.values()) internal.set(topic.name, topic)
    for (const topic of stateChangelogTopics.values()) internal.set(topic.name, topic)
  }
  for (const name of inHashOrder(requiredTopics(topology))) {
    const expected = internal.get(name)?.partitionCount
    const found = topics.byName(name)?.partitions.size
    if (expected === undefined || found === undefined || expected === found) continue
    const what = `Existing topic ${name} has different number of partitions`
    throw new TopicMisfit(status.INCORRECTLY_PARTITIONED_TOPICS, `${what}: expected ${expected}, found ${found}`)
  }
  const missing = [...internal.keys()].filter((name) => topics.byName(name) === undefined)
  return inHashOrder(missing, { entryCount: internal.size }).map((name) => internal.get(name)!)
}

function problemOf(toCreate: readonly InternalTopic[]): ConfiguredTopology['problem'] {
  if (toCreate.length === 0) return null
  const names = summaryOf(toCreate.map(({ name }) => name))
  return { statusCode: status.MISSING_INTERNAL_TOPICS, statusDetail: `Internal topics are missing: ${names}` }
}
