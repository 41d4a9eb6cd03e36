import { LogError } from '../log/append-error.ts'
import type { AbortedTransaction, FetchData, ReadUpTo } from '../log/types.ts'
import type { Logger } from '../platform/logger.ts'
import type { Time } from '../platform/time.ts'
import { errors, type KafkaError } from '../protocol/errors.ts'
import type { Partition } from './partition.ts'
import { FetchWait, type Watched } from './purgatory.ts'
import type { SessionChanges } from './session-changes.ts'

/** What one fetch asks for as a whole. */
export interface FetchParams {
  /** Broker id of a follower, or -1 for a consumer. */
  readonly replicaId: number
  /** In which epoch the follower is registered, -1 where it does not say (KIP-903). [-1] */
  readonly replicaEpoch?: number
  readonly upTo: ReadUpTo
  /** False where consumers may read from followers (Fetch 11+). */
  readonly mustLead: boolean
  /** Every partition gives its first batch whatever its size, and not only the first that has one [false]. */
  readonly oneBatchEach?: boolean
  readonly minBytes: number
  readonly maxBytes: number
  readonly maxWaitMs: number
  /** As in `ReadOptions`. */
  readonly isGivenBack?: boolean
  /** The broker from which a consumer had better read on at `fetchOffset`, -1 for this one (KIP-392). [this one] */
  readonly preferredReplica?: ((partition: Partition, fetchOffset: number) => number) | undefined
  /** Whether a follower gets nothing of the partition for now (KIP-73). [never] */
  readonly isThrottled?: ((partition: Partition) => boolean) | undefined
  /** Why something is not looked for at all. [looked for] */
  readonly refuse?: ((spec: FetchSpec) => KafkaError | undefined) | undefined
}

/** What one fetch asks of one partition. */
export interface FetchSpec {
  readonly topic: string
  /** Undefined where the request does not name it. */
  readonly topicId: string | undefined
  readonly partition: number
  readonly fetchOffset: number
  readonly maxBytes: number
  /** -1 for "does not say". */
  readonly currentLeaderEpoch: number
  /** -1 for "does not say". */
  readonly lastFetchedEpoch: number
  /** Of a follower's own log, -1 for "does not say". [-1] */
  readonly logStartOffset?: number
}

export interface FetchResult {
  readonly error: KafkaError
  /** -1 with an error, as the two below. */
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** As it was before the records were read; -1 with an error. */
  readonly logEndOffset: number
  /** Where a consumer had better read, and gets no records here; -1 for nowhere else. */
  readonly preferredReadReplica: number
  readonly divergingEpoch: { readonly epoch: number; readonly endOffset: number } | undefined
  /** null except with `upTo: 'lastStable'`. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null
  readonly records: readonly Buffer[]
  readonly sizeBytes: number
}

/** What was read, with one result for each spec. */
export interface FetchOutcome<Spec extends FetchSpec> {
  readonly specs: readonly Spec[]
  readonly results: readonly FetchResult[]
}

/** One time of reading for a request, which may have to be read for again. */
interface ReadPass {
  readonly params: FetchParams
  readonly specs: readonly FetchSpec[]
  /** The request has just come: what it says of a follower is news. */
  readonly isFirst: boolean
}

/** Where partitions are found; they may come and go while a fetch waits. */
export interface PartitionFinder {
  get(topic: string, partition: number): Partition | undefined
}

const NO_RECORDS: readonly Buffer[] = []

function failed(error: KafkaError): FetchResult {
  return {
    error,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    logEndOffset: -1,
    preferredReadReplica: -1,
    divergingEpoch: undefined,
    abortedTransactions: null,
    records: NO_RECORDS,
    sizeBytes: 0,
  }
}

/** Reads for fetch requests, and lets them wait. */
export class FetchReader {
  readonly #partitions: PartitionFinder
  readonly #time: Time
  readonly #logger: Logger
  /** Ends the waiting of fetches that are told of changes. */
  readonly #sleepers = new Set<() => void>()
  #mayWait = true

