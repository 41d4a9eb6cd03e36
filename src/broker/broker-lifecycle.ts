import { StartupError } from '../config/startup-error.ts'
import { supportedFeatures } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { BrokerImage, EndPoint } from '../metadata/types.ts'
import type { Logger } from '../platform/logger.ts'
import { type Random, randomUuid } from '../platform/random.ts'
import type { Scheduled, Time } from '../platform/time.ts'
import { apis } from '../protocol/api-keys.ts'
import { errorOfCode, errors } from '../protocol/errors.ts'
import type { BrokerHeartbeatResponse } from '../protocol/messages/broker-heartbeat.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { UntoldDirectories } from './untold-directories.ts'

/** How soon something that is expected is looked for again. */
const SOON_MS = 10
/** How soon the controller is asked again for what it has not granted yet. */
const RETRY_MS = 100
/**
 * How long a broker that shuts down looks for a controller: nodes that all stop at once leave the last without one. The
 * time in which a controller works on its heartbeat does not count: there may be many partitions to move.
 */
const LAST_WORD_MS = 4000

/** Answers to a registration that no later try makes any better. */
const FINAL_REFUSALS: readonly number[] = [
  errors.INCONSISTENT_CLUSTER_ID.code,
  errors.INVALID_REGISTRATION.code,
  errors.UNSUPPORTED_VERSION.code,
]

interface Refusal {
  readonly code: number
  readonly name: string
  readonly message: string
}

export interface BrokerLifecycleOptions {
  readonly nodeId: number
  readonly clusterId: string
  readonly endPoints: readonly EndPoint[]
  readonly rack: string | null
  /** Ids of all log directories. */
  readonly directories: readonly string[]
  /** Of those that failed. */
  readonly offlineDirectories: () => readonly string[]
  /** log.dir.failure.timeout.ms: how long the controller may not have heard of one of those. */
  readonly directoryFailureTimeoutMs: number
  /** Called when that time is over: others count on replicas that this broker has lost. */
  readonly onUntoldDirectory: (directoryId: string) => void
  /** Whether its metadata stand still for now, so that it would lead what it never hears of. */
  readonly isStuck: () => boolean
  /** Of those that take no new replicas (KIP-1066). */
  readonly cordonedDirectories: () => readonly string[]
  /** Left by the last clean shutdown, -1 for none (KIP-966). */
  readonly previousBrokerEpoch: number
  /** broker.heartbeat.interval.ms */
  readonly heartbeatIntervalMs: number
  /** broker.session.timeout.ms */
  readonly sessionTimeoutMs: number
  /** initial.broker.registration.timeout.ms */
  readonly registrationTimeoutMs: number
  readonly link: ControllerLink
  readonly image: MetadataImage
  readonly time: Time
  readonly random: Random
  readonly logger: Logger
}

/**
 * A broker's life in the eyes of the controller (KIP-631): registered, fenced until it has caught up and is ready, alive as
 * long as its heartbeats come, and drained of what it leads before it goes.
 */
export class BrokerLifecycle {
  readonly #options: BrokerLifecycleOptions
  readonly #incarnationId: string
  #brokerEpoch: number
  #wantFence = true
  #wantShutDown = false
  /** When a shutdown ends at the latest. */
  #goByMs = Number.POSITIVE_INFINITY
  #mayGo: (() => void) | undefined
  /** When a controller answered for the last time, the time left out in which one had a heartbeat. */
  #heardMs = 0
  /** Since when a controller has the heartbeat that is under way. */
  #sentMs: number | undefined
  #timer: Scheduled | undefined
  readonly #untold: UntoldDirectories
  #isBeating = false
  /** Something changed while a heartbeat was under way. */
  #isDue = false
  #isClosed = false

  constructor(options: BrokerLifecycleOptions) {
    this.#options = options
    this.#incarnationId = randomUuid(options.random)
    this.#brokerEpoch = -1
    const { time, directoryFailureTimeoutMs, onUntoldDirectory } = options
    this.#untold = new UntoldDirectories({ time, timeoutMs: directoryFailureTimeoutMs, onTimeout: onUntoldDirectory })
  }

