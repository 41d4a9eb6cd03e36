import { describe, expect, test } from 'vitest'
import { openLog, testEnvironment } from '../log/testkit.ts'
import { MetadataImage } from '../metadata/image.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import type { AddPartitionsToTxnRequest } from '../protocol/messages/add-partitions-to-txn.ts'
import type { BrokerLinks } from '../replication/channel/broker-links.ts'
import { type FailureReason, RequestError } from '../replication/channel/node-client.ts'
import { Partition } from '../replication/partition.ts'
import { partitionContext, partitionState } from '../replication/replication.testkit.ts'
import { TransactionQuestions } from './transaction-questions.ts'
import { type TransactionSupport, TransactionVerifier } from './transaction-verifier.ts'
import { transactionTopicLedBy } from './transactions.testkit.ts'

/** The coordinator is broker 2; this is broker 1. */
function setup(image = transactionTopicLedBy(2)) {
  const environment = testEnvironment()
  const { time } = environment
  const asked: AddPartitionsToTxnRequest['transactions'][] = []
  const held: { resolve: (answer: unknown) => void; reject: (error: Error) => void }[] = []
  const options: unknown[] = []
  const request = (
    _brokerId: number,
    _api: unknown,
    body: (version: number) => Pick<AddPartitionsToTxnRequest, 'transactions'>,
    linkOptions: unknown,
  ) => {
    asked.push(body(5).transactions)
    options.push(linkOptions)
    return new Promise((resolve, reject) => held.push({ resolve, reject }))
  }
  const verifier = new TransactionVerifier({
    nodeId: 1,
    transactions: {
      partitionFor: () => 0,
      addPartitions: () => Promise.reject(new Error('not here')),
      verify: () => Promise.reject(new Error('not here')),
    },
    questions: new TransactionQuestions({ request } as unknown as BrokerLinks, time),
    image,
    mustVerify: () => true,
  })
  const partitions = [0, 1].map((partition) => {
    const log = openLog(environment, {}, { partition, directory: `/data/topic-${partition}` })
    return new Partition(partitionContext(time), partitionState({ partition }), log, 1)
  })
  const verify = (index: number, support: TransactionSupport, transactionalId = 't', producerId = 7) => {
    const outcome: { value?: string } = {}
    const batch = { producerId, producerEpoch: 2, baseSequence: 0 }
    void Promise.resolve(verifier.verify(partitions[index]!, transactionalId, batch, support)).then((verified) => {
      outcome.value = 'producerId' in verified ? 'verified' : verified.name
    })
    return outcome
  }
  const answer = async (error: KafkaError, whole: KafkaError = errors.NONE) => {
    const resultsByTransaction = asked.at(-1)!.map(({ transactionalId, topics }) => ({
      transactionalId,
      topicResults: topics.map(({ name, partitions: indexes }) => ({
        name,
        resultsByPartition: indexes.map((partitionIndex) => ({ partitionIndex, partitionErrorCode: error.code })),
      })),
    }))
    held.at(-1)!.resolve({ version: 5, response: { errorCode: whole.code, resultsByTransaction } })
    await time.advance(0)
  }
  const fail = async (reason: FailureReason) => {
    held.at(-1)!.reject(new RequestError(reason, 'broker 2'))
    await time.advance(0)
  }
  return { time, asked, options, verify, answer, fail }
}

describe('KIP-890: a coordinator on another broker', () => {
  test('is asked once for all partitions, and for several transactions at once', async () => {
    const { time, asked, options, verify, answer } = setup()
    const outcomes = [verify(0, 'verify'), verify(1, 'verify'), verify(0, 'verify', 'u', 8)]
    await time.advance(0)
    const topics = (partitions: number[]) => [{ name: 'topic', partitions }]
    const rest = { producerEpoch: 2, verifyOnly: true }
    expect(asked).toEqual([
      [
        { transactionalId: 't', producerId: 7, ...rest, topics: topics([0, 1]) },
        { transactionalId: 'u', producerId: 8, ...rest, topics: topics([0]) },
      ],
    ])
    expect(options).toEqual([{ minVersion: 4 }])
    await answer(errors.NONE)
    expect(outcomes.map(({ value }) => value)).toEqual(['verified', 'verified', 'verified'])
  })

  test('adds the partition where the client leaves that to the broker', async () => {
    const { time, asked, verify, answer } = setup()
    const outcomes = [verify(0, 'add'), verify(1, 'verifyAbortable')]
    await time.advance(0)
    expect(asked[0]).toMatchObject([{ verifyOnly: false, topics: [{ partitions: [0] }] }])
    await answer(errors.NONE)
    expect(asked[1]).toMatchObject([{ verifyOnly: true, topics: [{ partitions: [1] }] }])
    await answer(errors.NONE)
    expect(outcomes.map(({ value }) => value)).toEqual(['verified', 'verified'])
  })

  test.each<[TransactionSupport, KafkaError, KafkaError]>([
    ['verify', errors.TRANSACTION_ABORTABLE, errors.INVALID_TXN_STATE],
    ['verifyAbortable', errors.TRANSACTION_ABORTABLE, errors.TRANSACTION_ABORTABLE],
    ['verify', errors.PRODUCER_FENCED, errors.INVALID_PRODUCER_EPOCH],
    ['add', errors.NOT_COORDINATOR, errors.COORDINATOR_NOT_AVAILABLE],
    ['add', errors.CONCURRENT_TRANSACTIONS, errors.CONCURRENT_TRANSACTIONS],
  ])('where it is asked to %s, %j becomes %j', async (support, told, expected) => {
    const { time, verify, answer } = setup()
    const outcome = verify(0, support)
    await time.advance(0)
    await answer(told)
    expect(outcome.value).toBe(expected.name)
  })

  test('refuses all, or is not there', async () => {
    const { time, verify, answer, fail } = setup()
    const refused = verify(0, 'add')
    await time.advance(0)
    await answer(errors.NONE, errors.CLUSTER_AUTHORIZATION_FAILED)
    const lost = verify(0, 'add')
    await time.advance(0)
    await fail('timed out')
    expect([refused.value, lost.value]).toEqual(['INVALID_TXN_STATE', 'NETWORK_EXCEPTION'])
  })

  test('is too old to be asked: then all are believed', async () => {
    const { time, verify, fail } = setup()
    const outcome = verify(0, 'verify')
    await time.advance(0)
    await fail('unsupported version')
    expect(outcome.value).toBe('verified')
  })

  test.each([
    ['is not known', new MetadataImage()],
    ['is nobody now', transactionTopicLedBy(-1)],
  ])('%s', async (_, image) => {
    const { time, asked, verify } = setup(image)
    const outcome = verify(0, 'add')
    await time.advance(0)
    expect(asked).toEqual([])
    expect(outcome.value).toBe('COORDINATOR_NOT_AVAILABLE')
  })
})
