import { isInternalTopic } from '../../controller/topic-names.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import { ProduceRequest, ProduceResponse, type ProduceResponseInput } from '../../protocol/messages/produce.ts'
import { BatchView, batchSizeAt, magicAt } from '../../protocol/records/batch.ts'
import { RecordsError } from '../../protocol/records/errors.ts'
import { Codec, LENGTH_AT, MIN_BODY_SIZE } from '../../protocol/records/layout.ts'
import type { MessageOf } from '../../protocol/schema.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import type { AppendResult } from '../../replication/replica-manager.ts'
import type { TransactionalAppend } from '../../replication/transactional-appends.ts'
import { LeaderHints } from '../leader-hint.ts'
import type { TransactionSupport } from '../transaction-verifier.ts'
import { CLOSE_CONNECTION, defineHandler, NO_RESPONSE, type RequestContext, type Services } from '../types.ts'

type Request = MessageOf<typeof ProduceRequest>
type Topic = Request['topicData'][number]
type PartitionData = Topic['partitionData'][number]
type TopicResponse = NonNullable<ProduceResponseInput['responses']>[number]
type PartitionResponse = NonNullable<TopicResponse['partitionResponses']>[number]

/** The first version of each kind of field and rule. */
const TOPIC_IDS_FROM = 13
const LEADER_HINTS_FROM = 10
const ZSTD_FROM = 7
const BATCHES_FROM = 3
/** Of transactions (KIP-890): TRANSACTION_ABORTABLE is known, and partitions are added by the broker. */
const ABORTABLE_FROM = 11
const IMPLICIT_ADD_FROM = 12

/** Why it cannot be told now whether a partition is in a transaction. */
const COORDINATOR_TROUBLE: ReadonlySet<KafkaError> = new Set([
  errors.COORDINATOR_LOAD_IN_PROGRESS,
  errors.NETWORK_EXCEPTION,
  errors.COORDINATOR_NOT_AVAILABLE,
])

/** Kafka's own admin client may write to internal topics. */
const ADMIN_CLIENT_ID = '__admin_client'

/**
 * Produce: appends one batch to each partition, all started before any is waited for, so that requests keep their order in
 * the log. Versions 13+ name topics by id (KIP-516), 10+ say who leads instead (KIP-951), 8+ which records were at
 * fault (KIP-467), 7+ allow zstd (KIP-110); 12+ leave it to the broker to add partitions to a transaction (KIP-890). With acks=0 nothing is answered; a failure closes the connection.
 */
export const handler = defineHandler({
  request: ProduceRequest,
  response: ProduceResponse,
  handle(request, context, services) {
    services.quotas.produced(context, context.sizeBytes)
    const refusal = refusalOfAll(request, context)
    if (refusal !== undefined) return refusal
    const { topicData } = request
    const only = topicData.length === 1 && topicData[0]!.partitionData.length === 1 ? topicData[0]! : undefined
    if (only === undefined) return produceAll(request, context, services)
    return produceOne(only, request, context, services).then((answer) =>
      finish(request, context, services, [topicResponse(only, [answer])], [only]),
    )
  },
  failed: (request, errorCode) => failAll(request, errorCode, null),
})

function failAll(request: Request, errorCode: number, errorMessage: string | null) {
  if (request.acks === 0) return CLOSE_CONNECTION
  return {
    responses: withoutRepeats(request.topicData).map((topic) =>
      topicResponse(
        topic,
        topic.partitionData.map(({ index }) => ({ index, errorCode, baseOffset: -1, errorMessage })),
      ),
    ),
  }
}

/**
 * As in Apache Kafka, what the first batch of any partition says fails the whole request if it makes no sense, or tells of
 * a transaction where there is none.
 */
function refusalOfAll(request: Request, { apiVersion }: RequestContext) {
  for (const { partitionData } of request.topicData) {
    for (const { records } of partitionData) {
      const bytes = records?.[0]
      if (bytes === undefined) continue
      try {
        if (batchSizeAt(bytes, 0, bytes.length) === 0 || magicAt(bytes, 0) !== 2) continue
      } catch (error) {
        if (!(error instanceof RecordsError)) throw error
        // A batch that is merely shorter than its header concerns its own partition only.
        if (bytes.readInt32BE(LENGTH_AT) >= MIN_BODY_SIZE && magicAt(bytes, 0) === 2) continue
        return failAll(request, errors.CORRUPT_MESSAGE.code, error.message)
      }
      const batch = firstBatch.moveTo(bytes, 0)
      if (batch.isTransactional) {
        if (request.transactionalId !== null) return undefined
        return failAll(request, errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED.code, null)
      }
      if (apiVersion < ZSTD_FROM && batch.codecId > Codec.zstd) {
        return failAll(request, errors.UNKNOWN_SERVER_ERROR.code, null)
      }
    }
  }
  return undefined
}

