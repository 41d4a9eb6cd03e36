import type { ReadUpTo } from '../../log/types.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import { FetchRequest, FetchResponse, type FetchResponseInput } from '../../protocol/messages/fetch.ts'
import type { MessageOf } from '../../protocol/schema.ts'
import type { FetchParams, FetchResult, FetchSpec } from '../../replication/fetch-reader.ts'
import { isOfEarlierLife } from '../../replication/leader-state.ts'
import type { SessionChanges } from '../../replication/session-changes.ts'
import {
  type FetchSession,
  FINAL_EPOCH,
  INITIAL_EPOCH,
  NO_SESSION,
  type SessionPartition,
  sessionKey,
} from '../fetch-sessions.ts'
import { LeaderHints } from '../leader-hint.ts'
import { asMessageSet, BATCHES_FROM, hasHardLimits } from '../message-set-answer.ts'
import type { ReplicationQuota } from '../quotas/replication-quotas.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

type Request = MessageOf<typeof FetchRequest>
type PartitionData = NonNullable<NonNullable<FetchResponseInput['responses']>[number]['partitions']>[number]

const STORAGE_ERROR_FROM = 6
const READ_FROM_FOLLOWERS_FROM = 11
const TOPIC_IDS_FROM = 13
const REPLICA_STATE_FROM = 15
const LEADER_HINTS_FROM = 16

/** What an answer takes besides the records: for quotas, which need no better. */
const RESPONSE_HEADER_BYTES = 18
const PARTITION_HEADER_BYTES = 60

const NO_RECORDS: readonly Buffer[] = []
const FUTURE_REPLICA_ID = -3
/** What a consumer sees, by isolation level. */
const VISIBLE: readonly ReadUpTo[] = ['highWatermark', 'lastStable']

/** How a request stands to a fetch session, and which partitions it is about. */
interface FetchContext {
  readonly partitions: ReadonlyMap<string, SessionPartition>
  /** An incremental request's session, and the epoch that the session must still have when it is answered. */
  readonly session: FetchSession | undefined
  readonly epoch: number
  /** A full request that asks for a new session. */
  readonly wantsSession: boolean
}

/** One partition of the answer, in the order of the answer. */
interface Answer {
  readonly key: string
  readonly partition: SessionPartition
  readonly data: PartitionData
  readonly sizeBytes: number
}

/**
 * Fetch: reads whole batches, waits for `minBytes`, and passes the log's buffers on by reference.
 * Versions 0-3 know message sets only, and 0-2 no answer larger than was asked for. 7+ have sessions (KIP-227), 9+ leader
 * epochs (KIP-320), 11+ reading from followers (KIP-392), 12+ diverging epochs (KIP-595), 13+ topic ids (KIP-516), 15+ the
 * replica's state (KIP-903), 16+ leader hints (KIP-951).
 */
export const handler = defineHandler({
  request: FetchRequest,
  response: FetchResponse,
  handle(request, context, services) {
    const fetch = openContext(request, context, services)
    if ('code' in fetch) return { errorCode: fetch.code, sessionId: NO_SESSION }
    const params = paramsOf(request, context, services)
    const changes = changesOf(fetch, params, services)
    if (changes !== undefined) return answerChanges(changes, fetch, params, request, context, services)
    const refused: Answer[] = []
    const wanted: [string, SessionPartition][] = []
    for (const [key, partition] of fetch.partitions) {
      const error = unknown(partition, services)
      if (error === undefined) wanted.push([key, partition])
      else refused.push({ key, partition, data: failure(partition.partition, error), sizeBytes: 0 })
    }
    if (wanted.length === 0) return respond(fetch, refused, undefined, request, context, services)
    if (VISIBLE[request.isolationLevel] === undefined) return fail(request, errors.UNKNOWN_SERVER_ERROR.code, context)
    const specs = wanted.map(([, partition]) => partition)
    const results = services.replicas.fetch(params, specs, abandonable(context))
    const finish = (all: readonly FetchResult[]) => {
      const hints = context.apiVersion >= LEADER_HINTS_FROM ? new LeaderHints(services, context) : undefined
      const answers = all.map((result, index) => answered(wanted[index]!, result, context.apiVersion, hints))
      return respond(fetch, answers.concat(refused), hints, request, context, services)
    }
    if (context.apiVersion < BATCHES_FROM) return asMessageSets(results, specs, params, context, services).then(finish)
    return results instanceof Promise ? results.then(finish) : finish(results)
  },
  failed: fail,
})

