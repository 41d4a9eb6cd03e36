import { apis } from '../../protocol/api-keys.ts'
import { batchesIn } from '../../protocol/records/batch.ts'
import { buildBatch } from '../../protocol/records/builder.ts'
import { decodeRecords } from '../../protocol/records/cursor.ts'
import type { Partition } from '../../replication/partition.ts'
import { nameOfError } from '../simulation/client.ts'
import { ConnectionLost } from '../simulation/connection.ts'
import type { TestCluster } from './cluster.testkit.ts'

const SET = 0
const READ_BYTES = 10_000_000

export const TOPIC_CONFIG = 2
export const BROKER_CONFIG = 4

/** The one partition of a topic on a cluster: what is asked of it, and its replicas. */
export class TestPartition {
  readonly topic: string
  readonly #cluster: TestCluster
  /** Of all records that all in sync have. */
  readonly acknowledged: string[] = []
  #next = 0

  constructor(cluster: TestCluster, topic: string) {
    this.#cluster = cluster
    this.topic = topic
  }

  /** On these brokers; they are waited for. */
  async create(
    brokerIds: readonly number[],
    configs: Readonly<Record<string, string>> = {},
    awaitedIds: readonly number[] = brokerIds,
  ): Promise<void> {
    const { topic } = this
    const wanted = {
      name: topic,
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [{ partitionIndex: 0, brokerIds: [...brokerIds] }],
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }
    const body = { topics: [wanted], timeoutMs: 10_000, validateOnly: false }
    const isMade = ({ topics }: { topics: readonly { errorCode: number }[] }) =>
      ['NONE', 'TOPIC_ALREADY_EXISTS'].includes(nameOfError(topics[0]!.errorCode))
    await this.#cluster.done(this.#cluster.client.anybody(apis.CreateTopics, 7, body, isMade))
    await this.#cluster.until(() => awaitedIds.every((id) => this.replica(id) !== undefined))
  }

  /** The replica that a running node has; undefined for none. */
  replica(id: number): Partition | undefined {
    return this.#cluster.node(id).life?.replicas?.get(this.topic, 0)
  }

  /** As the nodes see it, of which one may lag behind: the one of the last epoch. */
  get leader(): Partition | undefined {
    const { nodes } = this.#cluster.world
    const leaders = nodes.map(({ id }) => this.replica(id)).filter((replica) => replica?.isLeader)
    return leaders.sort((a, b) => b!.leaderEpoch - a!.leaderEpoch)[0]
  }

  get leaderId(): number {
    return this.leader?.state.leader ?? -1
  }

  get isr(): number[] {
    return [...(this.leader?.state.isr ?? [])].sort()
  }

  endOf(id: number): number | undefined {
    return this.replica(id)?.log.logEndOffset
  }

  /** Values of the records of one replica, committed or not. */
  async valuesOf(id: number): Promise<string[]> {
    const { log } = this.replica(id)!
    const values: string[] = []
    for (let at = log.logStartOffset; at < log.logEndOffset; ) {
      const options = { maxBytes: READ_BYTES, minOneBatch: true, upTo: 'logEnd' } as const
      const read = await this.#cluster.done(Promise.resolve(log.read(at, options)))
      for (const chunk of read.records) {
        for (const batch of batchesIn(chunk)) {
          for (const { value } of decodeRecords(batch, READ_BYTES)) values.push(value!.toString().trimEnd())
        }
      }
      at = read.nextOffset
    }
    return values
  }

  /** Appends records, one after the other, each until it is acknowledged; one whose answer is late may be there twice. */
  async produce(count: number, valueBytes = 10): Promise<void> {
    for (let index = 0; index < count; index++) await this.#cluster.done(this.produceOne(-1, valueBytes))
  }

  /** Goes on until the run is over where it is not acknowledged. */
  async produceOne(acks = -1, valueBytes = 10): Promise<void> {
    const value = `v${this.#next++}`
    const { client, world } = this.#cluster
    while (!world.isOver) {
      const place = await client.placeOf(this.topic, 0)
      if (place === undefined) return
      try {
        const { responses } = await client.call(
          place.leader,
          apis.Produce,
          9,
          this.body(value.padEnd(valueBytes), acks),
        )
        if (responses[0]!.partitionResponses[0]!.errorCode === 0) {
          if (acks === -1) this.acknowledged.push(value)
          return
        }
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
      client.forget(this.topic, 0)
      await client.backOff()
    }
  }

  /** Of a Produce request with one record. */
  body(value: string, acks = -1) {
    // No older than retention allows.
    const timestamp = Math.floor(this.#cluster.world.time.nowMs())
    const records = [buildBatch([{ timestamp, key: null, value: Buffer.from(value) }])]
    const topicData = [{ name: this.topic, partitionData: [{ index: 0, records }] }]
    return { transactionalId: null, acks, timeoutMs: 2000, topicData }
  }

  /** Has it moved to these brokers; null takes a move back. */
  async reassign(replicas: readonly number[] | null): Promise<void> {
    const partitions = [{ partitionIndex: 0, replicas: replicas === null ? null : [...replicas] }]
    const body = { timeoutMs: 10_000, topics: [{ name: this.topic, partitions }] }
    const { client } = this.#cluster
    const expected = ['NONE', ...(replicas === null ? ['NO_REASSIGNMENT_IN_PROGRESS'] : [])]
    await this.#cluster.done(
      client.anybody(
        apis.AlterPartitionReassignments,
        0,
        body,
        ({ errorCode, responses }) =>
          errorCode === 0 && expected.includes(nameOfError(responses[0]!.partitions[0]!.errorCode)),
      ),
    )
  }

  async configure(resourceType: number, values: Readonly<Record<string, string>>): Promise<void> {
    const resourceName = resourceType === TOPIC_CONFIG ? this.topic : ''
    const configs = Object.entries(values).map(([name, value]) => ({ name, configOperation: SET, value }))
    const body = { resources: [{ resourceType, resourceName, configs }], validateOnly: false }
    const isDone = ({ responses }: { responses: readonly { errorCode: number }[] }) => responses[0]!.errorCode === 0
    await this.#cluster.done(this.#cluster.client.anybody(apis.IncrementalAlterConfigs, 1, body, isDone))
  }

  /** What the node's metadata, as it tells clients, say of the partition. */
  async describe(brokerId: number) {
    const body = { topics: [{ name: this.topic }], responsePartitionLimit: 100 }
    const { topics } = await this.#cluster.done(
      this.#cluster.client.call(brokerId, apis.DescribeTopicPartitions, 0, body),
    )
    return topics[0]!.partitions[0]!
  }

  /** Resolves when they have the same end. */
  async untilEqual(...ids: number[]): Promise<void> {
    await this.#cluster.until(() => {
      const end = this.leader?.log.logEndOffset
      return end !== undefined && ids.every((id) => this.endOf(id) === end)
    })
  }
}