const firstBatch = new BatchView(Buffer.alloc(0))

/** A topic or partition that comes twice counts once, and the last time; a topic without partitions does not count. */
function withoutRepeats(topicData: readonly Topic[]): Topic[] {
  const topics = new Map<string, { topic: Topic; partitions: Map<number, PartitionData> }>()
  for (const topic of topicData) {
    if (topic.partitionData.length === 0) continue
    const key = topic.topicId === ZERO_UUID ? topic.name : topic.topicId
    let known = topics.get(key)
    if (known === undefined) {
      known = { topic, partitions: new Map() }
      topics.set(key, known)
    }
    for (const data of topic.partitionData) known.partitions.set(data.index, data)
  }
  return [...topics.values()].map(({ topic, partitions }) => ({ ...topic, partitionData: [...partitions.values()] }))
}

async function produceAll(request: Request, context: RequestContext, services: Services) {
  const topicData = withoutRepeats(request.topicData)
  const pending = topicData.map((topic) => {
    const name = topicName(topic, services)
    return Promise.all(topic.partitionData.map((data) => produce(name, data, request, context, services)))
  })
  const answers = await Promise.all(pending)
  const responses = topicData.map((topic, index) => topicResponse(topic, answers[index]!))
  return finish(request, context, services, responses, topicData)
}

function produceOne(topic: Topic, request: Request, context: RequestContext, services: Services) {
  return produce(topicName(topic, services), topic.partitionData[0]!, request, context, services)
}

function topicName(topic: Topic, services: Services): string {
  return topic.topicId === ZERO_UUID ? topic.name : (services.image.topics.byId(topic.topicId)?.name ?? topic.name)
}

function topicResponse(topic: Topic, partitionResponses: PartitionResponse[]): TopicResponse {
  return { name: topic.name, topicId: topic.topicId, partitionResponses }
}

/** The append is under way when this returns, unless the batch may have to open a transaction. */
async function produce(
  name: string,
  data: PartitionData,
  { acks, transactionalId, timeoutMs }: Request,
  context: RequestContext,
  services: Services,
): Promise<PartitionResponse> {
  const { index } = data
  if (name === '' && context.apiVersion >= TOPIC_IDS_FROM) return refused(index, errors.UNKNOWN_TOPIC_ID)
  const image = services.image.topics.byName(name)
  if (image?.partitions.has(index) !== true) return refused(index, errors.UNKNOWN_TOPIC_OR_PARTITION)
  const batch = wholeBatch(data, context.apiVersion)
  if (!Buffer.isBuffer(batch)) return refused(index, batch)
  if (acks < -1 || acks > 1) return refused(index, errors.INVALID_REQUIRED_ACKS)
  if (isInternalTopic(name) && context.clientId !== ADMIN_CLIENT_ID) {
    return refused(index, errors.INVALID_TOPIC_EXCEPTION)
  }
  const transaction = transactionalId === null ? undefined : transactionOf(batch)
  if (transactionalId === null || transaction === undefined) {
    const result = await services.replicas.append(name, index, [batch], acks, 'client', undefined, timeoutMs)
    return partitionResponse(index, result)
  }
  const partition = services.replicas.get(name, index)
  if (partition === undefined) return refused(index, errors.NOT_LEADER_OR_FOLLOWER)
  const support = supportOf(context.apiVersion)
  const asked = services.verifier.verify(partition, transactionalId, transaction, support)
  const verified = asked instanceof Promise ? await asked : asked
  if (!('producerId' in verified)) return refusedUnverified(index, verified, support)
  const result = await services.replicas.append(name, index, [batch], acks, 'client', verified, timeoutMs)
  return partitionResponse(index, result)
}

const transactional = new BatchView(Buffer.alloc(0))

/** undefined for a batch that is no part of a transaction. */
function transactionOf(bytes: Buffer): TransactionalAppend | undefined {
  const { isTransactional, hasProducerId, producerId, producerEpoch, baseSequence } = transactional.moveTo(bytes, 0)
  return isTransactional && hasProducerId ? { producerId, producerEpoch, baseSequence } : undefined
}