/** What ends the waiting of a request whose connection ends. */
function abandonable({ connection }: RequestContext): (wake: () => void) => void {
  return (wake) => {
    connection.abandon = wake
    // The other side may have gone while the first read waited for the disk.
    if (connection.closed) wake()
  }
}

/**
 * What has changed of the session of a follower: it costs as much as that, and not as much as is followed. undefined for
 * others, and for an earlier life of the broker, which is refused every partition (KIP-903).
 */
function changesOf(
  { session }: FetchContext,
  { replicaId, replicaEpoch = -1 }: FetchParams,
  { image, replicas }: Services,
): SessionChanges<SessionPartition> | undefined {
  if (session?.isPrivileged !== true || replicaId < 0) return undefined
  if (isOfEarlierLife(image.brokers.get(replicaId), replicaEpoch)) return undefined
  return session.changesFor(replicas, replicaId, replicaEpoch)
}

async function answerChanges(
  changes: SessionChanges<SessionPartition>,
  fetch: FetchContext,
  params: FetchParams,
  request: Request,
  context: RequestContext,
  services: Services,
): Promise<FetchResponseInput> {
  const refuse = (spec: FetchSpec) => unknown(spec, services)
  const { specs, results } = await services.replicas.fetchChanges({ ...params, refuse }, changes, abandonable(context))
  if (fetch.session?.epoch === fetch.epoch) changes.answered(specs, results)
  else changes.putBack(specs)
  const hints = context.apiVersion >= LEADER_HINTS_FROM ? new LeaderHints(services, context) : undefined
  const answers = results.map((result, index) => {
    const spec = specs[index]!
    const key = sessionKey(spec.topic, spec.topicId, spec.partition)
    return answered([key, spec], result, context.apiVersion, hints)
  })
  return respond(fetch, answers, hints, request, context, services)
}

async function asMessageSets(
  results: readonly FetchResult[] | Promise<readonly FetchResult[]>,
  specs: readonly SessionPartition[],
  params: FetchParams,
  { apiVersion }: RequestContext,
  { replicas }: Services,
): Promise<FetchResult[]> {
  const converted: FetchResult[] = []
  for (const [index, result] of (await results).entries()) {
    converted.push(await asMessageSet(result, specs[index]!, params, apiVersion, replicas))
  }
  return converted
}

/** Before version 13 a failure is said of every partition, too. */
function fail(request: Request, errorCode: number, { apiVersion }: RequestContext): FetchResponseInput {
  const topics = apiVersion < TOPIC_IDS_FROM ? request.topics : []
  return {
    errorCode,
    sessionId: request.sessionId,
    responses: topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition }) => ({ ...failure(partition, errors.NONE), errorCode })),
    })),
  }
}

function openContext(request: Request, context: RequestContext, services: Services): FetchContext | KafkaError {
  const { sessionId, sessionEpoch } = request
  const cache = services.fetchSessions
  const named = namedPartitions(request, context, services)
  if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
    if (sessionId !== NO_SESSION) cache.remove(sessionId)
    return { partitions: named, session: undefined, epoch: 0, wantsSession: sessionEpoch === INITIAL_EPOCH }
  }
  const session = cache.get(sessionId)
  if (session === undefined) return errors.FETCH_SESSION_ID_NOT_FOUND
  if (session.epoch !== sessionEpoch) return errors.INVALID_FETCH_SESSION_EPOCH
  const usesTopicIds = context.apiVersion >= TOPIC_IDS_FROM
  if (session.usesTopicIds !== usesTopicIds) return errors.FETCH_SESSION_TOPIC_ID_ERROR
  session.update(named, forgottenKeys(request, usesTopicIds))
  if (session.partitions.size === 0) {
    cache.remove(sessionId)
    return { partitions: named, session: undefined, epoch: 0, wantsSession: false }
  }
  cache.touch(session)
  session.nextEpoch()
  if (usesTopicIds) resolveNames(session, services)
  return { partitions: session.partitions, session, epoch: session.epoch, wantsSession: false }
}

