import type { TransactionCoordinator } from '../../coordinator/transactions/transaction-coordinator.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } from '../../protocol/messages/add-partitions-to-txn.ts'
import { defineHandler, type Services } from '../types.ts'

/** From these versions on: several transactions, and clients that take an epoch with every end (KIP-890). */
const FIRST_BATCHED_VERSION = 4
/** Older clients know INVALID_PRODUCER_EPOCH only. */
const PRODUCER_FENCED_FROM = 2
const CLIENT_VERSION_WITH_BUMPS = 2

type Transaction = AddPartitionsToTxnRequest['transactions'][number]
type TopicResult = { name: string; resultsByPartition: { partitionIndex: number; partitionErrorCode: number }[] }

/** AddPartitionsToTxn: the producer will write there; from version 4 on also only asked whether it has said so. */
export const handler = defineHandler({
  request: AddPartitionsToTxnRequest,
  response: AddPartitionsToTxnResponse,
  async handle(request, { apiVersion }, services) {
    if (apiVersion >= FIRST_BATCHED_VERSION) {
      const resultsByTransaction = await Promise.all(
        request.transactions.map(async (transaction) => ({
          transactionalId: transaction.transactionalId,
          topicResults: await answer(transaction, CLIENT_VERSION_WITH_BUMPS, services),
        })),
      )
      return { resultsByTransaction }
    }
    const topics = await answer(asTransaction(request), 0, services)
    if (apiVersion < PRODUCER_FENCED_FROM) hideFencing(topics)
    return { resultsByTopicV3AndBelow: topics }
  },
  failed(request, errorCode, { apiVersion }) {
    if (apiVersion >= FIRST_BATCHED_VERSION) return { errorCode }
    return { resultsByTopicV3AndBelow: resultsOf(asTransaction(request), () => errorCode) }
  },
})

function asTransaction(request: AddPartitionsToTxnRequest): Transaction {
  return {
    transactionalId: request.v3AndBelowTransactionalId,
    producerId: request.v3AndBelowProducerId,
    producerEpoch: request.v3AndBelowProducerEpoch,
    verifyOnly: false,
    topics: request.v3AndBelowTopics,
  }
}

function hideFencing(topics: readonly TopicResult[]): void {
  for (const result of topics.flatMap((topic) => topic.resultsByPartition)) {
    if (result.partitionErrorCode === errors.PRODUCER_FENCED.code) {
      result.partitionErrorCode = errors.INVALID_PRODUCER_EPOCH.code
    }
  }
}

async function answer(transaction: Transaction, clientVersion: number, services: Services): Promise<TopicResult[]> {
  const { topics } = services.image
  const isMissing = (topic: string, partition: number) => topics.partition(topic, partition) === undefined
  if (transaction.topics.some(({ name, partitions }) => partitions.some((partition) => isMissing(name, partition)))) {
    // One partition that is not there keeps all others out.
    const errorOf = (topic: string, partition: number) =>
      isMissing(topic, partition) ? errors.UNKNOWN_TOPIC_OR_PARTITION : errors.OPERATION_NOT_ATTEMPTED
    return resultsOf(transaction, (topic, partition) => errorOf(topic, partition).code)
  }
  if (transaction.verifyOnly) return verify(transaction, services.transactions)
  const partitions = new Map<string, Set<number>>()
  for (const topic of transaction.topics) {
    partitions.set(topic.name, new Set([...(partitions.get(topic.name) ?? []), ...topic.partitions]))
  }
  const { transactionalId } = transaction
  const error = await services.transactions.addPartitions(transactionalId, transaction, partitions, clientVersion)
  return resultsOf(transaction, () => error.code)
}

async function verify(transaction: Transaction, transactions: TransactionCoordinator): Promise<TopicResult[]> {
  const verified = await transactions.verify(transaction.transactionalId, transaction)
  const errorOf = (topic: string, partition: number): KafkaError => {
    if (!('partitions' in verified)) return verified
    return verified.partitions.get(topic)?.has(partition) === true ? errors.NONE : errors.TRANSACTION_ABORTABLE
  }
  return resultsOf(transaction, (topic, partition) => errorOf(topic, partition).code)
}

function resultsOf(transaction: Transaction, codeOf: (topic: string, partition: number) => number): TopicResult[] {
  return transaction.topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: codeOf(name, partitionIndex),
    })),
  }))
}
