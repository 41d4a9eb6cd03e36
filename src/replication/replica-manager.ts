import { AppendError, LogError } from '../log/append-error.ts'
import type { AppendInfo, AppendOrigin, LogConfig, PartitionLogApi, RecordError } from '../log/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Scheduled, Time } from '../platform/time.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import { type FetchOutcome, type FetchParams, FetchReader, type FetchResult, type FetchSpec } from './fetch-reader.ts'
import type { Followers } from './followers.ts'
import type { IsrChanges } from './isr-changes.ts'
import type { KnownBrokers } from './leader-state.ts'
import { NotReplicatedError, Partition, type PartitionContext, type PartitionState } from './partition.ts'
import type { SessionChanges } from './session-changes.ts'
import type { TransactionalAppend } from './transactional-appends.ts'

/** The settings of a topic, as far as its replicas go. */
export interface ReplicaConfig {
  readonly log: LogConfig
  readonly minInsyncReplicas: number
}

/** What the replica manager needs of the log store. Its operations throw LogError KAFKA_STORAGE_ERROR. */
export interface Logs {
  get(topic: string, partition: number): PartitionLogApi | undefined
  /** `hadLog`: its log may be where it cannot be seen now. */
  create(topic: string, partition: number, topicId: string, config: LogConfig, hadLog?: boolean): PartitionLogApi
  delete(topic: string, partition: number): void
  /** Takes a log out of use, but keeps what is in it. */
  setAside(topic: string, partition: number): void
  all(): Iterable<PartitionLogApi>
}

/** What became of an append to one partition. */
export interface AppendResult {
  readonly error: KafkaError
  /** null where there is no error. */
  readonly message: string | null
  readonly recordErrors: readonly RecordError[]
  /** undefined where nothing is in the log; with an error where it is not known who else has it. */
  readonly info: AppendInfo | undefined
  /** The log's start, with some errors too; -1 for unknown. */
  readonly logStartOffset: number
}

const NO_RECORD_ERRORS: readonly RecordError[] = []

/** After a log could not be made (the disk was full, say), how long until it is tried again. */
const RETRY_MS = 5000

/** How long the event loop is held at most, but for a single partition. */
const SLICE_MS = 5

/** As in Apache Kafka, these refusals do not say where the log starts; all others do. */
const REFUSED_WITHOUT_LOG_START: ReadonlySet<KafkaError> = new Set([
  errors.NOT_LEADER_OR_FOLLOWER,
  errors.MESSAGE_TOO_LARGE,
  errors.RECORD_LIST_TOO_LARGE,
  errors.CORRUPT_MESSAGE,
  errors.KAFKA_STORAGE_ERROR,
])

export interface ReplicaManagerOptions {
  readonly nodeId: number
  readonly logs: Logs
  readonly time: Time
  readonly logger: Logger
  /** The settings in force of a topic. */
  readonly configOf: (topic: string) => ReplicaConfig
  /** transaction.partition.verification.enable */
  readonly mustVerifyTransactions: () => boolean
  /** Copies what others lead; left out: nobody does. */
  readonly followers?: Followers
  /** Has the in-sync replicas changed; left out: nobody does. */
  readonly isrChanges?: IsrChanges
  /** The brokers of the cluster; left out: none but this one. */
  readonly brokers?: KnownBrokers
  /** replica.lag.time.max.ms [30 s] */
  readonly maxLagMs?: () => number
  /** Told of partitions whose log cannot be made now, and when it could after all. */
  readonly onServed?: (topicId: string, partition: number, isServed: boolean) => void
}

const DEFAULT_MAX_LAG_MS = 30_000

/** Of a broker that is alone. */
const NO_BROKERS: KnownBrokers = new Map()
const NO_ISR_CHANGES: IsrChanges = { submit: () => {}, close: () => {} }

