import { clientMetricsValues } from '../../config/client-metrics-config.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import { ConfigResourceType, type MetadataDelta, type MetadataPublisher } from '../../metadata/types.ts'
import type { Platform } from '../../platform/platform.ts'
import { randomUuid } from '../../platform/random.ts'
import { type ErrorName, errors, type KafkaError } from '../../protocol/errors.ts'
import type { PushTelemetryRequest } from '../../protocol/messages/push-telemetry.ts'
import { decompress } from '../../protocol/records/compression.ts'
import { RecordsError } from '../../protocol/records/errors.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import type { RequestContext } from '../types.ts'
import { attributesOf, type Subscription, subscribe, subscriptionOf } from './subscriptions.ts'

/** Clients whose state is kept; the one that was silent longest goes first. */
const MAX_CLIENTS = 16_384
/** A silent client is forgotten after this, or after three of its intervals. */
const FORGET_AFTER_MS = 60_000
/** Ids with a meaning of their own. */
const RESERVED_IDS: readonly string[] = [ZERO_UUID, 'AAAAAAAAAAAAAAAAAAAAAQ']

/** What one client pushed, decompressed: metrics in OTLP's protobuf form. The bytes must not be kept. */
export interface PushedMetrics {
  readonly clientInstanceId: string
  readonly isTerminating: boolean
  readonly context: RequestContext
  readonly metrics: Buffer
}

export interface ClientMetricsOptions {
  readonly image: MetadataImage
  readonly platform: Pick<Platform, 'time' | 'random'>
  /** telemetry.max.bytes: of a push, before and after decompression. */
  readonly maxBytes: number
}

/** One client, from its first request until it is silent or gone. */
interface Client {
  readonly subscription: Subscription
  /** Of the subscriptions that `subscription` was made from. */
  readonly version: number
  readonly connection: RequestContext['connection']
  lastSeenMs: number
  lastGetMs: number
  lastPushMs: number
  isTerminating: boolean
  lastError: ErrorName
}

/** What a client is told to push. */
export interface Assignment extends Subscription {
  readonly clientInstanceId: string
}

/**
 * The metrics that clients push to their broker (KIP-714): who is to push what and how often, by the client-metrics
 * resources, and whether a push is in order. As in Apache Kafka the two APIs are only advertised where somebody receives
 * the metrics.
 */
export class ClientMetrics implements MetadataPublisher {
  /** Who gets the metrics; undefined where nobody does, and then they are only counted. */
  receiver: ((pushed: PushedMetrics) => void) | undefined
  readonly maxBytes: number
  readonly #image: MetadataImage
  readonly #platform: ClientMetricsOptions['platform']
  readonly #clients = new Map<string, Client>()
  #subscriptions: Subscription[] = []
  #version = 0
  #receivedBytes = 0
  #receivedPushes = 0

  constructor({ image, platform, maxBytes }: ClientMetricsOptions) {
    this.#image = image
    this.#platform = platform
    this.maxBytes = maxBytes
  }

  /** What came so far, as it was on the wire. */
  get received(): { readonly pushes: number; readonly sizeBytes: number } {
    return { pushes: this.#receivedPushes, sizeBytes: this.#receivedBytes }
  }

  onMetadataChange(delta: MetadataDelta): void {
    const { clientMetrics } = ConfigResourceType
    if (!delta.isInitial && !delta.configsChanged.some(({ type }) => type === clientMetrics)) return
    this.#version++
    this.#subscriptions = [...this.#image.configs.resources(clientMetrics).values()].map((settings) =>
      subscriptionOf(clientMetricsValues(settings)),
    )
  }

