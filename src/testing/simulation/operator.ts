import { apis } from '../../protocol/api-keys.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import type { Client } from './client.ts'
import { ConnectionLost } from './connection.ts'
import type { Ledger } from './ledger.ts'
import type { WorkTopic } from './producers.ts'
import type { PartitionReader } from './readers.ts'

const TIMEOUT_MS = 2000

interface OperatedTopics {
  /** Of which records are deleted. */
  readonly shortened: readonly WorkTopic[]
  /** Of which replicas are moved. */
  readonly moved: readonly WorkTopic[]
}

/**
 * Somebody who runs the cluster: now and then deletes records, moves replicas, gives partitions back to their first, makes
 * topics and deletes them.
 */
export class Operator {
  readonly #client: Client
  readonly #ledger: Ledger
  readonly #topics: OperatedTopics
  readonly #readers: readonly PartitionReader[]
  readonly #brokerIds: readonly number[]
  readonly #made: string[] = []
  #count = 0
  isStopped = false

  constructor(
    client: Client,
    ledger: Ledger,
    topics: OperatedTopics,
    readers: readonly PartitionReader[],
    brokerIds: readonly number[],
  ) {
    this.#client = client
    this.#ledger = ledger
    this.#topics = topics
    this.#readers = readers
    this.#brokerIds = brokerIds
  }

  async run(): Promise<void> {
    const { world, random } = this.#client
    while (!this.isStopped && !world.isOver) {
      await world.sleep(random.below(4000))
      if (this.isStopped || world.isOver) return
      try {
        await random.pick([
          () => this.#deleteRecords(),
          () => this.#electPreferred(),
          () => this.#reassign(),
          () => this.#changeTopics(),
        ])()
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
    }
  }

  #choose(topics: readonly WorkTopic[]): { name: string; partition: number } {
    const { random } = this.#client
    const { name, partitions } = random.pick(topics)
    return { name, partition: random.below(partitions) }
  }

  /** What all readers have read, or a part of it. */
  async #deleteRecords(): Promise<void> {
    const { name, partition } = this.#choose(this.#topics.shortened)
    const positions = this.#readers
      .filter((reader) => reader.topic === name && reader.partition === partition)
      .map(({ position }) => position)
    const offset = Math.floor(Math.min(...positions) * this.#client.random.fraction())
    const place = await this.#client.placeOf(name, partition)
    if (place === undefined || offset <= 0) return
    this.#client.world.trace.note(`records of ${name}-${partition} before ${offset} are deleted`)
    this.#ledger.deletes(name, partition, offset)
    const body = { topics: [{ name, partitions: [{ partitionIndex: partition, offset }] }], timeoutMs: TIMEOUT_MS }
    await this.#client.call(place.leader, apis.DeleteRecords, 2, body)
  }

  async #electPreferred(): Promise<void> {
    this.#client.world.trace.note('preferred leaders are elected')
    const body = { electionType: 0, topicPartitions: null, timeoutMs: TIMEOUT_MS }
    await this.#client.call(this.#client.random.pick(this.#brokerIds), apis.ElectLeaders, 2, body)
  }

  /** One more, or one less of those that were made here. */
  async #changeTopics(): Promise<void> {
    const { random, world } = this.#client
    const broker = random.pick(this.#brokerIds)
    if (this.#made.length === 0 || random.percent(60)) {
      const name = `scratch-${++this.#count}`
      this.#made.push(name)
      world.trace.note(`${name} is to be made`)
      const topics = [{ name, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }]
      await this.#client.call(broker, apis.CreateTopics, 7, { topics, timeoutMs: TIMEOUT_MS })
      return
    }
    const name = this.#made.shift()!
    world.trace.note(`${name} is to be deleted`)
    const topics = [{ name, topicId: ZERO_UUID }]
    await this.#client.call(broker, apis.DeleteTopics, 6, { topics, timeoutMs: TIMEOUT_MS })
  }

  async #reassign(): Promise<void> {
    const { random, world } = this.#client
    const { name, partition } = this.#choose(this.#topics.moved)
    const place = await this.#client.placeOf(name, partition)
    if (place === undefined) return
    const left = [...this.#brokerIds]
    const replicas = place.replicas.map(() => left.splice(random.below(left.length), 1)[0]!)
    world.trace.note(`${name}-${partition} is to be on ${replicas}`)
    const body = {
      timeoutMs: TIMEOUT_MS,
      topics: [{ name, partitions: [{ partitionIndex: partition, replicas }] }],
    }
    await this.#client.call(random.pick(this.#brokerIds), apis.AlterPartitionReassignments, 1, body)
  }
}
