import type { BrokerConfig } from '../config/broker-config.ts'
import { OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTIONS_TOPIC } from '../controller/topic-names.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataPublisher } from '../metadata/types.ts'
import type { Time } from '../platform/time.ts'
import { apis } from '../protocol/api-keys.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import { decodeResponse, encodeRequest, FRAME_SIZE_BYTES } from '../protocol/frames.ts'
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { forward } from './forwarding.ts'
import type { RequestContext } from './types.ts'

type NewTopic = CreateTopicsRequest['topics'][number]

/** What became of a topic that was to be made. */
export interface AutoCreation {
  readonly name: string
  /** 0 also where somebody else was faster. */
  readonly errorCode: number
  readonly errorMessage: string | null
}

export interface AutoTopicsOptions {
  readonly link: ControllerLink
  readonly config: BrokerConfig
  readonly image: MetadataImage
  readonly time: Time
}

/** A client that waits longer asks again; what it wants is made meanwhile. */
const CREATION_WAIT_MS = 5000
/** The version of CreateTopics in which others' topics are asked for. */
const CREATE_TOPICS_VERSION = 7
const CONTROLLERS_DEFAULT = -1

/** Has topics made by the active controller that nobody asked for by CreateTopics. */
export class AutoTopics implements MetadataPublisher {
  readonly #options: AutoTopicsOptions
  /** By name: what is being made. */
  readonly #underWay = new Map<string, Promise<AutoCreation>>()
  /** Who waits until this broker, too, knows of a topic. */
  readonly #waiting = new Set<() => void>()

  constructor(options: AutoTopicsOptions) {
    this.#options = options
  }

  /**
   * Makes what is missing of `names`: internal topics (__consumer_offsets, __transaction_state, __share_group_state) with
   * their own settings, others with the cluster's defaults. One answer a name, in order; a topic that was made is in the
   * image then, unless that takes long. Never rejects but for a bug.
   */
  async create(names: readonly string[]): Promise<AutoCreation[]> {
    const missing = [...new Set(names)].filter((name) => !this.#underWay.has(name))
    if (missing.length > 0) {
      const asked = this.#ask(missing)
      for (const name of missing) this.#underWay.set(name, this.#creation(name, asked))
    }
    return await Promise.all(names.map((name) => this.#underWay.get(name)!))
  }

  async #creation(name: string, asked: Promise<ReadonlyMap<string, AutoCreation>>): Promise<AutoCreation> {
    try {
      const creation = (await asked).get(name) ?? failed(name, errors.UNKNOWN_SERVER_ERROR.code, null)
      if (creation.errorCode === 0) await this.#known(name)
      return creation
    } finally {
      this.#underWay.delete(name)
    }
  }

  async #ask(names: readonly string[]): Promise<ReadonlyMap<string, AutoCreation>> {
    const { link, config } = this.#options
    const topics = names.map((name) => autoTopic(name, config))
    const body = { topics, timeoutMs: config.get('request.timeout.ms'), validateOnly: false }
    try {
      const { response } = await link.request(apis.CreateTopics, () => body, { timeoutMs: CREATION_WAIT_MS })
      return new Map(response.topics.map((result) => [result.name, creationOf(result)]))
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      const { message } = error
      return new Map(names.map((name) => [name, failed(name, errors.REQUEST_TIMED_OUT.code, message)]))
    }
  }

  /** Resolves once the topic is in the image, or after a while. */
  async #known(name: string): Promise<void> {
    const { image, time } = this.#options
    if (image.topics.byName(name) !== undefined) return
    await new Promise<void>((resolve) => {
      const end = () => {
        this.#waiting.delete(look)
        timeout.cancel()
        resolve()
      }
      const look = () => {
        if (image.topics.byName(name) !== undefined) end()
      }
      const timeout = time.after(CREATION_WAIT_MS, end)
      this.#waiting.add(look)
    })
  }

  onMetadataChange(): void {
    for (const look of [...this.#waiting]) look()
  }

  /**
   * Makes topics in the name of a client, whose quotas count. `timeoutMs`: how long to look for a controller. Resolves
   * with why there is no answer where there is none.
   */
  async createFor(
    { clientId, connection }: RequestContext,
    request: CreateTopicsRequest,
    timeoutMs: number,
  ): Promise<CreateTopicsResponse | KafkaError> {
    const version = CREATE_TOPICS_VERSION
    const chunks = encodeRequest(apis.CreateTopics, version, { correlationId: 0, clientId }, request)
    const frame = Buffer.concat(chunks).subarray(FRAME_SIZE_BYTES)
    const answer = await forward(this.#options.link, frame, connection, timeoutMs)
    return 'code' in answer ? answer : decodeResponse(apis.CreateTopics, version, answer).body
  }
}

function failed(name: string, errorCode: number, errorMessage: string | null): AutoCreation {
  return { name, errorCode, errorMessage }
}

function creationOf({ name, errorCode, errorMessage }: CreateTopicsResponse['topics'][number]): AutoCreation {
  const isThere = errorCode === errors.TOPIC_ALREADY_EXISTS.code
  return isThere ? { name, errorCode: 0, errorMessage: null } : { name, errorCode, errorMessage }
}

/** How a topic is made that nobody asked for by CreateTopics: the broker's own topics have settings of their own. */
function autoTopic(name: string, config: BrokerConfig): NewTopic {
  switch (name) {
    case OFFSETS_TOPIC:
      return newTopic(
        name,
        config.get('offsets.topic.num.partitions'),
        config.get('offsets.topic.replication.factor'),
        {
          'cleanup.policy': 'compact',
          'compression.type': 'producer',
          'segment.bytes': String(config.get('offsets.topic.segment.bytes')),
        },
      )
    case TRANSACTIONS_TOPIC:
      return newTopic(
        name,
        config.get('transaction.state.log.num.partitions'),
        config.get('transaction.state.log.replication.factor'),
        {
          'unclean.leader.election.enable': 'false',
          'compression.type': 'uncompressed',
          'cleanup.policy': 'compact',
          'min.insync.replicas': String(config.get('transaction.state.log.min.isr')),
          'segment.bytes': String(config.get('transaction.state.log.segment.bytes')),
        },
      )
    case SHARE_STATE_TOPIC:
      return newTopic(
        name,
        config.get('share.coordinator.state.topic.num.partitions'),
        config.get('share.coordinator.state.topic.replication.factor'),
        {
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'segment.bytes': String(config.get('share.coordinator.state.topic.segment.bytes')),
          'min.insync.replicas': String(config.get('share.coordinator.state.topic.min.isr')),
          'retention.ms': '-1',
        },
      )
    default:
      return newTopic(name, own('num.partitions', config), own('default.replication.factor', config), {})
  }
}

/** What this broker was told itself; else that is for the controller to say. */
function own(setting: 'num.partitions' | 'default.replication.factor', config: BrokerConfig): number {
  return config.isSet(setting) ? config.get(setting) : CONTROLLERS_DEFAULT
}

function newTopic(
  name: string,
  numPartitions: number,
  replicationFactor: number,
  settings: Readonly<Record<string, string>>,
): NewTopic {
  const configs = Object.entries(settings).map(([setting, value]) => ({ name: setting, value }))
  return { name, numPartitions, replicationFactor, assignments: [], configs }
}
