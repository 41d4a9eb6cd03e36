import type { SharePartitionKey } from '../../coordinator/share/share-records.ts'
import type { Time } from '../../platform/time.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { FetchParams, FetchResult, FetchSpec } from '../../replication/fetch-reader.ts'
import { FetchWait } from '../../replication/purgatory.ts'
import type { ReplicaManager } from '../../replication/replica-manager.ts'
import type { AcquiredRecords } from './acquire.ts'
import { abortedRanges, rangesOf, sliceAcquired } from './share-batches.ts'
import { ShareError } from './share-error.ts'
import type { SharePartitions, WorkingPartition } from './share-partitions.ts'
import type { ShareSettings } from './share-settings.ts'

export interface ShareFetch {
  readonly groupId: string
  readonly memberId: string
  /** In the order in which they are to be read. */
  readonly partitions: readonly { readonly topicId: string; readonly partition: number }[]
  readonly isRecordLimit: boolean
  readonly maxRecords: number
  readonly batchSize: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly maxWaitMs: number
}

/** What became of one partition; those of which there is nothing to say are left out. */
export interface ShareFetched {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly records: readonly Buffer[]
  readonly acquired: readonly AcquiredRecords[]
}

interface ReadPart {
  readonly working: WorkingPartition
  readonly fetchOffset: number
}

/** A watch over partitions; must be woken or waited for. */
interface Watch {
  readonly woken: Promise<void>
  readonly wake: () => void
}

const CONSUMER = -1
const NO_RECORDS: readonly Buffer[] = []
const NOTHING = { records: NO_RECORDS, acquired: [] }

/** Reads for share groups, and lets members wait for records (KIP-932). */
export class ShareFetcher {
  readonly #replicas: ReplicaManager
  readonly #partitions: SharePartitions
  readonly #settings: ShareSettings
  readonly #time: Time
  readonly #waiting = new Set<() => void>()
  #mayWait = true

  constructor(replicas: ReplicaManager, partitions: SharePartitions, settings: ShareSettings, time: Time) {
    this.#replicas = replicas
    this.#partitions = partitions
    this.#settings = settings
    this.#time = time
  }

  /** Waiting fetches are answered with what there is, and none waits any more. */
  stopWaiting(): void {
    this.#mayWait = false
    for (const wake of [...this.#waiting]) wake()
  }

  /** `onWait` is called when it has to wait, with what ends the waiting early. */
  async fetch(request: ShareFetch, onWait: (abandon: () => void) => void): Promise<ShareFetched[]> {
    if (request.maxRecords === 0 || request.maxBytes === 0) return []
    const failures: ShareFetched[] = []
    const all = this.#open(request, failures)
    if (all.length === 0) return failures
    const deadlineMs = this.#time.monotonicMs() + request.maxWaitMs
    let isAbandoned = false
    for (;;) {
      const restMs = deadlineMs - this.#time.monotonicMs()
      // Of what was taken over or deleted there is nothing to wait for; the next request is told why.
      const isLast = restMs <= 0 || !this.#mayWait || all.some(({ share }) => share.isFenced)
      // What happens during the read must not be missed.
      const wait = isLast ? undefined : this.#watch(request, all, restMs)
      onWait(() => {
        isAbandoned = true
        wait?.wake()
      })
      const answers = await this.#tryOnce(request, all, isLast, failures)
      if (answers !== undefined || wait === undefined || failures.length === request.partitions.length) {
        wait?.wake()
        return [...(answers ?? []), ...failures]
      }
      await wait.woken
      if (isAbandoned) return failures
    }
  }

  /** Share partitions that are not loaded yet are loaded meanwhile: who waits is woken then. */
  #open({ groupId, partitions }: ShareFetch, failures: ShareFetched[]): WorkingPartition[] {
    const all: WorkingPartition[] = []
    for (const { topicId, partition } of partitions) {
      const key: SharePartitionKey = { groupId, topicId, partition }
      try {
        const working = this.#partitions.getOrMake(key)
        all.push(working)
        if (!working.share.isActive) this.#load(working, failures)
      } catch (reason) {
        failures.push(failure(key, reason))
      }
    }
    return all
  }

  #load(working: WorkingPartition, failures: ShareFetched[]): void {
    working.share.load().then(
      () => this.#partitions.wake(working.name),
      (reason) => {
        failures.push(failure(working.share.key, reason))
        this.#partitions.failed(working, reason)
        this.#partitions.wake(working.name)
      },
    )
  }