  constructor(partitions: PartitionFinder, time: Time, logger: Logger) {
    this.#partitions = partitions
    this.#time = time
    this.#logger = logger
  }

  /** From now on every fetch is answered with what there is. Whoever waits for certain partitions has to be woken. */
  stopWaiting(): void {
    this.#mayWait = false
    for (const wake of this.#sleepers) wake()
  }

  /** See ReplicaManager.fetch. */
  fetch(
    params: FetchParams,
    specs: readonly FetchSpec[],
    onWait: (wake: () => void) => void,
  ): FetchResult[] | Promise<FetchResult[]> {
    const results = this.#readFrom({ params, specs, isFirst: true }, 0, [], params.maxBytes)
    if (results instanceof Promise || !isEnough(params, results)) return this.#wait(params, specs, results, onWait)
    return results
  }

  async #wait(
    params: FetchParams,
    specs: readonly FetchSpec[],
    first: FetchResult[] | Promise<FetchResult[]>,
    onWait: (wake: () => void) => void,
  ): Promise<FetchResult[]> {
    const deadlineMs = this.#time.monotonicMs() + params.maxWaitMs
    let isAbandoned = false
    let results = first instanceof Promise ? await first : first
    while (this.#mayWait && !isEnough(params, results) && !isAbandoned) {
      const restMs = deadlineMs - this.#time.monotonicMs()
      if (restMs <= 0) break
      const watched = this.#watch(params, specs, results)
      // Where partitions moved on while others were read from disk, there may be enough already.
      if (watched !== undefined) {
        await new Promise<void>((resolve) => {
          const seesLogEnd = params.upTo === 'logEnd'
          const wait = new FetchWait(this.#time, watched, params.minBytes, restMs, resolve, seesLogEnd)
          onWait(() => {
            isAbandoned = true
            wait.wake()
          })
        })
        if (isAbandoned) break
      }
      const again = this.#readFrom({ params, specs, isFirst: false }, 0, [], params.maxBytes)
      results = again instanceof Promise ? await again : again
    }
    return results
  }

  /** See ReplicaManager.fetchChanges. */
  async fetchChanges<Spec extends FetchSpec>(
    params: FetchParams,
    changes: SessionChanges<Spec>,
    onWait: (wake: () => void) => void,
  ): Promise<FetchOutcome<Spec>> {
    const nowMs = this.#time.monotonicMs()
    const deadlineMs = nowMs + params.maxWaitMs
    changes.lastFetchMs = nowMs
    const specs = new Set(changes.take())
    let results = await this.#readFrom({ params, specs: [...specs], isFirst: true }, 0, [], params.maxBytes)
    let isAbandoned = false
    while (
      this.#mayWait &&
      !isAbandoned &&
      !changes.isOver &&
      (results.length === 0 ? params.maxWaitMs > 0 : !isEnough(params, results))
    ) {
      const restMs = deadlineMs - this.#time.monotonicMs()
      if (restMs <= 0) break
      const abandon = (wake: () => void) => {
        onWait(() => {
          isAbandoned = true
          wake()
        })
      }
      await this.#sleep(changes, restMs, this.#throttledOf(params, specs), abandon)
      if (isAbandoned) break
      for (const spec of changes.take()) specs.add(spec)
      results = await this.#readFrom({ params, specs: [...specs], isFirst: false }, 0, [], params.maxBytes)
    }
    return { specs: [...specs], results }
  }

  /** At most `restMs`, until there is something that the follower is to be told of, or `wake` is called. */
  #sleep<Spec extends FetchSpec>(
    changes: SessionChanges<Spec>,
    restMs: number,
    ignored: ReadonlySet<Spec>,
    onWait: (wake: () => void) => void,
  ): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel()
        this.#sleepers.delete(wake)
        changes.awake(wake)
        resolve()
      }
      const timer = this.#time.after(restMs, wake)
      this.#sleepers.add(wake)
      changes.sleep(wake, ignored)
      onWait(wake)
    })
  }

  #throttledOf<Spec extends FetchSpec>({ isThrottled }: FetchParams, specs: Iterable<Spec>): ReadonlySet<Spec> {
    const throttled = new Set<Spec>()
    if (isThrottled === undefined) return throttled
    for (const spec of specs) {
      const partition = this.#partitions.get(spec.topic, spec.partition)
      if (partition !== undefined && isThrottled(partition)) throttled.add(spec)
    }
    return throttled
  }

  /** undefined when a partition has got more to read since `results` were read. */
  #watch(params: FetchParams, specs: readonly FetchSpec[], results: readonly FetchResult[]): Watched[] | undefined {
    const watched: Watched[] = []
    for (const [index, spec] of specs.entries()) {
      const partition = this.#partitions.get(spec.topic, spec.partition)
      const result = results[index]!
      if (partition === undefined) return undefined
      // What comes is not for this reader; when its time is up, it will be looked at again.
      if (params.isThrottled?.(partition) === true) continue
      if (params.upTo === 'logEnd' && partition.log.logEndOffset !== result.logEndOffset) return undefined
      if (params.upTo === 'highWatermark' && partition.log.highWatermark !== result.highWatermark) return undefined
      if (params.upTo === 'lastStable' && partition.log.lastStableOffset !== result.lastStableOffset) return undefined
      watched.push({ partition, availableBytes: result.sizeBytes, maxBytes: spec.maxBytes })
    }
    return watched
  }

  /** Reads from the specs at `start` on; goes on asynchronously from the first that has to wait for the disk. */
  #readFrom(
    pass: ReadPass,
    start: number,
    results: FetchResult[],
    budgetBytes: number,
  ): FetchResult[] | Promise<FetchResult[]> {
    const { params, specs } = pass
    let restBytes = budgetBytes
    // Until something is found, the first batch is given whatever its size, or a consumer could never get past it.
    let minOneBatch = results.every((result) => result.sizeBytes === 0)
    for (let index = start; index < specs.length; index++) {
      const mustGive = minOneBatch || (params.oneBatchEach === true && restBytes > 0)
      const result = this.#readOne(pass, specs[index]!, restBytes, mustGive)
      if (result instanceof Promise) {
        return result.then((late) => {
          results.push(late)
          return this.#readFrom(pass, index + 1, results, Math.max(0, restBytes - late.sizeBytes))
        })
      }
      results.push(result)
      if (result.sizeBytes > 0) minOneBatch = false
      restBytes = Math.max(0, restBytes - result.sizeBytes)
    }
    return results
  }

  #readOne(
    pass: ReadPass,
    spec: FetchSpec,
    restBytes: number,
    minOneBatch: boolean,
  ): FetchResult | Promise<FetchResult> {
    const { params } = pass
    const unknown = params.refuse?.(spec)
    if (unknown !== undefined) return failed(unknown)
    const partition = this.#partitions.get(spec.topic, spec.partition)
    if (partition === undefined) return failed(errors.NOT_LEADER_OR_FOLLOWER)
    if (spec.topicId !== undefined && spec.topicId !== partition.topicId) return failed(errors.INCONSISTENT_TOPIC_ID)
    const preferred = params.preferredReplica?.(partition, spec.fetchOffset) ?? -1
    const refusal = partition.refusal(spec.currentLeaderEpoch, params.mustLead && preferred === -1)
    if (refusal !== undefined) return failed(refusal)
    if (preferred !== -1) return { ...failed(errors.NONE), ...offsetsOf(partition), preferredReadReplica: preferred }
    const isFollower = params.replicaId >= 0
    const { leader, replicas } = partition.state
    // The leader is no follower of itself.
    if (isFollower && (params.replicaId === leader || !replicas.includes(params.replicaId))) {
      return failed(spec.currentLeaderEpoch === -1 ? errors.NOT_LEADER_OR_FOLLOWER : errors.UNKNOWN_LEADER_EPOCH)
    }
    try {
      if (spec.lastFetchedEpoch !== -1) {
        const diverging = divergence(partition, spec)
        if (diverging !== undefined) {
          return { ...failed(errors.NONE), ...offsetsOf(partition), divergingEpoch: diverging }
        }
      }
      if (isFollower && pass.isFirst) {
        const stale = noteProgress(partition, params, spec)
        if (stale !== undefined) return failed(stale)
      }
      return this.#read(params, spec, partition, restBytes, minOneBatch)
    } catch (error) {
      return this.#failure(partition, spec, error)
    }
  }

  #read(
    params: FetchParams,
    spec: FetchSpec,
    partition: Partition,
    restBytes: number,
    minOneBatch: boolean,
  ): FetchResult | Promise<FetchResult> {
    const before = offsetsOf(partition)
    const finish = (data: FetchData): FetchResult => ({
      error: errors.NONE,
      ...before,
      preferredReadReplica: -1,
      divergingEpoch: undefined,
      abortedTransactions: data.abortedTransactions ?? null,
      records: data.records,
      sizeBytes: data.sizeBytes,
    })
    const { upTo, isGivenBack } = params
    // The offset is looked at all the same.
    const isThrottled = params.isThrottled?.(partition) === true
    const maxBytes = isThrottled ? 0 : Math.min(spec.maxBytes, restBytes)
    const oneBatch = minOneBatch && maxBytes >= 0 && !isThrottled
    const data = partition.read(spec.fetchOffset, Math.max(0, maxBytes), oneBatch, upTo, isGivenBack)
    // Apache Kafka stumbles over a negative size when there is something to read.
    if (maxBytes < 0 && spec.fetchOffset < partition.bound(params.upTo)) return failed(errors.UNKNOWN_SERVER_ERROR)
    if (!(data instanceof Promise)) return finish(data)
    return data.then(finish, (error) => this.#failure(partition, spec, error))
  }

  #failure(partition: Partition, spec: FetchSpec, error: unknown): FetchResult {
    if (!(error instanceof LogError)) throw error
    if (error.error !== errors.OFFSET_OUT_OF_RANGE && partition.log.offline === undefined) {
      this.#logger.warn(`Reading ${partition} at offset ${spec.fetchOffset} failed: ${error.message}`)
    }
    return failed(error.error)
  }
}

