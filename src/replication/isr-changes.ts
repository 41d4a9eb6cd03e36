import type { Logger } from '../platform/logger.ts'
import type { Time } from '../platform/time.ts'
import { apis } from '../protocol/api-keys.ts'
import { errorOfCode, errors, type KafkaError } from '../protocol/errors.ts'
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/messages/alter-partition.ts'
import type { InputOf } from '../protocol/schema.ts'
import type { ControllerLink } from './channel/controller-link.ts'
import { RequestError } from './channel/node-client.ts'

/** What a leader wants the in-sync replicas of its partition to be. */
export interface IsrChange {
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  /** The change is made only if the partition has not changed since. */
  readonly partitionEpoch: number
  /** `brokerEpoch`: -1 for unknown. */
  readonly isr: readonly { readonly brokerId: number; readonly brokerEpoch: number }[]
}

/** What the controller made of it. */
export interface IsrAnswer {
  readonly error: KafkaError
  /** Of the partition as it is now; without meaning where there is an error. */
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly isr: readonly number[]
}

/** How leaders have their in-sync replicas changed. */
export interface IsrChanges {
  /**
   * `onAnswer` is called once, later. OPERATION_NOT_ATTEMPTED: an earlier change of the same partition has not been answered.
   * What cannot be brought to a controller is tried again until it can.
   */
  submit(change: IsrChange, onAnswer: (answer: IsrAnswer) => void): void
  /** Nothing more is asked, and nobody hears of an answer. */
  close(): void
}

export interface AlterPartitionChangesOptions {
  readonly nodeId: number
  /** In which this broker is registered, -1 for none. */
  readonly brokerEpoch: () => number
  readonly controller: ControllerLink
  readonly time: Time
  readonly logger: Logger
}

interface Submitted {
  readonly change: IsrChange
  readonly onAnswer: (answer: IsrAnswer) => void
}

/** After a request that as a whole came to nothing. */
const RETRY_MS = 50

/** From here on requests tell the epochs of brokers (KIP-903). */
const BROKER_EPOCHS_FROM = 3
const TOPIC_IDS_FROM = 2

/** Asks the active controller, with one request at a time, which has all that is wanted by then. */
export class AlterPartitionChanges implements IsrChanges {
  readonly #options: AlterPartitionChangesOptions
  /** Not answered, by topic id and partition. */
  readonly #submitted = new Map<string, Submitted>()
  #isBusy = false
  #isClosed = false

  constructor(options: AlterPartitionChangesOptions) {
    this.#options = options
  }

  submit(change: IsrChange, onAnswer: (answer: IsrAnswer) => void): void {
    const key = keyOf(change.topicId, change.partition)
    if (this.#submitted.has(key)) {
      this.#options.time.soon(() => onAnswer(failed(errors.OPERATION_NOT_ATTEMPTED)))
      return
    }
    this.#submitted.set(key, { change, onAnswer })
    if (this.#isBusy || this.#isClosed) return
    this.#isBusy = true
    // Whoever submits a change in the same turn has it in the same request.
    this.#options.time.soon(() => void this.#send())
  }

  close(): void {
    this.#isClosed = true
    this.#submitted.clear()
  }

  async #send(): Promise<void> {
    while (this.#submitted.size > 0 && !this.#isClosed) {
      if (!(await this.#ask([...this.#submitted]))) await this.#pause()
    }
    this.#isBusy = false
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.time.after(RETRY_MS, resolve))
  }

  /** False where all of it has to be asked again. */
  async #ask(sent: readonly (readonly [string, Submitted])[]): Promise<boolean> {
    const { controller, logger } = this.#options
    const changes = sent.map(([, { change }]) => change)
    try {
      const body = (version: number) => this.#request(changes, version)
      const { response } = await controller.request(apis.AlterPartition, body, { minVersion: TOPIC_IDS_FROM })
      if (this.#isClosed) return true
      if (response.errorCode === 0) return this.#settle(sent, response)
      logger.warn(`The controller refuses to change in-sync replicas: ${errorOfCode(response.errorCode).name}`)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      logger.warn(`Changes of in-sync replicas were not brought to the controller: ${error.message}`)
    }
    return false
  }

  #request(changes: readonly IsrChange[], version: number): InputOf<typeof AlterPartitionRequest> {
    const topics = new Map<string, IsrChange[]>()
    for (const change of changes) {
      const known = topics.get(change.topicId)
      if (known === undefined) topics.set(change.topicId, [change])
      else known.push(change)
    }
    return {
      brokerId: this.#options.nodeId,
      brokerEpoch: this.#options.brokerEpoch(),
      topics: [...topics].map(([topicId, ofTopic]) => ({
        topicId,
        partitions: ofTopic.map(({ partition, leaderEpoch, partitionEpoch, isr }) => ({
          partitionIndex: partition,
          leaderEpoch,
          partitionEpoch,
          ...(version >= BROKER_EPOCHS_FROM
            ? { newIsrWithEpochs: [...isr] }
            : { newIsr: isr.map(({ brokerId }) => brokerId) }),
        })),
      })),
    }
  }

  /** Answers whether all that were sent have their answer. */
  #settle(sent: readonly (readonly [string, Submitted])[], { topics }: AlterPartitionResponse): boolean {
    const answers = new Map<string, IsrAnswer>()
    for (const { topicId, partitions } of topics) {
      for (const { partitionIndex, errorCode, leaderEpoch, partitionEpoch, isr } of partitions) {
        const error = errorOfCode(errorCode)
        answers.set(keyOf(topicId, partitionIndex), { error, leaderEpoch, partitionEpoch, isr })
      }
    }
    let isComplete = true
    for (const [key, { onAnswer }] of sent) {
      const answer = answers.get(key)
      if (answer === undefined) {
        isComplete = false
        continue
      }
      // Before it is answered, for the answer may lead to the next change.
      this.#submitted.delete(key)
      onAnswer(answer)
    }
    return isComplete
  }
}

function keyOf(topicId: string, partition: number): string {
  return `${topicId}:${partition}`
}

function failed(error: KafkaError): IsrAnswer {
  return { error, leaderEpoch: -1, partitionEpoch: -1, isr: [] }
}
