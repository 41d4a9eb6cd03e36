import { errors, type KafkaError } from '../../protocol/errors.ts'
import {
  ShareFetchRequest,
  ShareFetchResponse,
  type ShareFetchResponseInput,
} from '../../protocol/messages/share-fetch.ts'
import { LeaderHints } from '../leader-hint.ts'
import { type Acknowledged, acknowledgeAll, isMemberId } from '../share/acknowledgements.ts'
import type { ShareFetched } from '../share/share-fetcher.ts'
import { FINAL_EPOCH, INITIAL_EPOCH, partitionName, type ShareSession } from '../share/share-sessions.ts'
import { defineHandler, type RequestContext, type Services } from '../types.ts'

type Topic = NonNullable<ShareFetchResponseInput['responses']>[number]
type PartitionData = NonNullable<Topic['partitions']>[number]

/** Who fetches, checked. */
interface Fetching {
  readonly request: ShareFetchRequest & { readonly groupId: string; readonly memberId: string }
  readonly context: RequestContext
  readonly services: Services
}

const RECORD_LIMIT_MODE = 1
/** What an answer takes besides the records: for quotas, which need no better. */
const RESPONSE_HEADER_BYTES = 18
const PARTITION_HEADER_BYTES = 30
const NO_RECORDS: readonly Buffer[] = []

/**
 * ShareFetch (KIP-932): takes acknowledgements and hands out records, to the partitions of a session. Version 2 has the
 * record limit (KIP-1206) and renews locks (KIP-1222), in which case nothing is fetched.
 */
export const handler = defineHandler({
  request: ShareFetchRequest,
  response: ShareFetchResponse,
  handle: async (request, context, services) => {
    const { groupId, memberId, shareSessionEpoch: epoch } = request
    if (services.image.featureLevel('share.version') < 1) return refuse(errors.UNSUPPORTED_VERSION)
    if (groupId === null || !isMemberId(memberId) || !isRenewalAlone(request)) return refuse(errors.INVALID_REQUEST)
    const fetching: Fetching = { request: { ...request, groupId, memberId }, context, services }
    const session = openSession(fetching)
    if ('code' in session) {
      if (session === errors.SHARE_SESSION_LIMIT_REACHED) await idle(request.maxWaitMs, services)
      return refuse(session)
    }
    const expectedEpoch = session.epoch
    const hasAcknowledgements = request.topics.some(({ partitions }) => partitions.some(acknowledges))
    const acknowledging = hasAcknowledgements ? acknowledgeAll(fetching.request, context, services) : []
    const mustFetch = epoch !== FINAL_EPOCH && !request.isRenewAck
    const [fetched, acknowledged] = await Promise.all([mustFetch ? fetch(fetching, session) : [], acknowledging])
    const response = respond(fetching, session, expectedEpoch, fetched, acknowledged)
    if (epoch === FINAL_EPOCH) services.shares.release(session)
    return response
  },
  failed: (_, errorCode) => ({ errorCode }),
})

function refuse(error: KafkaError): ShareFetchResponseInput {
  return { errorCode: error.code }
}

function idle(forMs: number, { platform }: Services): Promise<void> {
  return new Promise((resolve) => void platform.time.after(Math.max(0, forMs), resolve))
}

function isRenewalAlone({ isRenewAck, maxBytes, minBytes, maxRecords, maxWaitMs }: ShareFetchRequest): boolean {
  return !isRenewAck || (maxBytes === 0 && minBytes === 0 && maxRecords === 0 && maxWaitMs === 0)
}

function acknowledges({ acknowledgementBatches }: { readonly acknowledgementBatches: readonly unknown[] }): boolean {
  return acknowledgementBatches.length > 0
}

function openSession({ request, context, services }: Fetching): ShareSession | KafkaError {
  const { groupId, memberId, shareSessionEpoch: epoch, topics, forgottenTopicsData } = request
  const { shares } = services
  if (epoch === INITIAL_EPOCH && topics.some(({ partitions }) => partitions.some(acknowledges))) {
    return errors.INVALID_REQUEST
  }
  const session =
    epoch === INITIAL_EPOCH ? shares.sessions.create(groupId, memberId) : shares.sessions.use(groupId, memberId, epoch)
  if ('code' in session || epoch === FINAL_EPOCH) return session
  for (const { topicId, partitions } of topics) {
    for (const { partitionIndex } of partitions) session.add(topicId, partitionIndex, epoch !== INITIAL_EPOCH)
  }
  for (const { topicId, partitions } of forgottenTopicsData) {
    for (const partition of partitions) session.forget(topicId, partition)
  }
  if (epoch === INITIAL_EPOCH) context.connection.ended = () => shares.disconnected(session)
  return session
}