function supportOf(apiVersion: number): TransactionSupport {
  if (apiVersion >= IMPLICIT_ADD_FROM) return 'add'
  return apiVersion >= ABORTABLE_FROM ? 'verifyAbortable' : 'verify'
}

/** Producers try again after NOT_ENOUGH_REPLICAS, and do not look for another leader. */
function refusedUnverified(index: number, error: KafkaError, support: TransactionSupport): PartitionResponse {
  const isConcurrent = error === errors.CONCURRENT_TRANSACTIONS && support !== 'add'
  if (!isConcurrent && !COORDINATOR_TROUBLE.has(error)) {
    const isMissing = error === errors.INVALID_TXN_STATE
    return { ...refused(index, error), errorMessage: isMissing ? 'The partition is not in the transaction' : null }
  }
  const errorMessage = `Cannot find out whether the partition is in the transaction: ${error.name}`
  return { ...refused(index, errors.NOT_ENOUGH_REPLICAS), errorMessage }
}

function refused(index: number, error: KafkaError): PartitionResponse {
  return { index, errorCode: error.code, baseOffset: -1 }
}

function partitionResponse(index: number, result: AppendResult): PartitionResponse {
  const { info, error, recordErrors, logStartOffset } = result
  const { code: errorCode } = error
  // As in Apache Kafka, where it is is said, too, if it is not known who else has it.
  if (info !== undefined) {
    return { index, errorCode, baseOffset: info.firstOffset, logAppendTimeMs: info.logAppendTimeMs, logStartOffset }
  }
  return {
    index,
    errorCode,
    baseOffset: -1,
    logStartOffset,
    recordErrors: recordErrors.map(({ batchIndex, message }) => ({ batchIndex, batchIndexErrorMessage: message })),
    // As in Apache Kafka, only the refusal of single records comes with words.
    errorMessage: recordErrors.length > 0 ? result.message : null,
  }
}

/** The one batch of a partition, cut off from what follows it; or why it is refused without a look at its records. */
function wholeBatch(data: PartitionData, version: number): Buffer | KafkaError {
  const bytes = data.records?.[0]
  if (bytes === undefined) return errors.UNKNOWN_SERVER_ERROR
  try {
    const size = batchSizeAt(bytes, 0, bytes.length)
    // A message set may be of any number of messages, be it none.
    if (version < BATCHES_FROM && (size === 0 || magicAt(bytes, 0) !== 2)) return bytes
    if (size === 0 || magicAt(bytes, 0) !== 2) return errors.INVALID_RECORD
    if (version < ZSTD_FROM && new BatchView(bytes).codecId === Codec.zstd) return errors.UNSUPPORTED_COMPRESSION_TYPE
    if (size === bytes.length) return bytes
    // Half a batch at the end is ignored, a second whole one is not.
    return batchSizeAt(bytes, size, bytes.length) === 0 ? bytes.subarray(0, size) : errors.INVALID_RECORD
  } catch (error) {
    if (error instanceof RecordsError) return errors.CORRUPT_MESSAGE
    throw error
  }
}

function finish(
  request: Request,
  context: RequestContext,
  services: Services,
  responses: TopicResponse[],
  topics: readonly Topic[],
) {
  if (request.acks === 0) return closeOnFailure(context, services, responses)
  if (context.apiVersion < LEADER_HINTS_FROM) return { responses }
  let hints: LeaderHints | undefined
  for (const [index, response] of responses.entries()) {
    for (const partition of response.partitionResponses ?? []) {
      if (partition.errorCode !== errors.NOT_LEADER_OR_FOLLOWER.code) continue
      hints ??= new LeaderHints(services, context)
      const name = topicName(topics[index]!, services)
      Object.assign(partition, { currentLeader: hints.currentLeader(name, partition.index ?? 0) })
    }
  }
  return hints === undefined ? { responses } : { responses, nodeEndpoints: hints.nodeEndpoints }
}

/** A producer that waits for no answer learns of a failure by losing its connection, and fetches metadata again. */
function closeOnFailure({ connection, clientId }: RequestContext, services: Services, responses: TopicResponse[]) {
  for (const { name, topicId, partitionResponses } of responses) {
    for (const { index, errorCode } of partitionResponses ?? []) {
      if (errorCode === 0) continue
      const where = `${name === '' ? topicId : name}-${index}`
      services.logger.info(
        `Closing connection ${connection.id} of client ${clientId}: acks=0 and error ${errorCode} on ${where}`,
      )
      return CLOSE_CONNECTION
    }
  }
  return NO_RESPONSE
}