  /** -1 before the first registration. */
  get brokerEpoch(): number {
    return this.#brokerEpoch
  }

  /**
   * Registers, keeps the registration alive from then on, and resolves when this node's metadata have it. Rejects with
   * StartupError where the cluster does not take this broker.
   */
  async register(): Promise<void> {
    const { time, registrationTimeoutMs, nodeId } = this.#options
    // Some may have failed before.
    this.#untold.failed(this.#options.offlineDirectories())
    const deadlineMs = time.monotonicMs() + registrationTimeoutMs
    let why: Refusal | undefined
    for (;;) {
      const refusal = await this.#tryToRegister(Math.max(1, deadlineMs - time.monotonicMs()))
      if (refusal === undefined || this.#isClosed) break
      // The last try has no time for an answer.
      if (why === undefined || refusal.code !== errors.REQUEST_TIMED_OUT.code) why = refusal
      if (FINAL_REFUSALS.includes(refusal.code) || time.monotonicMs() + RETRY_MS >= deadlineMs) {
        throw new StartupError(`The cluster does not accept broker ${nodeId}: ${why.name} (${why.message})`)
      }
      await this.#sleep(RETRY_MS)
    }
    this.#beat()
    await this.#until((broker) => broker.epoch === this.#brokerEpoch)
  }

  /** undefined when it is done. */
  async #tryToRegister(timeoutMs: number): Promise<Refusal | undefined> {
    const { link, nodeId, clusterId, endPoints, rack, directories, previousBrokerEpoch } = this.#options
    const body = () => ({
      brokerId: nodeId,
      clusterId,
      incarnationId: this.#incarnationId,
      listeners: [...endPoints],
      features: supportedFeatureRanges(),
      rack,
      logDirs: [...directories],
      previousBrokerEpoch: this.#brokerEpoch >= 0 ? this.#brokerEpoch : previousBrokerEpoch,
    })
    try {
      const { response } = await link.request(apis.BrokerRegistration, body, { timeoutMs })
      if (response.errorCode !== 0) return errorOfCode(response.errorCode)
      this.#brokerEpoch = response.brokerEpoch
      return undefined
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      const kind = error.reason === 'unsupported version' ? errors.UNSUPPORTED_VERSION : errors.REQUEST_TIMED_OUT
      return { ...kind, message: error.message }
    }
  }

  /** Everything is ready to be served. Resolves when the cluster, and this node's metadata, know that. */
  async unfence(): Promise<void> {
    this.#wantFence = false
    this.#beat()
    await this.#until((broker) => !broker.fenced)
  }

  /** A log directory has failed: the controller is to know at once. */
  directoryFailed(): void {
    this.#untold.failed(this.#options.offlineDirectories())
    if (this.#brokerEpoch >= 0) this.#beat()
  }

  /**
   * Has the controller move away what this broker leads; resolves when that is done, after `timeoutMs`, or earlier where
   * no controller answers any more.
   */
  async shutDown(timeoutMs: number): Promise<void> {
    this.#wantShutDown = true
    const { time, logger } = this.#options
    this.hurry(timeoutMs)
    this.#heardMs = time.monotonicMs()
    await new Promise<void>((resolve) => {
      let timer: Scheduled | undefined
      const watch = () => {
        const nowMs = time.monotonicMs()
        const leftMs = this.#sentMs === undefined ? this.#heardMs + LAST_WORD_MS - nowMs : RETRY_MS
        const waitMs = Math.min(leftMs, this.#goByMs - nowMs)
        if (waitMs > 0) {
          timer = time.after(waitMs, watch)
          return
        }
        const why = nowMs < this.#goByMs ? 'No controller answers' : 'The controller did not answer in time'
        logger.warn(`${why}: what this broker leads is not moved away before it ends`)
        resolve()
      }
      this.#mayGo = () => {
        timer?.cancel()
        resolve()
      }
      watch()
      this.#beat()
    })
  }

  /** A shutdown, also one that is under way, waits no longer than this from now on. */
  hurry(timeoutMs: number): void {
    this.#goByMs = Math.min(this.#goByMs, this.#options.time.monotonicMs() + timeoutMs)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#untold.close()
    this.#mayGo?.()
  }

  /** Sends a heartbeat now, or after the one that is under way. */
  #beat(): void {
    this.#isDue = true
    if (!this.#isBeating) void this.#beatOn()
  }

  async #beatOn(): Promise<void> {
    this.#isBeating = true
    this.#timer?.cancel()
    let nextMs = 0
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false
      nextMs = await this.#beatOnce()
    }
    this.#isBeating = false
    if (!this.#isClosed) this.#timer = this.#options.time.after(nextMs, () => this.#beat())
  }