/** The replicas that this broker has: made, changed and removed as the metadata log says, appended to and read from. */
export class ReplicaManager {
  readonly nodeId: number
  readonly #logs: Logs
  readonly #logger: Logger
  readonly #configOf: (topic: string) => ReplicaConfig
  readonly #context: PartitionContext
  readonly #followers: Followers | undefined
  readonly #onServed: (topicId: string, partition: number, isServed: boolean) => void
  readonly #topics = new Map<string, Map<number, Partition>>()
  readonly #reader: FetchReader
  readonly #time: Time
  /** Partitions whose log could not be made, by name. */
  readonly #unserved = new Map<string, PartitionState>()
  #retry: Scheduled | undefined
  /** Those led here of which others have replicas. */
  readonly #leadingOthers = new Set<Partition>()
  #lagCheck: Scheduled | undefined
  #isStopping = false

  constructor(options: ReplicaManagerOptions) {
    this.nodeId = options.nodeId
    this.#logs = options.logs
    this.#logger = options.logger
    this.#time = options.time
    this.#configOf = options.configOf
    this.#context = {
      nodeId: options.nodeId,
      time: options.time,
      brokers: options.brokers ?? NO_BROKERS,
      isrChanges: options.isrChanges ?? NO_ISR_CHANGES,
      maxLagMs: options.maxLagMs ?? (() => DEFAULT_MAX_LAG_MS),
      mustVerifyTransactions: options.mustVerifyTransactions,
      info: (message) => options.logger.info(message),
    }
    this.#followers = options.followers
    this.#onServed = options.onServed ?? (() => {})
    this.#reader = new FetchReader(this, options.time, options.logger)
  }

  /** undefined where this broker has no replica. */
  get(topic: string, partition: number): Partition | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  *all(): Generator<Partition> {
    for (const partitions of this.#topics.values()) yield* partitions.values()
  }

  /**
   * Follows a change of the metadata log: partitions that are new here get a log, those known take over their state, and
   * those whose replicas no longer contain this broker go. A log that cannot be made leaves its partition unserved until
   * it can. A promise where there is so much to do that others get the event loop in between; the next change must wait
   * for it.
   */
  apply(changed: readonly PartitionState[], removed: readonly PartitionState[]): void | Promise<void> {
    return this.#isStopping ? undefined : this.#take(this.#steps(changed, removed))
  }

  #take(steps: Generator<void>): void | Promise<void> {
    return this.#takeSteps(steps) ? undefined : this.#takeRest(steps)
  }

  async #takeRest(steps: Generator<void>): Promise<void> {
    do await new Promise<void>((resolve) => this.#time.soon(resolve))
    while (!this.#isStopping && !this.#takeSteps(steps))
  }

  /** As many as there is time for; true after the last. */
  #takeSteps(steps: Generator<void>): boolean {
    const startMs = this.#time.monotonicMs()
    while (!steps.next().done) if (this.#time.monotonicMs() - startMs >= SLICE_MS) return false
    return true
  }

  *#steps(changed: readonly PartitionState[], removed: readonly PartitionState[]): Generator<void> {
    for (const state of removed) {
      this.#remove(state, errors.UNKNOWN_TOPIC_OR_PARTITION)
      yield
    }
    for (const each of changed) {
      const state = this.#instead(each)
      const known = this.get(state.topic, state.partition)
      if (!state.replicas.includes(this.nodeId)) this.#remove(state, errors.NOT_LEADER_OR_FOLLOWER)
      else if (known?.topicId === state.topicId) this.#update(known, state)
      else if (!this.#guard(state, () => this.#add(state))) {
        this.#addLater(state)
        this.#onServed(state.topicId, state.partition, false)
      }
      yield
    }
  }

  /** What is known now must not be overtaken by what was tried before; but where there was a log, there still is. */
  #instead(state: PartitionState): PartitionState {
    if (this.#unserved.size === 0) return state
    const name = `${state.topic}-${state.partition}`
    const before = this.#unserved.get(name)
    this.#unserved.delete(name)
    return before?.hadLog && before.topicId === state.topicId ? { ...state, hadLog: true } : state
  }

  #addLater(state: PartitionState): void {
    this.#unserved.set(`${state.topic}-${state.partition}`, state)
    this.#retry ??= this.#time.after(RETRY_MS, () => {
      this.#retry = undefined
      void this.#take(this.#addUnserved())
    })
  }

  /** The metadata may say otherwise between two steps. */
  *#addUnserved(): Generator<void> {
    for (const [name, state] of [...this.#unserved]) {
      if (this.#unserved.get(name) !== state) continue
      this.#unserved.delete(name)
      if (this.#guard(state, () => this.#add(state), false)) this.#onServed(state.topicId, state.partition, true)
      else this.#addLater(state)
      yield
    }
  }

  /** Answers whether the log store did what it was asked for. `isNews`: whether the operator has not been told before. */
  #guard({ topic, partition }: { topic: string; partition: number }, act: () => void, isNews = true): boolean {
    try {
      act()
      return true
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      this.#logger[isNews ? 'error' : 'debug'](`${topic}-${partition}: ${error.message}`)
      return false
    }
  }

  #add(state: PartitionState): void {
    const { topic, partition, topicId } = state
    const config = this.#configOf(topic)
    let log = this.#logs.get(topic, partition)
    if (log !== undefined && log.topicId !== '' && log.topicId !== topicId) {
      // A topic of the same name was deleted and made again while this broker was down.
      this.#logger.warn(`Log of ${topic}-${partition} is of topic id ${log.topicId}, not ${topicId}`)
      this.#logs.setAside(topic, partition)
      log = undefined
    }
    if (log === undefined) log = this.#logs.create(topic, partition, topicId, config.log, state.hadLog)
    else if (log.offline === undefined) {
      if (log.topicId === '') log.assignTopicId(topicId)
      log.updateConfig(config.log)
    }
    let partitions = this.#topics.get(topic)
    if (partitions === undefined) {
      partitions = new Map()
      this.#topics.set(topic, partitions)
    }
    const added = new Partition(this.#context, state, log, config.minInsyncReplicas)
    partitions.set(partition, added)
    this.#followOrStop(added)
  }

  #update(partition: Partition, state: PartitionState): void {
    partition.update(state)
    this.#followOrStop(partition)
  }

  #followOrStop(partition: Partition): void {
    const { leader } = partition.state
    this.#watchInSync(partition)
    if (leader >= 0 && !partition.isLeader) this.#followers?.follow(partition)
    else this.#followers?.stop(partition)
  }

  /** Followers that do not keep up are looked for while there are any. */
  #watchInSync(partition: Partition): void {
    if (partition.leadsOthers) this.#leadingOthers.add(partition)
    else this.#leadingOthers.delete(partition)
    if (this.#leadingOthers.size === 0 || this.#isStopping) return
    this.#lagCheck ??= this.#time.after(this.#context.maxLagMs() / 2, () => {
      this.#lagCheck = undefined
      for (const each of this.#leadingOthers) {
        each.checkInSync()
        this.#watchInSync(each)
      }
    })
  }

  /** What the metadata say of these brokers has changed: followers may join those in sync, or be waited for no more. */
  brokersChanged(brokerIds: ReadonlySet<number>): void {
    if (this.#isStopping) return
    for (const partition of this.#leadingOthers) partition.brokersChanged(brokerIds)
  }

  /** `error`: what is told to whoever waits for something of it. */
  #remove(state: PartitionState, error: KafkaError): void {
    const { topic, topicId, partition } = state
    this.#unserved.delete(`${topic}-${partition}`)
    const partitions = this.#topics.get(topic)
    const known = partitions?.get(partition)
    if (known === undefined || known.topicId !== topicId) return
    partitions!.delete(partition)
    if (partitions!.size === 0) this.#topics.delete(topic)
    this.#leadingOthers.delete(known)
    this.#followers?.stop(known)
    this.#guard(state, () => this.#logs.delete(topic, partition))
    known.end(error)
  }

  /**
   * After the first image: logs that no partition has are of topics that were deleted while this broker was down, or the
   * metadata was lost. They are kept aside.
   */
  setStraysAside(): void {
    const strays = [...this.#logs.all()].filter((log) => this.get(log.topic, log.partition)?.log !== log)
    for (const log of strays) {
      this.#logger.warn(`Log of ${log.topic}-${log.partition} belongs to no partition of this broker`)
      this.#guard(log, () => this.#logs.setAside(log.topic, log.partition))
    }
  }

  /** Settings of a topic, or of all (undefined), may have changed. */
  configChanged(topic: string | undefined): void {
    const topics = topic === undefined ? [...this.#topics.keys()] : [topic]
    for (const name of topics) {
      const partitions = this.#topics.get(name)
      if (partitions === undefined) continue
      const config = this.#configOf(name)
      for (const partition of partitions.values()) {
        partition.minInsyncReplicas = config.minInsyncReplicas
        if (partition.log.offline === undefined) partition.log.updateConfig(config.log)
        partition.checkHighWatermark()
      }
    }
  }

  /**
   * The log of a partition works no more: nobody waits for anything of it, and its leader is not followed. What is led here
   * is to be led elsewhere, which is for the controller to decide.
   */
  logFailed(topic: string, partition: number): void {
    const known = this.get(topic, partition)
    if (known?.log.offline === undefined) return
    this.#logger.error(`${known} is offline: ${known.log.offline}`)
    this.#leadingOthers.delete(known)
    this.#followers?.stop(known)
    known.end(errors.KAFKA_STORAGE_ERROR)
  }

  /**
   * Waiting fetches are answered with what there is, appends with acks=all with an error, and none waits any more; nor is
   * any log made or removed.
   */
  stopWaiting(): void {
    this.#isStopping = true
    this.#reader.stopWaiting()
    this.#retry?.cancel()
    this.#lagCheck?.cancel()
    this.#context.isrChanges.close()
    this.#unserved.clear()
    for (const partition of this.all()) partition.stopWaiting()
  }

  /**
   * Appends to one partition and waits for what `acks` (-1, 0 or 1) asks, at most `timeoutMs` for others to have it. Offsets
   * are assigned before it returns, so that calls in a row keep their order. Takes the buffers over. Never rejects: what
   * went wrong is in the result.
   */
  async append(
    topic: string,
    partition: number,
    records: readonly Buffer[],
    acks: number,
    origin: AppendOrigin,
    transaction?: TransactionalAppend,
    timeoutMs?: number,
  ): Promise<AppendResult> {
    const target = this.get(topic, partition)
    if (target === undefined) return refused(errors.NOT_LEADER_OR_FOLLOWER, `no replica of ${topic}-${partition} here`)
    try {
      const info = await target.append(records, acks, origin, transaction, timeoutMs)
      return {
        error: errors.NONE,
        message: null,
        recordErrors: NO_RECORD_ERRORS,
        info,
        logStartOffset: info.logStartOffset,
      }
    } catch (error) {
      return this.#failed(target, error)
    }
  }

  #failed(target: Partition, error: unknown): AppendResult {
    if (error instanceof NotReplicatedError) {
      const { info } = error
      return { ...refused(error.error, error.message), info, logStartOffset: info.logStartOffset }
    }
    if (!(error instanceof LogError)) throw error
    const recordErrors = error instanceof AppendError ? error.recordErrors : NO_RECORD_ERRORS
    const logStartOffset = REFUSED_WITHOUT_LOG_START.has(error.error) ? -1 : target.log.logStartOffset
    return { ...refused(error.error, error.message), recordErrors, logStartOffset }
  }

  /**
   * Reads from partitions in the order given, and waits up to `params.maxWaitMs` for `params.minBytes`. One result per
   * spec, in order. `onWait` is called if the request has to wait, with what ends the waiting early.
   */
  fetch(
    params: FetchParams,
    specs: readonly FetchSpec[],
    onWait: (wake: () => void) => void,
  ): FetchResult[] | Promise<FetchResult[]> {
    return this.#reader.fetch(params, specs, onWait)
  }

  /**
   * As `fetch`, for a follower with a session: reads from those of its partitions that have changed, and waits until others
   * do. The outcome has results for those that were read; what the follower is told goes back to `changes`.
   */
  fetchChanges<Spec extends FetchSpec>(
    params: FetchParams,
    changes: SessionChanges<Spec>,
    onWait: (wake: () => void) => void,
  ): Promise<FetchOutcome<Spec>> {
    return this.#reader.fetchChanges(params, changes, onWait)
  }
}

function refused(error: KafkaError, message: string): AppendResult {
  return { error, message, recordErrors: NO_RECORD_ERRORS, info: undefined, logStartOffset: -1 }
}
