import { isInternalTopic, topicNameFault } from '../../controller/topic-names.ts'
import type { TopicImage } from '../../metadata/types.ts'
import { errors } from '../../protocol/errors.ts'
import { MetadataRequest, MetadataResponse, type MetadataResponseInput } from '../../protocol/messages/metadata.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import { endPointOf } from '../endpoints.ts'
import { CLUSTER_OPERATIONS, NOT_ASKED, TOPIC_OPERATIONS } from '../operations.ts'
import { PartitionView } from '../partition-view.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

type Topic = NonNullable<MetadataResponseInput['topics']>[number]

/** From these versions on: topics by id (KIP-516), and a missing listener told apart from a missing leader. */
const FIRST_VERSION_WITH_IDS = 12
const FIRST_VERSION_WITH_LISTENER_ERROR = 6

/**
 * Metadata: the brokers, and the partitions of the topics asked for or of all (null; in version 0 an empty list). A topic
 * that is made on the way is answered with its leader at once, where Apache Kafka has the client ask again.
 */
export const handler = defineHandler({
  request: MetadataRequest,
  response: MetadataResponse,
  handle: (request, context, services) => {
    if (hasForbiddenIds(request, context)) return failedWith(request, errors.INVALID_REQUEST.code)
    if (asksForNothing(request)) return failedWith(request, errors.UNKNOWN_SERVER_ERROR.code)
    // Apache Kafka trips over a topic without name and id, and so answers all of the request.
    if (hasNameless(request)) return failedWith(request, errors.UNKNOWN_SERVER_ERROR.code)
    const missing = topicsToCreate(request, context, services)
    if (missing.length === 0) return answer(request, context, services)
    return services.autoTopics.create(missing).then((made) => {
      for (const { name, errorCode, errorMessage } of made) {
        if (errorCode !== 0) services.logger.warn(`topic ${name} was not created: ${errorMessage}`)
      }
      return answer(request, context, services)
    })
  },
  failed: failedWith,
})

function failedWith({ topics }: MetadataRequest, errorCode: number): MetadataResponseInput {
  return {
    topics: (topics ?? []).map(({ name, topicId }) => ({ name: name ?? '', topicId, errorCode })),
    errorCode,
  }
}

/** Versions 10 and 11 have the fields of KIP-516, but not their meaning. */
function hasForbiddenIds({ topics }: MetadataRequest, { apiVersion }: RequestContext): boolean {
  if (topics === null || apiVersion >= FIRST_VERSION_WITH_IDS) return false
  return topics.some(({ name, topicId }) => name === null || topicId !== ZERO_UUID)
}

/** A topic with neither name nor id among names; Apache Kafka has no error of its own for it. */
function asksForNothing(request: MetadataRequest): boolean {
  return request.topics?.some(({ name }) => name === null) === true && idsOf(request).size === 0
}

function hasNameless(request: MetadataRequest): boolean {
  return idsOf(request).size === 0 && (request.topics ?? []).some(({ name }) => name === null)
}

function wantsAll({ topics }: MetadataRequest, { apiVersion }: RequestContext): boolean {
  return topics === null || (apiVersion === 0 && topics.length === 0)
}

/** The ids that are asked for; with one of them, names do not count. */
function idsOf({ topics }: MetadataRequest): Set<string> {
  const ids = new Set<string>()
  for (const { topicId } of topics ?? []) if (topicId !== ZERO_UUID) ids.add(topicId)
  return ids
}

function namesOf({ topics }: MetadataRequest): Set<string> {
  const names = new Set<string>()
  for (const { name } of topics ?? []) if (name !== null) names.add(name)
  return names
}

function topicsToCreate(request: MetadataRequest, context: RequestContext, { config, image }: Services): string[] {
  if (!request.allowAutoTopicCreation || wantsAll(request, context) || request.topics?.length === 0) return []
  if (idsOf(request).size > 0) return []
  const missing = [...namesOf(request)].filter((name) => image.topics.byName(name) === undefined)
  if (missing.length === 0 || !config.get('auto.create.topics.enable')) return []
  return missing.filter((name) => topicNameFault(name) === undefined)
}

