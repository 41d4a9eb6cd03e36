import type { Time } from '../platform/time.ts'
import { apis } from '../protocol/api-keys.ts'
import { errorOfCode, errors, type KafkaError } from '../protocol/errors.ts'
import type {
  AddPartitionsToTxnRequestInput,
  AddPartitionsToTxnResponse,
} from '../protocol/messages/add-partitions-to-txn.ts'
import type { BrokerLinks } from '../replication/channel/broker-links.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { GatheredRequests, oneOfEach } from './gathered-requests.ts'

/** Whether a producer may write into a partition. */
export interface TransactionQuestion {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
  readonly topic: string
  readonly partition: number
  /** False: the partition is added to the transaction. */
  readonly isVerifyOnly: boolean
}

interface Entry extends TransactionQuestion {
  readonly resolve: (error: KafkaError) => void
}

type TransactionInput = NonNullable<AddPartitionsToTxnRequestInput['transactions']>[number]

/** The first version in which brokers ask, and for several transactions (KIP-890). */
const FIRST_BATCHED_VERSION = 4

/** Asks coordinators on other brokers about transactions (AddPartitionsToTxn). */
export class TransactionQuestions {
  readonly #links: Pick<BrokerLinks, 'request'>
  readonly #requests: GatheredRequests<number, Entry>

  constructor(links: Pick<BrokerLinks, 'request'>, time: Time) {
    this.#links = links
    this.#requests = new GatheredRequests(time, (brokerId, entries) => this.#send(brokerId, entries))
  }

  /**
   * Resolves with NONE, with what the coordinator objects, or with NETWORK_EXCEPTION where it does not answer. A coordinator
   * that is too old to be asked objects to nothing.
   */
  ask(brokerId: number, question: TransactionQuestion): Promise<KafkaError> {
    return new Promise((resolve) => this.#requests.add(brokerId, { ...question, resolve }))
  }

  async #send(brokerId: number, entries: readonly Entry[]): Promise<readonly Entry[]> {
    // A transactional id comes once in a request: of two questions that differ, the second waits for the next one.
    const { sent, left } = oneOfEach(entries, ({ transactionalId }) => transactionalId, isSameProducer)
    const transactions = transactionsOf(sent)
    try {
      const { response } = await this.#links.request(brokerId, apis.AddPartitionsToTxn, () => ({ transactions }), {
        minVersion: FIRST_BATCHED_VERSION,
      })
      answer(sent, response)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      const outcome = error.reason === 'unsupported version' ? errors.NONE : errors.NETWORK_EXCEPTION
      for (const { resolve } of sent) resolve(outcome)
    }
    return left
  }
}

function isSameProducer(a: Entry, b: Entry): boolean {
  return a.producerId === b.producerId && a.producerEpoch === b.producerEpoch && a.isVerifyOnly === b.isVerifyOnly
}

function transactionsOf(entries: readonly Entry[]): TransactionInput[] {
  const transactions = new Map<string, { readonly first: Entry; readonly topics: Map<string, number[]> }>()
  for (const entry of entries) {
    const { transactionalId, topic, partition } = entry
    let transaction = transactions.get(transactionalId)
    if (transaction === undefined) {
      transaction = { first: entry, topics: new Map() }
      transactions.set(transactionalId, transaction)
    }
    const partitions = transaction.topics.get(topic)
    if (partitions === undefined) transaction.topics.set(topic, [partition])
    else partitions.push(partition)
  }
  return [...transactions].map(([transactionalId, { first, topics }]) => ({
    transactionalId,
    producerId: first.producerId,
    producerEpoch: first.producerEpoch,
    verifyOnly: first.isVerifyOnly,
    topics: [...topics].map(([name, partitions]) => ({ name, partitions })),
  }))
}

function answer(entries: readonly Entry[], { errorCode, resultsByTransaction }: AddPartitionsToTxnResponse): void {
  const codes = new Map<string, number>()
  for (const { transactionalId, topicResults } of resultsByTransaction) {
    for (const { name, resultsByPartition } of topicResults) {
      for (const { partitionIndex, partitionErrorCode } of resultsByPartition) {
        codes.set(keyOf(transactionalId, name, partitionIndex), partitionErrorCode)
      }
    }
  }
  for (const { transactionalId, topic, partition, resolve } of entries) {
    const code = codes.get(keyOf(transactionalId, topic, partition)) ?? errors.UNKNOWN_SERVER_ERROR.code
    resolve(asProducerKnows(errorOfCode(errorCode === 0 ? code : errorCode)))
  }
}

/** That brokers may not ask each other is nothing that a producer could make sense of. */
function asProducerKnows(error: KafkaError): KafkaError {
  return error === errors.CLUSTER_AUTHORIZATION_FAILED ? errors.INVALID_TXN_STATE : error
}

function keyOf(transactionalId: string, topic: string, partition: number): string {
  return `${topic} ${partition} ${transactionalId}`
}
