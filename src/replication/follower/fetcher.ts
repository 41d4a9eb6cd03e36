import type { Scheduled } from '../../platform/time.ts'
import { apis } from '../../protocol/api-keys.ts'
import { errorOfCode, errors } from '../../protocol/errors.ts'
import type { FetchRequestInput, FetchResponse } from '../../protocol/messages/fetch.ts'
import { placeOf } from '../channel/broker-links.ts'
import { NodeClient, RequestError } from '../channel/node-client.ts'
import type { Partition } from '../partition.ts'
import { AnswerTaker } from './answer-taker.ts'
import { Delays } from './delays.ts'
import { FetchSession, requestTopics, type SessionRequest } from './fetch-session.ts'
import { FollowedPartition } from './followed-partition.ts'
import type { FetcherManagerOptions, FollowerSettings } from './follower-options.ts'
import { LeaderOffsets } from './leader-offsets.ts'
import { Throttling } from './throttling.ts'

/** The first version of Fetch that names topics by their ids (KIP-516), which every broker of a KRaft cluster knows. */
const MIN_FETCH_VERSION = 13
/** The version of Fetch from which on the follower says its epoch (KIP-903). */
const REPLICA_STATE_VERSION = 15
/** A leader may answer with one batch of any size. */
const MAX_RESPONSE_BYTES = 0x7fff_ffff

/** How long partitions that have just come wait for a fetch that is under way without them. */
const PATIENCE_MS = 20

/** The sessions of a leader come and go: what it says of them is not an error of a partition. */
const SESSION_ERRORS: ReadonlySet<number> = new Set([
  errors.FETCH_SESSION_ID_NOT_FOUND.code,
  errors.INVALID_FETCH_SESSION_EPOCH.code,
])

/**
 * Fetches from one leader, over a connection of its own: one request at a time, and the next one only when all that the
 * last one brought is written, so that what a request says of a partition is what this replica has.
 */
export class Fetcher {
  readonly leaderId: number
  readonly #options: FetcherManagerOptions
  readonly #name: string
  readonly #partitions = new Map<Partition, FollowedPartition>()
  readonly #session = new FetchSession()
  readonly #delays: Delays
  readonly #throttling: Throttling
  readonly #answers: AnswerTaker
  #client: { readonly place: string; readonly client: NodeClient } | undefined
  #isRunning = false
  /** Settled while it is not running. */
  #running: Promise<void> = Promise.resolve()
  #isClosed = false
  /** Ends the present pause. */
  #wake: () => void = () => {}
  /** The request that waits at the leader, as far as can be told from here. */
  #waiting: SessionRequest | undefined
  /** The last answer brought no records. */
  #isCaughtUp = false
  /** When such a request may be broken off again. */
  #nextBreakMs = 0
  /** Failures of whole requests in a row. */
  #failures = 0

