import { MemoryCoordinatorLog } from '../coordinator/memory-log.testkit.ts'
import type { TransactionMarker } from '../coordinator/runtime/shard.ts'
import type { MarkerTarget } from '../coordinator/transactions/markers.ts'
import type { TransactionConfig } from '../coordinator/transactions/transaction-config.ts'
import { TRANSACTION_TOPIC, TransactionCoordinator } from '../coordinator/transactions/transaction-coordinator.ts'
import { LogError } from '../log/append-error.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import {
  batchOf,
  marker as markerBatch,
  openLog,
  READ_ALL,
  type TestEnvironment,
  testEnvironment,
} from '../log/testkit.ts'
import { MetadataImage } from '../metadata/image.ts'
import { silentLogger } from '../platform/logger.ts'
import type { Platform } from '../platform/platform.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import { BatchView } from '../protocol/records/batch.ts'
import { decodeRecords } from '../protocol/records/cursor.ts'
import { Partition } from '../replication/partition.ts'
import { partitionContext, partitionState } from '../replication/replication.testkit.ts'
import { type TransactionSupport, TransactionVerifier } from './transaction-verifier.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const MAX_BATCH_BYTES = 1024 * 1024

const testConfig: TransactionConfig = {
  maxTimeoutMs: 60_000,
  abortIntervalMs: 1000,
  idExpirationMs: 3_600_000,
  expirationIntervalMs: 600_000,
  retryBackoffMs: 20,
  maxRetryMs: 100,
  writeTimeoutMs: 5000,
}

export interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

/** An image in which the one partition of __transaction_state is led by this broker. */
export function transactionTopicLedBy(leader: number): MetadataImage {
  const image = new MetadataImage()
  image.topics.add(TRANSACTION_TOPIC, TOPIC_ID)
  const partition = { topicId: TOPIC_ID, partition: 0, leader } as Parameters<typeof image.topics.setPartition>[0]
  image.topics.setPartition(partition)
  return image
}

/**
 * A transaction coordinator over a log in memory, and partitions of the topic `topic` with real logs on a disk in memory,
 * under a clock that stands still.
 */
export class TransactionHarness implements MarkerTarget {
  readonly environment: TestEnvironment = testEnvironment()
  readonly log = new MemoryCoordinatorLog()
  readonly partitions: Partition[] = []
  readonly logs: PartitionLog[] = []
  /** What the next markers are refused with. */
  readonly markerFailures: KafkaError[] = []
  /** The epochs of the coordinator under which markers were tried. */
  readonly markerEpochs: number[] = []
  transactionVersion = 2
  readonly image = transactionTopicLedBy(1)
  coordinator: TransactionCoordinator
  verifier: TransactionVerifier
  #nextProducerId = 1000
  #idsLeft = 0
  #leaderEpoch = 0

  constructor(partitionCount = 2) {
    for (let index = 0; index < partitionCount; index++) {
      const log = openLog(this.environment, {}, { partition: index, directory: `/data/topic-${index}` })
      this.logs.push(log)
      this.partitions.push(
        new Partition(
          partitionContext(this.environment.time),
          partitionState({ topicId: '', partition: index }),
          log,
          1,
        ),
      )
    }
    this.coordinator = this.#make()
    this.verifier = this.#makeVerifier()
  }

  static async started(partitionCount?: number): Promise<TransactionHarness> {
    const harness = new TransactionHarness(partitionCount)
    await harness.coordinator.onElection(0, 0)
    return harness
  }

  #make(): TransactionCoordinator {
    return new TransactionCoordinator({
      log: this.log,
      config: testConfig,
      partitionCount: () => 1,
      transactionVersion: () => this.transactionVersion,
      producerIds: {
        next: () => (this.#idsLeft-- > 0 ? this.#nextProducerId++ : undefined),
        refill: async () => {
          this.#idsLeft = 2
        },
      },
      markers: this,
      platform: { time: this.environment.time } as unknown as Platform,
      logger: silentLogger,
    })
  }