function answer(request: MetadataRequest, context: RequestContext, services: Services): MetadataResponseInput {
  const { image, clusterId } = services
  const { apiVersion, connection } = context
  const alive = [...image.brokers.values()].filter(({ fenced }) => !fenced)
  const brokers = alive.flatMap((broker) => {
    const { id, rack } = broker
    const endPoint = endPointOf(broker, connection.listenerName)
    return endPoint === undefined ? [] : [{ nodeId: id, host: endPoint.host, port: endPoint.port, rack }]
  })
  const wantsOperations = apiVersion >= 8 && apiVersion <= 10 && request.includeClusterAuthorizedOperations
  return {
    brokers,
    clusterId,
    controllerId: alive[0]?.id ?? -1,
    topics: topicsOf(request, context, services),
    clusterAuthorizedOperations: wantsOperations ? CLUSTER_OPERATIONS : NOT_ASKED,
  }
}

function topicsOf(request: MetadataRequest, context: RequestContext, { image }: Services): Topic[] {
  const view = new PartitionView(image, context.connection.listenerName)
  const operations = request.includeTopicAuthorizedOperations ? TOPIC_OPERATIONS : NOT_ASKED
  const show = (topic: TopicImage): Topic => ({
    errorCode: errors.NONE.code,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: partitionsOf(topic, view, context.apiVersion),
    topicAuthorizedOperations: operations,
  })
  if (wantsAll(request, context)) return [...image.topics.all()].map(show)
  const ids = idsOf(request)
  if (ids.size > 0) {
    return [...ids].map((topicId) => {
      const topic = image.topics.byId(topicId)
      return topic === undefined ? { errorCode: errors.UNKNOWN_TOPIC_ID.code, name: null, topicId } : show(topic)
    })
  }
  return [...namesOf(request)].map((name) => {
    const topic = image.topics.byName(name)
    if (topic !== undefined) return show(topic)
    // A topic whose creation was refused is merely unknown: the reason is in the broker's log, as in Apache Kafka.
    const isUnknown = topicNameFault(name) === undefined
    const error = isUnknown ? errors.UNKNOWN_TOPIC_OR_PARTITION : errors.INVALID_TOPIC_EXCEPTION
    return { errorCode: error.code, name, isInternal: isInternalTopic(name), topicAuthorizedOperations: operations }
  })
}

function partitionsOf(topic: TopicImage, view: PartitionView, apiVersion: number): NonNullable<Topic['partitions']> {
  return view.partitions(topic).map((partition) => {
    const leaderId = view.leaderId(partition)
    // Version 0 has clients that take replicas they cannot reach for an error.
    const replicaNodes = apiVersion === 0 ? view.alive(partition.replicas) : partition.replicas
    const isrNodes = apiVersion === 0 ? view.alive(partition.isr) : partition.isr
    const isComplete = replicaNodes.length === partition.replicas.length && isrNodes.length === partition.isr.length
    return {
      errorCode: partitionError(view.isRegistered(partition.leader), leaderId, isComplete, apiVersion),
      partitionIndex: partition.partition,
      leaderId,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes,
      isrNodes,
      offlineReplicas: view.offlineReplicas(partition),
    }
  })
}

function partitionError(isRegistered: boolean, leaderId: number, isComplete: boolean, apiVersion: number): number {
  if (leaderId >= 0) return isComplete ? errors.NONE.code : errors.REPLICA_NOT_AVAILABLE.code
  const isListenerMissing = isRegistered && apiVersion >= FIRST_VERSION_WITH_LISTENER_ERROR
  return isListenerMissing ? errors.LISTENER_NOT_FOUND.code : errors.LEADER_NOT_AVAILABLE.code
}