  constructor(leaderId: number, index: number, options: FetcherManagerOptions) {
    this.leaderId = leaderId
    this.#options = options
    this.#name = `broker-${options.nodeId}-fetcher-${index}`
    this.#delays = new Delays(options.time, (followed) => this.#session.mark(followed))
    this.#throttling = new Throttling(this.#session, options.throttle)
    this.#answers = new AnswerTaker({
      session: this.#session,
      delays: this.#delays,
      logger: options.logger,
      offsets: new LeaderOffsets(options.nodeId, () => this.#connected()),
      backoffMs: () => options.settings().backoffMs,
      onBytes: (followed, sizeBytes) => this.#throttling.record(followed, sizeBytes),
    })
  }

  /** How many partitions it fetches, or would. */
  get partitionCount(): number {
    return this.#partitions.size
  }

  /** How many partitions wait for another leader epoch, because they failed in this one. */
  get failedCount(): number {
    let count = 0
    for (const { status } of this.#partitions.values()) if (status === 'failed') count += 1
    return count
  }

  follow(partition: Partition): void {
    const before = this.#partitions.get(partition)
    if (before !== undefined && before.leaderEpoch === partition.leaderEpoch) return
    if (before !== undefined) this.#drop(before)
    const followed = new FollowedPartition(partition)
    this.#partitions.set(partition, followed)
    void this.#start(followed)
  }

  /** What was appended while this broker led has to be written before it is known from where on to fetch. */
  async #start(followed: FollowedPartition): Promise<void> {
    await this.#answers.settle(followed)
    this.#session.mark(followed)
    this.#wake()
    if (this.#waiting !== undefined) this.#breakLater(this.#waiting)
    // All that one change brings is asked for together.
    if (!this.#isRunning) this.#options.time.soon(() => this.#begin())
  }

  /**
   * Where there is nothing new, a fetch waits at the leader, and who has just come would wait as long; perhaps as the last
   * whose answer an acknowledgement needs. Another connection costs a request that names everything, so not too often.
   */
  #breakLater(request: SessionRequest): void {
    const { time, settings } = this.#options
    if (time.monotonicMs() < this.#nextBreakMs) return
    this.#nextBreakMs = time.monotonicMs() + settings().waitMaxMs
    time.after(PATIENCE_MS, () => {
      if (this.#waiting === request) this.#hangUp()
    })
  }

  stop(partition: Partition): void {
    const followed = this.#partitions.get(partition)
    if (followed === undefined) return
    this.#partitions.delete(partition)
    this.#drop(followed)
    // Nobody waits for what is under way, and a leader that is lost may never answer it: the next time begins afresh.
    if (this.#partitions.size === 0) this.#hangUp()
  }

  #hangUp(): void {
    this.#client?.client.close()
    this.#client = undefined
  }

  /** Brokers may be elsewhere now: what is under way to where this one was need not be waited for. */
  brokersChanged(): void {
    const endpoint = this.#options.endpointOf(this.leaderId)
    if (endpoint !== undefined && this.#client !== undefined && placeOf(endpoint) !== this.#client.place) this.#hangUp()
  }

  #drop(followed: FollowedPartition): void {
    followed.status = 'stopped'
    this.#delays.delete(followed)
    this.#throttling.delete(followed)
    this.#session.mark(followed)
  }

  /** Resolves when nothing more is appended. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const followed of this.#partitions.values()) this.#drop(followed)
    this.#partitions.clear()
    this.#hangUp()
    this.#wake()
    await this.#running
  }

  #begin(): void {
    if (this.#isClosed || this.#isRunning) return
    this.#isRunning = true
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      this.#delays.release()
      this.#throttling.apply()
      const request = this.#session.next()
      if (request !== undefined) await this.#fetch(request)
      else if (this.#partitions.size === 0) break
      else await this.#pause(this.#untilNextMs(this.#options.settings().backoffMs))
    }
    this.#hangUp()
    this.#session.restart(true)
    this.#isRunning = false
  }

  /** At most `limitMs`, and not longer than until a partition may be fetched again. */
  #untilNextMs(limitMs: number): number {
    return Math.min(limitMs, this.#delays.untilNextMs, this.#throttling.untilNextMs)
  }

  /** Ends early when there is something new to fetch. */
  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Scheduled | undefined
      this.#wake = () => {
        timer?.cancel()
        this.#wake = () => {}
        resolve()
      }
      timer = this.#options.time.after(durationMs, () => this.#wake())
    })
  }

  async #fetch(request: SessionRequest): Promise<void> {
    const settings = this.#options.settings()
    let client: NodeClient | undefined
    let response: FetchResponse
    try {
      client = this.#connected()
      response = await this.#ask(client, request, settings)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.#session.restart(false)
      // Where it was hung up here, there is nothing to fetch any more, or elsewhere.
      const isHungUp = client !== undefined && client !== this.#client?.client
      if (!isHungUp && !this.#isClosed) await this.#failed(error.message, settings.backoffMs)
      return
    }
    if (response.errorCode !== errors.NONE.code) await this.#refused(response, settings.backoffMs)
    else await this.#answered(request, response, settings.backoffMs)
  }

  /** Rejects with RequestError. */
  async #ask(client: NodeClient, request: SessionRequest, settings: FollowerSettings): Promise<FetchResponse> {
    if (this.#isCaughtUp && !request.isAdding) this.#waiting = request
    try {
      const body = (version: number) => this.#body(request, settings, version)
      return (await client.request(apis.Fetch, body, MIN_FETCH_VERSION)).response
    } finally {
      this.#waiting = undefined
    }
  }

  #body(request: SessionRequest, settings: FollowerSettings, version: number): FetchRequestInput {
    const { nodeId, brokerEpoch } = this.#options
    const says = version >= REPLICA_STATE_VERSION
    return {
      ...(says ? { replicaState: { replicaId: nodeId, replicaEpoch: brokerEpoch() } } : { replicaId: nodeId }),
      // More partitions may be about to follow, and those would have to wait, too.
      maxWaitMs: request.isAdding ? 0 : this.#untilNextMs(settings.waitMaxMs),
      minBytes: settings.minBytes,
      maxBytes: settings.responseMaxBytes,
      isolationLevel: 0,
      sessionId: request.sessionId,
      sessionEpoch: request.sessionEpoch,
      ...requestTopics(this.#session, request, settings.maxBytes),
      rackId: '',
    }
  }

  /** Throws RequestError for a leader that is nowhere. */
  #connected(): NodeClient {
    const { network, time, endpointOf, settings } = this.#options
    const endpoint = this.#isClosed ? undefined : endpointOf(this.leaderId)
    if (endpoint === undefined) throw new RequestError('disconnected', `broker ${this.leaderId} is not there`)
    const { host, port } = endpoint
    const place = placeOf(endpoint)
    if (this.#client?.place === place) return this.#client.client
    this.#hangUp()
    const client = new NodeClient({
      network,
      time,
      host,
      port,
      clientId: this.#name,
      requestTimeoutMs: settings().socketTimeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
    })
    this.#client = { place, client }
    return client
  }

  async #failed(message: string, backoffMs: number): Promise<void> {
    if (this.#failures === 0) this.#options.logger.warn(`Fetching from broker ${this.leaderId} failed: ${message}`)
    this.#failures += 1
    await this.#pause(backoffMs)
  }

  async #refused(response: FetchResponse, backoffMs: number): Promise<void> {
    const error = errorOfCode(response.errorCode)
    const isSession = SESSION_ERRORS.has(error.code)
    this.#session.restart(error === errors.FETCH_SESSION_ID_NOT_FOUND)
    const { logger } = this.#options
    if (isSession) logger.info(`Broker ${this.leaderId} has to be told again what is fetched: ${error.name}`)
    else if (this.#failures === 0) logger.warn(`Fetching from broker ${this.leaderId} failed: ${error.name}`)
    this.#failures += 1
    if (!isSession || this.#failures > 1) await this.#pause(Math.max(backoffMs, response.throttleTimeMs))
  }

  async #answered(request: SessionRequest, response: FetchResponse, backoffMs: number): Promise<void> {
    const problem = this.#answers.problemOf(request, response)
    if (problem !== undefined) {
      const isThrottled = response.throttleTimeMs > 0
      this.#session.restart(this.#session.isFull)
      if (!isThrottled) this.#options.logger.warn(`Broker ${this.leaderId} answered ${problem}`)
      await this.#pause(isThrottled ? response.throttleTimeMs : backoffMs)
      return
    }
    this.#failures = 0
    this.#isCaughtUp = !response.responses.some(({ partitions }) => partitions.some(hasRecords))
    this.#session.answered(response.sessionId)
    await this.#answers.take(response)
    if (response.throttleTimeMs > 0) await this.#pause(response.throttleTimeMs)
  }
}

function hasRecords({ records }: { readonly records: readonly Buffer[] | null }): boolean {
  return records?.some(({ length }) => length > 0) === true
}
