import { SHARE_STATE_TOPIC } from '../../controller/topic-names.ts'
import { partitionFor } from '../../coordinator/partitioner.ts'
import type { ShareStateApi } from '../../coordinator/share/share-persister.ts'
import { sharePartitionName } from '../../coordinator/share/share-records.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Time } from '../../platform/time.ts'
import { type Api, apis } from '../../protocol/api-keys.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { InputOf, Message } from '../../protocol/schema.ts'
import type { BrokerLinks } from '../../replication/channel/broker-links.ts'
import { RequestError } from '../../replication/channel/node-client.ts'
import { GatheredRequests, oneOfEach } from '../gathered-requests.ts'

export interface ShareStateRouterOptions {
  readonly nodeId: number
  /** For share partitions that this broker coordinates. */
  readonly local: ShareStateApi
  readonly links: Pick<BrokerLinks, 'request'>
  readonly image: MetadataImage
  readonly time: Time
}

type Operation = keyof ShareStateApi

const apiOf: Readonly<Record<Operation, Api>> = {
  initialize: apis.InitializeShareGroupState as unknown as Api,
  read: apis.ReadShareGroupState as unknown as Api,
  write: apis.WriteShareGroupState as unknown as Api,
  delete: apis.DeleteShareGroupState as unknown as Api,
  summarise: apis.ReadShareGroupStateSummary as unknown as Api,
}

/** What all requests of share state have in common. */
interface Request {
  readonly groupId: string
  readonly topics: readonly { readonly topicId: string; readonly partitions: readonly Asked[] }[]
}

interface Asked {
  readonly partition: number
}

/** Of whichever operation: those that tell less leave out what the others say. */
interface Answer extends Asked {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: number
  readonly deliveryCompleteCount: number
  readonly stateBatches: []
}

interface Response {
  readonly results: readonly { readonly topicId: string; readonly partitions: readonly Answer[] }[]
}

interface Entry {
  readonly brokerId: number
  readonly operation: Operation
  readonly groupId: string
  readonly topicId: string
  readonly asked: Asked
  readonly resolve: (answer: Answer) => void
}

/**
 * Brings requests of share state, each of one share partition, to the broker that coordinates it: this one, or by the
 * protocol another one, gathered by group.
 */
export class ShareStateRouter implements ShareStateApi {
  readonly #options: ShareStateRouterOptions
  readonly #requests: GatheredRequests<string, Entry>

  constructor(options: ShareStateRouterOptions) {
    this.#options = options
    this.#requests = new GatheredRequests(options.time, (_, entries) => this.#send(entries))
  }

  readonly initialize: ShareStateApi['initialize'] = (request) => this.#route('initialize', request)
  readonly read: ShareStateApi['read'] = (request) => this.#route('read', request)
  readonly write: ShareStateApi['write'] = (request) => this.#route('write', request)
  readonly delete: ShareStateApi['delete'] = (request) => this.#route('delete', request)
  readonly summarise: ShareStateApi['summarise'] = (request) => this.#route('summarise', request)

  // The operation says what request and response are: that is out of the type checker's sight.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  async #route(operation: Operation, request: any): Promise<any> {
    const { nodeId, local } = this.#options
    const { groupId, topics } = request as Request
    const { topicId, partitions } = topics[0]!
    const asked = partitions[0]!
    const brokerId = this.#coordinatorOf({ groupId, topicId, partition: asked.partition })
    if (brokerId === nodeId) return await local[operation](request)
    const answer =
      brokerId < 0
        ? failed(asked, errors.COORDINATOR_NOT_AVAILABLE)
        : await new Promise<Answer>((resolve) => {
            const entry = { brokerId, operation, groupId, topicId, asked, resolve }
            this.#requests.add(`${brokerId} ${operation} ${groupId}`, entry)
          })
    return { results: [{ topicId, partitions: [answer] }] } satisfies Response
  }

  /** -1 for nobody. */
  #coordinatorOf(key: { groupId: string; topicId: string; partition: number }): number {
    const topic = this.#options.image.topics.byName(SHARE_STATE_TOPIC)
    if (topic === undefined) return -1
    return topic.partitions.get(partitionFor(sharePartitionName(key), topic.partitions.size))?.leader ?? -1
  }

  /** All of one broker, operation and group. */
  async #send(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const { brokerId, operation, groupId } = entries[0]!
    // What is asked twice of a share partition is asked in that order: the second waits for the next request.
    const { sent, left } = oneOfEach(entries, keyOf)
    const request = { groupId, topics: topicsOf(sent) } as unknown as InputOf<Message>
    try {
      const { response } = await this.#options.links.request(brokerId, apiOf[operation], () => request)
      const answers = answersOf(response as unknown as Response)
      for (const entry of sent) {
        entry.resolve(answers.get(keyOf(entry)) ?? failed(entry.asked, errors.UNKNOWN_SERVER_ERROR))
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      for (const { asked, resolve } of sent) {
        resolve(failed(asked, errors.COORDINATOR_NOT_AVAILABLE, error.message))
      }
    }
    return left
  }
}

function failed({ partition }: Asked, error: KafkaError, errorMessage: string = error.message): Answer {
  const nothing = { stateEpoch: 0, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: -1, stateBatches: [] as [] }
  return { partition, errorCode: error.code, errorMessage, ...nothing }
}

function topicsOf(entries: readonly Entry[]) {
  const topics = new Map<string, Asked[]>()
  for (const { topicId, asked } of entries) {
    const partitions = topics.get(topicId)
    if (partitions === undefined) topics.set(topicId, [asked])
    else partitions.push(asked)
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions }))
}

function answersOf({ results }: Response): Map<string, Answer> {
  const answers = new Map<string, Answer>()
  for (const { topicId, partitions } of results) {
    for (const answer of partitions) answers.set(keyOf({ topicId, asked: answer }), answer)
  }
  return answers
}

function keyOf({ topicId, asked }: Pick<Entry, 'topicId' | 'asked'>): string {
  return `${topicId} ${asked.partition}`
}
