import { SHARE_STATE_TOPIC } from '../../controller/topic-names.ts'
import type { Time } from '../../platform/time.ts'
import { errorOfCode, errors, type KafkaError } from '../../protocol/errors.ts'
import type { ShareCoordinator } from './share-coordinator.ts'
import type { SharePartitionKey } from './share-records.ts'
import type { StateBatch } from './state-batch.ts'

/** How an operation on the state of a share partition ended. */
export interface PersisterResult {
  readonly error: KafkaError
  readonly message: string | null
}

export interface PersistedState extends PersisterResult {
  readonly stateEpoch: number
  readonly startOffset: number
  readonly batches: readonly StateBatch[]
}

export interface PersistedSummary extends PersisterResult {
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: number
  readonly deliveryCompleteCount: number
}

export interface StateChange {
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: number
  readonly deliveryCompleteCount: number
  readonly batches: readonly StateBatch[]
}

/** Keeps the state of share partitions for those that are at work on them. Never rejects but for a bug. */
export interface SharePersister {
  initialize(key: SharePartitionKey, stateEpoch: number, startOffset: number): Promise<PersisterResult>
  read(key: SharePartitionKey, leaderEpoch: number): Promise<PersistedState>
  write(key: SharePartitionKey, change: StateChange): Promise<PersisterResult>
  delete(key: SharePartitionKey): Promise<PersisterResult>
  summarise(key: SharePartitionKey, leaderEpoch: number): Promise<PersistedSummary>
}

/** Who answers requests of share state: the share coordinator, or who passes them on to it. */
export type ShareStateApi = Pick<ShareCoordinator, 'initialize' | 'read' | 'write' | 'delete' | 'summarise'>

export interface RetryingPersisterOptions {
  /** Gets requests of one share partition each. */
  readonly shares: ShareStateApi
  /** Makes the state topic if it is not there. Resolves to an error code. */
  readonly makeTopic: (name: string) => Promise<number>
  readonly hasTopic: (name: string) => boolean
  readonly time: Time
}

interface Answered {
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** Between tries while the coordinator is not ready; doubled each time, as by Apache Kafka's persister. */
const FIRST_BACKOFF_MS = 1000
const MAX_TRIES = 5

/** Asks the coordinator, again where it is not ready. */
export class RetryingPersister implements SharePersister {
  readonly #options: RetryingPersisterOptions

  constructor(options: RetryingPersisterOptions) {
    this.#options = options
  }

  initialize({ groupId, topicId, partition }: SharePartitionKey, stateEpoch: number, startOffset: number) {
    const topics = [{ topicId, partitions: [{ partition, stateEpoch, startOffset }] }]
    return this.#try(async () => outcome(first(await this.#options.shares.initialize({ groupId, topics }))))
  }

  read({ groupId, topicId, partition }: SharePartitionKey, leaderEpoch: number) {
    const topics = [{ topicId, partitions: [{ partition, leaderEpoch }] }]
    return this.#try(async () => {
      const answer = first(await this.#options.shares.read({ groupId, topics }))
      const { stateEpoch, startOffset, stateBatches: batches } = answer
      return { ...outcome(answer), stateEpoch, startOffset, batches }
    })
  }

  write({ groupId, topicId, partition }: SharePartitionKey, change: StateChange) {
    const { batches, ...rest } = change
    const topics = [
      { topicId, partitions: [{ partition, ...rest, stateBatches: batches.map((batch) => ({ ...batch })) }] },
    ]
    return this.#try(async () => outcome(first(await this.#options.shares.write({ groupId, topics }))))
  }

  delete({ groupId, topicId, partition }: SharePartitionKey) {
    const topics = [{ topicId, partitions: [{ partition }] }]
    return this.#try(async () => outcome(first(await this.#options.shares.delete({ groupId, topics }))))
  }

  summarise({ groupId, topicId, partition }: SharePartitionKey, leaderEpoch: number) {
    const topics = [{ topicId, partitions: [{ partition, leaderEpoch }] }]
    return this.#try(async () => {
      const answer = first(await this.#options.shares.summarise({ groupId, topics }))
      const { stateEpoch, leaderEpoch: epoch, startOffset, deliveryCompleteCount } = answer
      return { ...outcome(answer), stateEpoch, leaderEpoch: epoch, startOffset, deliveryCompleteCount }
    })
  }

  async #try<R extends PersisterResult>(run: () => Promise<R>): Promise<R> {
    const { hasTopic, makeTopic, time } = this.#options
    for (let tries = 1; ; tries++) {
      if (!hasTopic(SHARE_STATE_TOPIC)) await makeTopic(SHARE_STATE_TOPIC)
      const result = await run()
      if (!isPassing(result.error) || tries === MAX_TRIES) return result
      await new Promise<void>((resolve) => time.after(FIRST_BACKOFF_MS * 2 ** (tries - 1), resolve))
    }
  }
}

function isPassing(error: KafkaError): boolean {
  return (
    error === errors.NOT_COORDINATOR ||
    error === errors.COORDINATOR_NOT_AVAILABLE ||
    error === errors.COORDINATOR_LOAD_IN_PROGRESS
  )
}

function first<A>({ results }: { readonly results: readonly { readonly partitions: readonly A[] }[] }): A {
  return results[0]!.partitions[0]!
}

function outcome({ errorCode, errorMessage }: Answered): PersisterResult {
  return { error: errorOfCode(errorCode), message: errorMessage }
}