  #makeVerifier(): TransactionVerifier {
    return new TransactionVerifier({
      nodeId: 1,
      transactions: this.coordinator,
      questions: { ask: async () => errors.NETWORK_EXCEPTION },
      image: this.image,
      mustVerify: () => true,
    })
  }

  /** The coordinator is gone as in a crash, and another one takes over what is in its log. */
  async crash(): Promise<void> {
    this.coordinator.onResignation(0, ++this.#leaderEpoch)
    this.coordinator = this.#make()
    this.verifier = this.#makeVerifier()
    await this.coordinator.onElection(0, this.#leaderEpoch)
  }

  pass(durationMs: number): Promise<void> {
    return this.environment.time.advance(durationMs)
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 6; round++) await this.pass(0)
  }

  /** Lets everything happen that needs little time. */
  async done<T>(promise: Promise<T>): Promise<T> {
    let result: { value: T } | { error: unknown } | undefined
    promise.then(
      (value) => {
        result = { value }
      },
      (error) => {
        result = { error }
      },
    )
    for (let round = 0; round < 20 && result === undefined; round++) await this.pass(round < 10 ? 0 : 20)
    if (result === undefined) throw new Error('there is no answer yet')
    if ('error' in result) throw result.error
    return result.value
  }

  exists(_: string, partition: number): boolean {
    return this.partitions[partition] !== undefined
  }

  async write(_: string, partition: number, marker: TransactionMarker): Promise<KafkaError> {
    this.markerEpochs.push(marker.coordinatorEpoch)
    const failure = this.markerFailures.shift()
    if (failure !== undefined) return failure
    const { producerId, producerEpoch, isCommit, coordinatorEpoch, transactionVersion: markerVersion } = marker
    const batch = markerBatch(isCommit ? 'commit' : 'abort', producerId, producerEpoch, coordinatorEpoch)
    const append = { producerId, producerEpoch, baseSequence: -1, markerVersion }
    try {
      await this.partitions[partition]!.append([batch], -1, 'coordinator', append)
      return errors.NONE
    } catch (error) {
      if (error instanceof LogError) return error.error
      throw error
    }
  }

  async init(transactionalId: string, timeoutMs = 30_000, expected?: Producer) {
    const {
      errorCode = 0,
      producerId = -1,
      producerEpoch = -1,
    } = await this.done(this.coordinator.initProducerId(transactionalId, timeoutMs, expected))
    return { errorCode, producerId, producerEpoch }
  }

  /** As Produce does it; resolves with the error. */
  async produce(
    transactionalId: string,
    producer: Producer,
    partition: number,
    baseSequence: number,
    values: readonly string[],
    support: TransactionSupport,
  ): Promise<KafkaError> {
    const { producerId, producerEpoch } = producer
    const target = this.partitions[partition]!
    const asked = { producerId, producerEpoch, baseSequence }
    const verified = await this.verifier.verify(target, transactionalId, asked, support)
    if (!('producerId' in verified)) return verified
    try {
      const batch = batchOf(values, { ...asked, isTransactional: true })
      await target.append([batch], -1, 'client', verified)
      return errors.NONE
    } catch (error) {
      if (error instanceof LogError) return error.error
      throw error
    }
  }

  add(transactionalId: string, producer: Producer, partition: number, clientVersion = 0): Promise<KafkaError> {
    const partitions = new Map([['topic', new Set([partition])]])
    return this.coordinator.addPartitions(transactionalId, producer, partitions, clientVersion)
  }

  async state(transactionalId: string): Promise<string> {
    return (await this.done(this.coordinator.describe(transactionalId))).transactionState
  }

  /** The values that a consumer sees which reads only what is committed. */
  async committed(partition: number): Promise<string[]> {
    const log = this.logs[partition]!
    const values: string[] = []
    const aborted = new Set<number>()
    let pending: readonly { producerId: number; firstOffset: number }[] = []
    for (let offset = log.logStartOffset; offset < log.lastStableOffset; ) {
      const data = await log.read(offset, { ...READ_ALL, upTo: 'lastStable' })
      pending = data.abortedTransactions ?? []
      for (const buffer of data.records) {
        for (let at = 0; at < buffer.length; ) {
          const batch = new BatchView(buffer, at)
          for (const { producerId, firstOffset } of pending) {
            if (firstOffset <= batch.lastOffset) aborted.add(producerId)
          }
          pending = pending.filter(({ firstOffset }) => firstOffset > batch.lastOffset)
          if (batch.isControl) aborted.delete(batch.producerId)
          else if (!aborted.has(batch.producerId)) {
            for (const { value } of decodeRecords(batch, MAX_BATCH_BYTES)) values.push(String(value))
          }
          at = batch.end
        }
      }
      offset = data.nextOffset
    }
    return values
  }
}