function namedPartitions(request: Request, context: RequestContext, services: Services): Map<string, SessionPartition> {
  const usesTopicIds = context.apiVersion >= TOPIC_IDS_FROM
  const named = new Map<string, SessionPartition>()
  for (const topic of request.topics) {
    const topicId = usesTopicIds ? topic.topicId : undefined
    const name = usesTopicIds ? (services.image.topics.byId(topic.topicId)?.name ?? '') : topic.topic
    for (const asked of topic.partitions) {
      named.set(sessionKey(name, topicId, asked.partition), {
        topic: name,
        topicId,
        partition: asked.partition,
        fetchOffset: asked.fetchOffset,
        maxBytes: asked.partitionMaxBytes,
        // Anything negative means "does not say".
        currentLeaderEpoch: Math.max(-1, asked.currentLeaderEpoch),
        lastFetchedEpoch: Math.max(-1, asked.lastFetchedEpoch),
        logStartOffset: asked.logStartOffset,
        sentHighWatermark: -1,
        sentLogStartOffset: -1,
      })
    }
  }
  return named
}

function* forgottenKeys(request: Request, usesTopicIds: boolean): Generator<string> {
  for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
    for (const partition of partitions) yield sessionKey(topic, usesTopicIds ? topicId : undefined, partition)
  }
}

/** A topic that was not known when it came into the session may be by now. */
function resolveNames(session: FetchSession, services: Services): void {
  for (const partition of session.unnamed) {
    partition.topic = services.image.topics.byId(partition.topicId!)?.name ?? ''
    if (partition.topic !== '') session.unnamed.delete(partition)
  }
}

function unknown({ topic, topicId, partition }: FetchSpec, services: Services): KafkaError | undefined {
  if (topicId !== undefined && topic === '') return errors.UNKNOWN_TOPIC_ID
  return services.image.topics.partition(topic, partition) === undefined ? errors.UNKNOWN_TOPIC_OR_PARTITION : undefined
}

function replicaIdOf(request: Request, apiVersion: number): number {
  return apiVersion >= REPLICA_STATE_FROM ? request.replicaState.replicaId : request.replicaId
}

function paramsOf(request: Request, context: RequestContext, services: Services): FetchParams {
  const { apiVersion } = context
  const replicaId = replicaIdOf(request, apiVersion)
  const isFollower = replicaId >= 0
  const quotaBytes = isFollower ? Number.POSITIVE_INFINITY : services.quotas.mostBytesOfFetch(context)
  const maxBytes = Math.min(request.maxBytes, services.config.get('fetch.max.bytes'), quotaBytes)
  return {
    replicaId,
    replicaEpoch: apiVersion >= REPLICA_STATE_FROM ? request.replicaState.replicaEpoch : -1,
    upTo: isFollower || replicaId === FUTURE_REPLICA_ID ? 'logEnd' : VISIBLE[request.isolationLevel]!,
    mustLead: isFollower || apiVersion < READ_FROM_FOLLOWERS_FROM,
    oneBatchEach: hasHardLimits(apiVersion),
    minBytes: Math.min(request.minBytes, maxBytes),
    maxBytes,
    maxWaitMs: request.maxWaitMs,
    // Once the response has left, nothing of what was read is used any more.
    isGivenBack: true,
    preferredReplica:
      isFollower || apiVersion < READ_FROM_FOLLOWERS_FROM
        ? undefined
        : services.readReplicas.chooserFor(request.rackId, context.connection.listenerName),
    isThrottled: isFollower ? throttleOf(replicaId, services.replicationQuotas.leader) : undefined,
  }
}

/** One that is in sync is not held back, or it would not be for long. */
function throttleOf(replicaId: number, quota: ReplicationQuota): FetchParams['isThrottled'] {
  if (!quota.isInUse) return undefined
  return ({ topic, partition, state }) =>
    !state.isr.includes(replicaId) && quota.isThrottled(topic, partition) && quota.isExceeded()
}

function failure(partitionIndex: number, error: KafkaError): PartitionData {
  return { partitionIndex, errorCode: error.code, highWatermark: -1, abortedTransactions: [], records: NO_RECORDS }
}

function answered(
  [key, partition]: [string, SessionPartition],
  result: FetchResult,
  version: number,
  hints: LeaderHints | undefined,
): Answer {
  const { error, divergingEpoch } = result
  const isHidden = error === errors.KAFKA_STORAGE_ERROR && version < STORAGE_ERROR_FROM
  const misled = error === errors.NOT_LEADER_OR_FOLLOWER || error === errors.FENCED_LEADER_EPOCH
  return {
    key,
    partition,
    sizeBytes: result.sizeBytes,
    data: {
      partitionIndex: partition.partition,
      errorCode: (isHidden ? errors.NOT_LEADER_OR_FOLLOWER : error).code,
      highWatermark: result.highWatermark,
      lastStableOffset: result.lastStableOffset,
      logStartOffset: result.logStartOffset,
      divergingEpoch: divergingEpoch,
      preferredReadReplica: result.preferredReadReplica,
      currentLeader: misled ? hints?.currentLeader(partition.topic, partition.partition) : undefined,
      abortedTransactions: result.abortedTransactions,
      records: result.records,
    },
  }
}