function offsetsOf({ log }: Partition) {
  return {
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    logStartOffset: log.logStartOffset,
    logEndOffset: log.logEndOffset,
  }
}

/** A follower has what is before the offset that it asks for, unless that is no offset of this log. */
function noteProgress(partition: Partition, params: FetchParams, spec: FetchSpec): KafkaError | undefined {
  const { log } = partition
  const { fetchOffset: offset, logStartOffset = -1 } = spec
  if (offset < log.logStartOffset || offset > log.logEndOffset) return undefined
  const { replicaId: brokerId, replicaEpoch: brokerEpoch = -1 } = params
  return partition.fetchedBy({ brokerId, brokerEpoch, offset, logStartOffset })
}

/** Where the reader's log parts from this one (KIP-595). Throws LogError OFFSET_OUT_OF_RANGE when that cannot be told. */
function divergence(partition: Partition, spec: FetchSpec): { epoch: number; endOffset: number } | undefined {
  const { log } = partition
  const end = log.endOffsetForEpoch(spec.lastFetchedEpoch)
  if (end === undefined) throw new LogError('OFFSET_OUT_OF_RANGE', `no end of epoch ${spec.lastFetchedEpoch} is known`)
  if (spec.fetchOffset < log.logStartOffset) throw new LogError('OFFSET_OUT_OF_RANGE', `offset ${spec.fetchOffset}`)
  if (end.leaderEpoch >= spec.lastFetchedEpoch && end.offset >= spec.fetchOffset) return undefined
  return { epoch: end.leaderEpoch, endOffset: end.offset }
}

function isEnough(params: FetchParams, results: readonly FetchResult[]): boolean {
  if (params.maxWaitMs <= 0 || results.length === 0) return true
  let sizeBytes = 0
  for (const result of results) {
    if (result.error !== errors.NONE || result.divergingEpoch !== undefined) return true
    if (result.preferredReadReplica !== -1) return true
    sizeBytes += result.sizeBytes
  }
  return sizeBytes >= params.minBytes
}
