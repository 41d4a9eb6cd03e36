import { apis } from '../../protocol/api-keys.ts'
import { errors } from '../../protocol/errors.ts'
import { batchesIn } from '../../protocol/records/batch.ts'
import { ControlType, parseControlType } from '../../protocol/records/control.ts'
import { RecordCursor } from '../../protocol/records/cursor.ts'
import type { Client, PartitionPlace } from './client.ts'
import { ConnectionLost } from './connection.ts'
import type { Ledger } from './ledger.ts'

/** The highest version that names topics. */
const FETCH_VERSION = 12
const FETCH_WAIT_MS = 500
const MAX_BYTES = 1024 * 1024

/** How long a consumer reads where it was sent to, before it asks the leader again. */
const NEARBY_MS = 5000

type FetchedPartition = Awaited<ReturnType<typeof fetchOne>>

interface Wanted {
  readonly offset: number
  readonly isCommitted: boolean
  readonly rackId: string
}

async function fetchOne(client: Client, place: PartitionPlace, brokerId: number, wanted: Wanted) {
  const { topic, partition, leaderEpoch } = place
  const { offset, isCommitted, rackId } = wanted
  const response = await client.call(brokerId, apis.Fetch, FETCH_VERSION, {
    maxWaitMs: FETCH_WAIT_MS,
    minBytes: 1,
    isolationLevel: isCommitted ? 1 : 0,
    rackId,
    topics: [
      {
        topic,
        partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: MAX_BYTES, currentLeaderEpoch: leaderEpoch }],
      },
    ],
  })
  return response.responses[0]?.partitions[0]
}

export interface ReaderOptions {
  readonly topic: string
  readonly partition: number
  readonly isCommitted: boolean
  /** Where the consumer is; '' for nowhere, and then it reads from leaders. */
  readonly rackId: string
  /** Values that are not the newest of their key may be gone. [false] */
  readonly isCompacted?: boolean
  /** Nothing of the partition may be read from here on. */
  readonly committedEnd: () => number
}

/** Reads one partition from its beginning, on and on, as a consumer does. */
export class PartitionReader {
  readonly client: Client
  readonly #ledger: Ledger
  readonly #options: ReaderOptions
  /** The next offset to be read. */
  position = 0
  /** As the last answer had it: there is nothing beyond for this reader. */
  end = -1
  readonly values = new Set<string>()
  isStopped = false
  /** Answers with records that came from a follower. */
  nearbyAnswers = 0
  readonly #name: string
  /** The follower that the leader has sent it to (KIP-392), and until when. */
  #nearby: { readonly brokerId: number; readonly untilMs: number } | undefined
  /** Producers whose aborted transaction is being read. */
  readonly #aborting = new Set<number>()

  constructor(client: Client, ledger: Ledger, options: ReaderOptions) {
    this.client = client
    this.#ledger = ledger
    this.#options = options
    this.#name = `${client.host} of ${options.topic}-${options.partition}`
  }

  get topic(): string {
    return this.#options.topic
  }

  get partition(): number {
    return this.#options.partition
  }

  get isCommitted(): boolean {
    return this.#options.isCommitted
  }

