import type { MutationQuota } from '../../controller/result.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { MetadataDelta, MetadataPublisher } from '../../metadata/types.ts'
import type { Time } from '../../platform/time.ts'
import type { RequestContext } from '../types.ts'
import { Meters } from './meters.ts'
import { AddressLimits, QuotaLimits } from './quota-limits.ts'
import { TokenBucket } from './token-bucket.ts'
import { type RateWindows, WindowedRate } from './windowed-rate.ts'

export interface QuotasOptions {
  readonly image: MetadataImage
  readonly time: Time
  /** quota.window.num and quota.window.size.seconds */
  readonly windows: RateWindows
  /** controller.quota.window.num and controller.quota.window.size.seconds */
  readonly controllerWindows: RateWindows
}

const USER_PREFIX = 'User:'

/** One kind of quota that is a rate: its limits, and what everybody who has one has used. */
class RateQuota {
  readonly #quota: string
  readonly #windows: RateWindows
  readonly #meters: Meters<WindowedRate>
  limits: QuotaLimits

  constructor(quota: string, windows: RateWindows) {
    this.#quota = quota
    this.#windows = windows
    this.#meters = new Meters(() => new WindowedRate(windows))
    this.limits = new QuotaLimits([], quota)
  }

  update({ clientQuotas }: MetadataImage): void {
    this.limits = new QuotaLimits(clientQuotas.values(), this.#quota)
  }

  /** Records and answers how long the client has to pause. */
  record(context: RequestContext, value: number, nowMs: number): number {
    const limit = this.limits.of(userOf(context), context.clientId ?? '')
    if (limit === undefined) return 0
    const meter = this.#meters.of(limit.key, nowMs)
    meter.record(value, nowMs)
    return meter.throttleMs(limit.bound, nowMs)
  }

  takeBack(context: RequestContext, value: number, nowMs: number): void {
    const limit = this.limits.of(userOf(context), context.clientId ?? '')
    if (limit !== undefined) this.#meters.of(limit.key, nowMs).record(-value, nowMs)
  }

  /** The most that can be used at once without a pause; Infinity without a limit. */
  mostAtOnce(context: RequestContext): number {
    const limit = this.limits.of(userOf(context), context.clientId ?? '')
    if (limit === undefined) return Number.POSITIVE_INFINITY
    return (limit.bound * (this.#windows.count - 1) * this.#windows.windowMs) / 1000
  }
}

function userOf({ connection: { principal } }: RequestContext): string {
  return principal.startsWith(USER_PREFIX) ? principal.slice(USER_PREFIX.length) : principal
}

/**
 * What clients may use (KIP-13, KIP-124, KIP-599, KIP-612). Who uses more is told to pause, and is not listened to for as
 * long (KIP-219). Without quotas there is nothing to be done for a request but to see that there are none.
 */
export class Quotas implements MetadataPublisher {
  readonly #image: MetadataImage
  readonly #time: Time
  readonly #windows: RateWindows
  readonly #produce: RateQuota
  readonly #fetch: RateQuota
  readonly #requests: RateQuota
  readonly #tokens: Meters<TokenBucket>
  readonly #connections: Meters<WindowedRate>
  #mutationLimits = new QuotaLimits([], '')
  #addressLimits = new AddressLimits([])
  /** Whether the time that requests take is limited for anybody. */
  limitsRequests = false

  constructor({ image, time, windows, controllerWindows }: QuotasOptions) {
    this.#image = image
    this.#time = time
    this.#windows = windows
    this.#produce = new RateQuota('producer_byte_rate', windows)
    this.#fetch = new RateQuota('consumer_byte_rate', windows)
    this.#requests = new RateQuota('request_percentage', windows)
    this.#tokens = new Meters(() => new TokenBucket(controllerWindows))
    this.#connections = new Meters(() => new WindowedRate(windows))
  }

  onMetadataChange(delta: MetadataDelta): void {
    if (!delta.isInitial && !delta.clientQuotasChanged) return
    for (const quota of [this.#produce, this.#fetch, this.#requests]) quota.update(this.#image)
    const entities = [...this.#image.clientQuotas.values()]
    this.#mutationLimits = new QuotaLimits(entities, 'controller_mutation_rate')
    this.#addressLimits = new AddressLimits(entities)
    this.limitsRequests = !this.#requests.limits.isEmpty
  }

  #nowMs(): number {
    return Math.floor(this.#time.monotonicMs())
  }

  /** Bytes that came in a Produce request. */
  produced(context: RequestContext, sizeBytes: number): void {
    if (this.#produce.limits.isEmpty) return
    pause(context, this.#produce.record(context, sizeBytes, this.#nowMs()))
  }

  /**
   * Bytes that a fetch is about to answer. Where it answers true, the client has to pause first and gets none of them;
   * they do not count.
   */
  mustPauseFetch(context: RequestContext, sizeBytes: number): boolean {
    if (this.#fetch.limits.isEmpty) return false
    const nowMs = this.#nowMs()
    const throttleMs = this.#fetch.record(context, sizeBytes, nowMs)
    if (throttleMs === 0) return false
    this.#fetch.takeBack(context, sizeBytes, nowMs)
    pause(context, throttleMs)
    return true
  }

  /** More than this in one fetch could never be answered without a pause. */
  mostBytesOfFetch(context: RequestContext): number {
    return this.#fetch.limits.isEmpty ? Number.POSITIVE_INFINITY : this.#fetch.mostAtOnce(context)
  }

  /** The time that a request kept the broker busy. */
  worked(context: RequestContext, workMs: number): void {
    const percentOfSecond = workMs / 10
    const throttleMs = this.#requests.record(context, percentOfSecond, this.#nowMs())
    // Work is not what a client can plan for: nobody pauses for longer than one window.
    pause(context, Math.min(throttleMs, this.#windows.windowMs))
  }

  /**
   * For a request that makes or deletes partitions; undefined where they are not limited. A strict quota (from
   * `strictFrom` on) refuses what is too much; for older versions all is done and the client pauses afterwards.
   */
  mutations(context: RequestContext, strictFrom: number): MutationQuota | undefined {
    if (this.#mutationLimits.isEmpty) return undefined
    const limit = this.#mutationLimits.of(userOf(context), context.clientId ?? '')
    if (limit === undefined) return undefined
    const isStrict = context.apiVersion >= strictFrom
    return {
      take: (count) => {
        const nowMs = this.#nowMs()
        const bucket = this.#tokens.of(limit.key, nowMs)
        const throttleMs = bucket.throttleMs(limit.bound, nowMs)
        if (isStrict && throttleMs > 0) {
          pause(context, throttleMs)
          return false
        }
        bucket.take(count, limit.bound, nowMs)
        if (!isStrict) pause(context, bucket.throttleMs(limit.bound, nowMs))
        return true
      },
    }
  }

  /** A new connection: 0 to let it in, otherwise for how long it is left waiting before it is closed. In ms. */
  connectionPauseMs(address: string): number {
    if (this.#addressLimits.isEmpty) return 0
    const bound = this.#addressLimits.of(address)
    if (bound === undefined) return 0
    const nowMs = this.#nowMs()
    const meter = this.#connections.of(address, nowMs)
    meter.record(1, nowMs)
    const throttleMs = Math.min(meter.throttleMs(bound, nowMs), this.#windows.windowMs)
    if (throttleMs > 0) meter.record(-1, nowMs)
    return throttleMs
  }
}

/** Of several reasons to pause the longest counts. */
function pause(context: RequestContext, throttleMs: number): void {
  if (throttleMs > context.throttleMs) context.throttleMs = throttleMs
}