async function fetch({ request, context, services }: Fetching, session: ShareSession): Promise<ShareFetched[]> {
  const { image, shares, config } = services
  const refused: ShareFetched[] = []
  const wanted: { topicId: string; partition: number }[] = []
  for (const { topicId, partition } of session.partitions.values()) {
    const topic = image.topics.byId(topicId)
    const error =
      topic === undefined
        ? errors.UNKNOWN_TOPIC_ID
        : topic.partitions.has(partition)
          ? undefined
          : errors.UNKNOWN_TOPIC_OR_PARTITION
    if (error === undefined) wanted.push({ topicId, partition })
    else refused.push({ topicId, partition, errorCode: error.code, records: NO_RECORDS, acquired: [] })
  }
  if (wanted.length === 0) return refused
  const quotaBytes = services.quotas.mostBytesOfFetch(context)
  const maxBytes = Math.min(request.maxBytes, config.get('fetch.max.bytes'), quotaBytes)
  const fetched = await shares.fetcher.fetch(
    {
      groupId: request.groupId,
      memberId: request.memberId,
      partitions: rotated(wanted, request.shareSessionEpoch),
      isRecordLimit: request.shareAcquireMode === RECORD_LIMIT_MODE,
      maxRecords: request.maxRecords,
      batchSize: request.batchSize,
      minBytes: Math.min(request.minBytes, maxBytes),
      maxBytes,
      maxWaitMs: request.maxWaitMs,
    },
    (abandon) => {
      context.connection.abandon = abandon
      if (context.connection.closed) abandon()
    },
  )
  return [...fetched, ...refused]
}

/** Every request begins with another partition, so that all get their turn. */
function rotated<T>(partitions: readonly T[], epoch: number): readonly T[] {
  const at = epoch < 1 ? 0 : epoch % partitions.length
  return at === 0 ? partitions : [...partitions.slice(at), ...partitions.slice(0, at)]
}

function respond(
  { request, context, services }: Fetching,
  session: ShareSession,
  expectedEpoch: number,
  fetched: readonly ShareFetched[],
  acknowledged: readonly Acknowledged[],
): ShareFetchResponseInput {
  const acquisitionLockTimeoutMs = services.shares.settings.limits(request.groupId).lockDurationMs
  const isFull = request.shareSessionEpoch === INITIAL_EPOCH || request.shareSessionEpoch === FINAL_EPOCH
  if (!isFull && session.epoch !== expectedEpoch) {
    giveBack(fetched, session, services)
    return { ...refuse(errors.INVALID_SHARE_SESSION_EPOCH), acquisitionLockTimeoutMs }
  }
  const mustPause = services.quotas.mustPauseFetch(context, responseBytes(fetched))
  if (mustPause) giveBack(fetched, session, services)
  const hints = new LeaderHints(services, context)
  const acknowledgements = new Map(acknowledged.map((one) => [partitionName(one.topicId, one.partition), one]))
  const topics = new Map<string, PartitionData[]>()
  const tell = (topicId: string, partition: PartitionData) => {
    const partitions = topics.get(topicId)
    if (partitions === undefined) topics.set(topicId, [partition])
    else partitions.push(partition)
  }
  for (const one of mustPause ? [] : fetched) {
    const { topicId, partition, errorCode, records } = one
    const isWorth = isFull || session.isWorthTelling(topicId, partition, errorCode, records.length > 0)
    if (!isWorth) continue
    // As in Apache Kafka, which stumbles over telling of a topic that it does not know.
    if (errorCode === errors.UNKNOWN_TOPIC_ID.code) return refuse(errors.UNKNOWN_SERVER_ERROR)
    const name = partitionName(topicId, partition)
    tell(topicId, { ...partitionData(one, hints, services), ...acknowledgementOf(acknowledgements.get(name)) })
    acknowledgements.delete(name)
  }
  for (const one of acknowledgements.values()) {
    tell(one.topicId, { partitionIndex: one.partition, records: NO_RECORDS, ...acknowledgementOf(one) })
  }
  return {
    acquisitionLockTimeoutMs,
    responses: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
    nodeEndpoints: hints.nodeEndpoints,
  }
}

/** About what the answer takes on the wire. */
function responseBytes(fetched: readonly ShareFetched[]): number {
  let bytes = RESPONSE_HEADER_BYTES
  for (const { records } of fetched) {
    bytes += PARTITION_HEADER_BYTES
    for (const { length } of records) bytes += length
  }
  return bytes
}

/** The member does not get what was fetched for it: others need not wait until its locks end. */
function giveBack(fetched: readonly ShareFetched[], { groupId, memberId }: ShareSession, { shares }: Services): void {
  for (const { topicId, partition, acquired } of fetched) {
    if (acquired.length > 0) shares.partitions.giveBack({ groupId, topicId, partition }, memberId, acquired)
  }
}

function partitionData(fetched: ShareFetched, hints: LeaderHints, { image }: Services): PartitionData {
  const { topicId, partition, errorCode, records, acquired } = fetched
  const isMisled = errorCode === errors.NOT_LEADER_OR_FOLLOWER.code || errorCode === errors.FENCED_LEADER_EPOCH.code
  const currentLeader = isMisled ? hints.currentLeader(image.topics.byId(topicId)?.name ?? '', partition) : undefined
  return {
    partitionIndex: partition,
    errorCode,
    currentLeader,
    records,
    acquiredRecords: acquired.map((range) => ({ ...range })),
  }
}

function acknowledgementOf(acknowledged: Acknowledged | undefined) {
  if (acknowledged === undefined) return {}
  const { errorCode: acknowledgeErrorCode, errorMessage: acknowledgeErrorMessage } = acknowledged
  return { acknowledgeErrorCode, acknowledgeErrorMessage }
}