  async run(): Promise<void> {
    while (!this.isStopped && !this.client.world.isOver) {
      const place = await this.client.placeOf(this.topic, this.partition)
      if (place === undefined) return
      const { isCommitted, rackId } = this.#options
      if (this.#nearby !== undefined && this.#nearby.untilMs <= this.#nowMs) this.#nearby = undefined
      const brokerId = this.#nearby?.brokerId ?? place.leader
      try {
        const wanted = { offset: this.position, isCommitted, rackId }
        if (this.#take(await fetchOne(this.client, place, brokerId, wanted))) continue
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
      this.#nearby = undefined
      this.client.forget(this.topic, this.partition)
      await this.client.backOff()
    }
  }

  get #nowMs(): number {
    return this.client.world.time.monotonicMs()
  }

  #take(answer: FetchedPartition): boolean {
    if (answer === undefined) return false
    const { errorCode, highWatermark, lastStableOffset, logStartOffset, records, abortedTransactions } = answer
    if (answer.preferredReadReplica >= 0) {
      this.#nearby = { brokerId: answer.preferredReadReplica, untilMs: this.#nowMs + NEARBY_MS }
      return true
    }
    if (errorCode === errors.OFFSET_OUT_OF_RANGE.code) return this.#outOfRange(logStartOffset)
    if (errorCode !== 0) return false
    if (lastStableOffset > highWatermark) {
      this.client.world.fail(
        `${this.#name}: last stable offset ${lastStableOffset} past high watermark ${highWatermark}`,
      )
    }
    const aborted = [...(abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
    for (const chunk of records ?? []) this.#readBatches(chunk, aborted, highWatermark)
    if (this.#nearby !== undefined && (records ?? []).length > 0) this.nearbyAnswers++
    this.end = this.isCommitted ? lastStableOffset : highWatermark
    return true
  }

  /** What was below the high watermark once is there for ever, but for what was deleted at the beginning. */
  #outOfRange(logStartOffset: number): boolean {
    // A follower may lag behind: its leader knows better.
    if (this.#nearby !== undefined) return false
    if (logStartOffset > this.position) {
      this.position = logStartOffset
    } else if (logStartOffset >= 0) {
      this.client.world.fail(`${this.#name} has read up to ${this.position}, and the log ends before that`)
    }
    return false
  }

  #readBatches(bytes: Buffer, aborted: { producerId: number; firstOffset: number }[], highWatermark: number): void {
    const cursor = new RecordCursor()
    for (const batch of batchesIn(bytes)) {
      if (!batch.isCrcValid()) this.client.world.fail(`${this.#name}: batch at ${batch.baseOffset} is damaged`)
      if (batch.nextOffset <= this.position) continue
      if (batch.baseOffset > this.position && this.#options.isCompacted !== true) {
        this.client.world.fail(`${this.#name}: nothing from ${this.position} to ${batch.baseOffset}`)
      }
      if (batch.nextOffset > highWatermark) {
        this.client.world.fail(`${this.#name}: got ${batch.lastOffset}, high watermark is ${highWatermark}`)
      }
      const committedEnd = this.#options.committedEnd()
      if (batch.nextOffset > committedEnd) {
        this.client.world.fail(`${this.#name}: got ${batch.lastOffset}, nobody has committed past ${committedEnd}`)
      }
      while (aborted.length > 0 && aborted[0]!.firstOffset <= batch.lastOffset)
        this.#aborting.add(aborted.shift()!.producerId)
      cursor.open(batch, MAX_BYTES)
      if (batch.isControl) {
        while (cursor.next()) {
          if (parseControlType(cursor.key() ?? Buffer.alloc(0)) === ControlType.abort)
            this.#aborting.delete(batch.producerId)
        }
      } else if (!(this.isCommitted && batch.isTransactional && this.#aborting.has(batch.producerId))) {
        while (cursor.next()) {
          if (cursor.offset < this.position) continue
          const value = String(cursor.value())
          this.values.add(value)
          const place = { topic: this.topic, partition: this.partition, offset: cursor.offset }
          this.#ledger.read(place, value, this.isCommitted, this.#name)
        }
      }
      this.position = batch.nextOffset
    }
  }

  get isAtEnd(): boolean {
    return this.end >= 0 && this.position >= this.end
  }

  /** Whether it has read more of the same than another reader. */
  isAhead(other: PartitionReader): boolean {
    const { topic, partition, isCommitted } = this.#options
    const isSame = other.topic === topic && other.partition === partition && other.isCommitted === isCommitted
    return isSame && this.position > other.position
  }

  toString(): string {
    return `${this.#name} at ${this.position} of ${this.end}`
  }
}