  /** What a client is to push; an error where it asks too often. It gets an id if it has none. */
  subscribe(clientInstanceId: string, context: RequestContext): Assignment | KafkaError {
    const id = clientInstanceId === ZERO_UUID ? randomUuid(this.#platform.random) : clientInstanceId
    const client = this.#clientOf(id, context)
    const isDue = client.lastSeenMs - Math.max(client.lastGetMs, client.lastPushMs) >= client.subscription.intervalMs
    if (isDue) client.lastGetMs = client.lastSeenMs
    // A push that was refused for one of these is a reason to ask anew at once.
    const mayAsk = ['UNKNOWN_SUBSCRIPTION_ID', 'UNSUPPORTED_COMPRESSION_TYPE'].includes(client.lastError)
    if (!isDue && !mayAsk) return errors.THROTTLING_QUOTA_EXCEEDED
    client.lastError = 'NONE'
    return { clientInstanceId: id, ...client.subscription }
  }

  /** Takes what a client pushed; answers what is wrong with it, NONE for nothing. */
  push(request: PushTelemetryRequest, context: RequestContext): KafkaError {
    const { clientInstanceId } = request
    if (RESERVED_IDS.includes(clientInstanceId)) return errors.INVALID_REQUEST
    const client = this.#clientOf(clientInstanceId, context)
    const error = this.#refusalOf(request, client) ?? this.#take(request, context)
    client.isTerminating = request.terminating
    client.lastError = error
    return errors[error]
  }

  #refusalOf(request: PushTelemetryRequest, client: Client): ErrorName | undefined {
    if (client.isTerminating) return 'INVALID_REQUEST'
    // The first push after a change may come early: clients spread them.
    const isDue =
      client.lastGetMs > client.lastPushMs || client.lastSeenMs - client.lastPushMs >= client.subscription.intervalMs
    if (isDue) client.lastPushMs = client.lastSeenMs
    else if (!request.terminating) return 'THROTTLING_QUOTA_EXCEEDED'
    if (request.subscriptionId !== client.subscription.id) return 'UNKNOWN_SUBSCRIPTION_ID'
    if (!isCodec(request.compressionType)) return 'UNSUPPORTED_COMPRESSION_TYPE'
    return request.metrics.length > this.maxBytes ? 'TELEMETRY_TOO_LARGE' : undefined
  }

  #take(request: PushTelemetryRequest, context: RequestContext): ErrorName {
    const { clientInstanceId, terminating, metrics, compressionType } = request
    this.#receivedPushes++
    this.#receivedBytes += metrics.length
    if (this.receiver === undefined || metrics.length === 0 || !isCodec(compressionType)) return 'NONE'
    try {
      const plain = decompress(compressionType, metrics, this.maxBytes)
      this.receiver({ clientInstanceId, isTerminating: terminating, context, metrics: plain })
      return 'NONE'
    } catch (error) {
      if (error instanceof RecordsError) return 'INVALID_RECORD'
      throw error
    }
  }

  #clientOf(id: string, context: RequestContext): Client {
    const nowMs = this.#platform.time.monotonicMs()
    const known = this.#clients.get(id)
    const isGone = known === undefined || known.connection.closed || isForgotten(known, nowMs)
    const client = isGone || known.version !== this.#version ? this.#newClient(id, context) : known
    client.lastSeenMs = nowMs
    // The map keeps the order of the last requests.
    this.#clients.delete(id)
    this.#clients.set(id, client)
    if (this.#clients.size > MAX_CLIENTS) this.#clients.delete(this.#clients.keys().next().value!)
    return client
  }

  #newClient(id: string, context: RequestContext): Client {
    return {
      subscription: subscribe(id, attributesOf(id, context), this.#subscriptions),
      version: this.#version,
      connection: context.connection,
      lastSeenMs: 0,
      lastGetMs: Number.NEGATIVE_INFINITY,
      lastPushMs: Number.NEGATIVE_INFINITY,
      isTerminating: false,
      lastError: 'NONE',
    }
  }
}

function isForgotten({ lastSeenMs, subscription }: Client, nowMs: number): boolean {
  return nowMs - lastSeenMs > Math.max(FORGET_AFTER_MS, subscription.intervalMs * 3)
}

function isCodec(type: number): type is Codec {
  return type >= Codec.none && type <= Codec.zstd
}