function respond(
  fetch: FetchContext,
  answers: readonly Answer[],
  hints: LeaderHints | undefined,
  request: Request,
  context: RequestContext,
  services: Services,
): FetchResponseInput {
  // Brokers know where the others are.
  const isFollower = replicaIdOf(request, context.apiVersion) >= 0
  const nodeEndpoints = isFollower ? undefined : hints?.nodeEndpoints
  const { session } = fetch
  if (isFollower) recordReplicated(answers, services.replicationQuotas.leader)
  if (!isFollower && services.quotas.mustPauseFetch(context, responseBytes(answers))) {
    return pauseFirst(fetch)
  }
  if (session === undefined) {
    const sessionId = fetch.wantsSession ? newSession(answers, request, context, services) : NO_SESSION
    return { sessionId, responses: byTopic(answers), nodeEndpoints }
  }
  // Another request with the same epoch was answered meanwhile: this one is a duplicate.
  if (session.epoch !== fetch.epoch) {
    return { errorCode: errors.INVALID_FETCH_SESSION_EPOCH.code, sessionId: session.id, nodeEndpoints }
  }
  const changed = answers.filter((answer) => session.mustAnswer(answer.key, sessionAnswer(answer)))
  return { sessionId: session.id, responses: byTopic(changed), nodeEndpoints }
}

/** About what the answers take on the wire. */
function responseBytes(answers: readonly Answer[]): number {
  return answers.reduce((bytes, { sizeBytes }) => bytes + sizeBytes + PARTITION_HEADER_BYTES, RESPONSE_HEADER_BYTES)
}

/** Followers in sync use the quota, too, though it does not hold them back. */
function recordReplicated(answers: readonly Answer[], quota: ReplicationQuota): void {
  if (!quota.isInUse) return
  const throttled = answers.filter(({ partition }) => quota.isThrottled(partition.topic, partition.partition))
  if (throttled.length > 0) quota.record(responseBytes(throttled))
}

/** What a client gets that has to pause before it gets any records: nothing of the session is lost. */
function pauseFirst({ session, epoch }: FetchContext): FetchResponseInput {
  if (session === undefined) return { sessionId: NO_SESSION }
  const errorCode = session.epoch === epoch ? 0 : errors.INVALID_FETCH_SESSION_EPOCH.code
  return { errorCode, sessionId: session.id }
}

function sessionAnswer({ data, sizeBytes }: Answer) {
  return {
    errorCode: data.errorCode ?? 0,
    highWatermark: data.highWatermark ?? -1,
    logStartOffset: data.logStartOffset ?? -1,
    sizeBytes,
    isDiverging: data.divergingEpoch !== undefined,
    isRedirected: (data.preferredReadReplica ?? -1) !== -1,
  }
}

function newSession(
  answers: readonly Answer[],
  request: Request,
  { apiVersion }: RequestContext,
  services: Services,
): number {
  const partitions = new Map<string, SessionPartition>()
  for (const { key, partition, data } of answers) {
    partition.sentHighWatermark = data.highWatermark ?? -1
    partition.sentLogStartOffset = data.logStartOffset ?? -1
    partitions.set(key, partition)
  }
  const isFollower = replicaIdOf(request, apiVersion) >= 0
  const session = services.fetchSessions.create(partitions, apiVersion >= TOPIC_IDS_FROM, isFollower)
  return session?.id ?? NO_SESSION
}

/** Neighbours of the same topic share one entry. */
function byTopic(answers: readonly Answer[]): NonNullable<FetchResponseInput['responses']> {
  const topics: { topic: string; topicId: string | undefined; partitions: PartitionData[] }[] = []
  for (const { partition, data } of answers) {
    const last = topics[topics.length - 1]
    if (last !== undefined && last.topicId === partition.topicId && last.topic === partition.topic) {
      last.partitions.push(data)
    } else {
      topics.push({ topic: partition.topic, topicId: partition.topicId, partitions: [data] })
    }
  }
  return topics
}