  /** Answers when the next one is due. */
  async #beatOnce(): Promise<number> {
    const { link, time, logger, heartbeatIntervalMs, sessionTimeoutMs } = this.#options
    const retryMs = Math.min(RETRY_MS, heartbeatIntervalMs)
    let offline: string[] = []
    const body = (version: number) => {
      this.#sentMs = time.monotonicMs()
      offline = [...this.#options.offlineDirectories()]
      return this.#heartbeat(version, offline)
    }
    const onFailure = () => this.#lost()
    try {
      const { response } = await link.request(apis.BrokerHeartbeat, body, { timeoutMs: sessionTimeoutMs, onFailure })
      this.#sentMs = undefined
      this.#heardMs = time.monotonicMs()
      if (response.errorCode === 0) this.#untold.told(offline)
      return await this.#heard(response, retryMs)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.#lost()
      logger.warn(`No heartbeat reached the controller: ${error.message}`)
      return retryMs
    }
  }

  /** No controller has the heartbeat any more. */
  #lost(): void {
    if (this.#sentMs === undefined) return
    this.#heardMs += this.#options.time.monotonicMs() - Math.max(this.#sentMs, this.#heardMs)
    this.#sentMs = undefined
  }

  #heartbeat(version: number, offlineLogDirs: string[]) {
    const { nodeId, image, cordonedDirectories } = this.#options
    return {
      brokerId: nodeId,
      brokerEpoch: this.#brokerEpoch,
      currentMetadataOffset: image.offset,
      wantFence: this.#wantFence || this.#options.isStuck(),
      wantShutDown: this.#wantShutDown,
      ...(version >= 1 && { offlineLogDirs }),
      // Before the metadata are there, the settings of this broker are not known.
      ...(version >= 2 && !this.#wantFence && { cordonedLogDirs: [...cordonedDirectories()] }),
    }
  }

  async #heard(response: BrokerHeartbeatResponse, retryMs: number): Promise<number> {
    const { errorCode, isFenced, shouldShutDown } = response
    const { logger, nodeId, heartbeatIntervalMs, sessionTimeoutMs } = this.#options
    if (errorCode === errors.STALE_BROKER_EPOCH.code || errorCode === errors.BROKER_ID_NOT_REGISTERED.code) {
      logger.warn(`Broker ${nodeId} is not registered any more (${errorOfCode(errorCode).name}); it registers again`)
      await this.#tryToRegister(sessionTimeoutMs)
      return retryMs
    }
    if (errorCode !== 0) {
      logger.warn(`The controller refuses a heartbeat: ${errorOfCode(errorCode).name}`)
      return retryMs
    }
    if (shouldShutDown) this.#mayGo?.()
    const isWaiting = this.#wantShutDown ? !shouldShutDown : isFenced && !this.#wantFence
    return isWaiting ? retryMs : heartbeatIntervalMs
  }

  async #until(isSo: (own: BrokerImage) => boolean): Promise<void> {
    const { image, nodeId } = this.#options
    while (!this.#isClosed) {
      const own = image.brokers.get(nodeId)
      if (own !== undefined && isSo(own)) return
      await this.#sleep(SOON_MS)
    }
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#options.time.after(delayMs, resolve))
  }
}

/** The features of this version as registrations tell them. */
export function supportedFeatureRanges() {
  return supportedFeatures.map(({ name, minVersion, maxVersion }) => ({
    name,
    minSupportedVersion: minVersion,
    maxSupportedVersion: maxVersion,
  }))
}