  /** undefined where there is not enough yet. */
  async #tryOnce(
    request: ShareFetch,
    all: readonly WorkingPartition[],
    isLast: boolean,
    failures: ShareFetched[],
  ): Promise<ShareFetched[] | undefined> {
    const parts: ReadPart[] = []
    for (const working of all) {
      if (!working.share.tryBeginRead()) continue
      parts.push({ working, fetchOffset: working.share.window.nextFetchOffset() })
    }
    if (parts.length === 0) return undefined
    let isDone = false
    try {
      const results = await this.#read(request, parts)
      const sizeBytes = results.reduce((sum, result) => sum + result.sizeBytes, 0)
      const hasError = results.some(({ error }, index) => error !== errors.NONE && !isAhead(parts[index]!, error))
      if (!isLast && !hasError && sizeBytes < request.minBytes) return undefined
      isDone = true
      return this.#acquire(request, parts, results, failures)
    } finally {
      for (const { working } of parts) working.share.endRead()
      // Others may go on where this one left off; after a read in vain there is nothing for them either.
      if (isDone) for (const { working } of parts) this.#partitions.wake(working.name)
    }
  }

  /** Every partition may give its part of the bytes. */
  async #read(request: ShareFetch, parts: readonly ReadPart[]): Promise<FetchResult[]> {
    const { maxBytes, minBytes, groupId } = request
    const params: FetchParams = {
      replicaId: CONSUMER,
      upTo: this.#settings.visible(groupId),
      mustLead: true,
      minBytes,
      maxBytes,
      maxWaitMs: 0,
    }
    const share = Math.floor(maxBytes / parts.length)
    const specs = parts.map(({ working, fetchOffset }, index): FetchSpec => {
      const { partition } = working
      return {
        topic: partition.topic,
        topicId: partition.topicId,
        partition: partition.partition,
        fetchOffset,
        maxBytes: Math.max(1, index === 0 ? maxBytes - share * (parts.length - 1) : share),
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
      }
    })
    return await this.#replicas.fetch(params, specs, () => {})
  }

  #acquire(
    request: ShareFetch,
    parts: readonly ReadPart[],
    results: readonly FetchResult[],
    failures: ShareFetched[],
  ): ShareFetched[] {
    const { memberId, isRecordLimit, batchSize } = request
    let restCount = request.maxRecords
    const answers: ShareFetched[] = []
    for (const [index, { working, fetchOffset }] of parts.entries()) {
      const { share, partition } = working
      const { topicId, partition: number } = share.key
      const { error, records, abortedTransactions } = results[index]!
      const answer = { topicId, partition: number, errorCode: 0, ...NOTHING }
      if (error === errors.OFFSET_OUT_OF_RANGE) {
        share.window.moveToLogStart(partition.log.logStartOffset)
        answers.push(answer)
        continue
      }
      if (error !== errors.NONE) {
        answers.push({ ...answer, errorCode: error.code })
        continue
      }
      try {
        const batches = rangesOf(records)
        const asked = { memberId, isRecordLimit, batchSize, maxRecords: restCount, fetchOffset, batches }
        const acquired = share.acquire(asked, abortedRanges(records, abortedTransactions ?? []))
        for (const { firstOffset, lastOffset } of acquired) restCount -= lastOffset - firstOffset + 1
        answers.push(
          acquired.length === 0 ? answer : { ...answer, records: sliceAcquired(records, acquired), acquired },
        )
      } catch (reason) {
        failures.push(failure(share.key, reason))
      }
    }
    return answers
  }

  /** Ends when there may be more than there was, when time is up, or when it is woken. */
  #watch({ maxBytes }: ShareFetch, all: readonly WorkingPartition[], restMs: number): Watch {
    let wake = () => {}
    const woken = new Promise<void>((resolve) => {
      const watched = all.map(({ partition }) => ({ partition, availableBytes: 0, maxBytes }))
      const wait = new FetchWait(this.#time, watched, 1, restMs, () => {
        unwatch()
        this.#waiting.delete(wake)
        resolve()
      })
      wake = () => wait.wake()
      const unwatch = this.#partitions.watch(
        all.map(({ name }) => name),
        wake,
      )
      this.#waiting.add(wake)
    })
    return { woken, wake }
  }
}

/** The group is to begin after the end of the log: members wait until there are records. */
function isAhead({ working, fetchOffset }: ReadPart, error: KafkaError): boolean {
  return error === errors.OFFSET_OUT_OF_RANGE && fetchOffset > working.partition.log.highWatermark
}

function failure({ topicId, partition }: SharePartitionKey, reason: unknown): ShareFetched {
  if (!(reason instanceof ShareError)) throw reason
  return { topicId, partition, errorCode: reason.error.code, ...NOTHING }
}
