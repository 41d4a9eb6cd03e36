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

type FetchedPartition = Awaited<ReturnType<typeof fetchOne>>

async function fetchOne(client: Client, place: PartitionPlace, brokerId: number, offset: number, isCommitted: boolean) {
  const { topic, partition, leaderEpoch } = place
  const response = await client.call(brokerId, apis.Fetch, FETCH_VERSION, {
    maxWaitMs: FETCH_WAIT_MS,
    minBytes: 1,
    isolationLevel: isCommitted ? 1 : 0,
    topics: [
      {
        topic,
        partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: MAX_BYTES, currentLeaderEpoch: leaderEpoch }],
      },
    ],
  })
  return response.responses[0]?.partitions[0]
}

/** Reads one partition from its beginning, on and on, as a consumer does. */
export class PartitionReader {
  readonly client: Client
  readonly #ledger: Ledger
  readonly topic: string
  readonly partition: number
  readonly isCommitted: boolean
  /** The next offset to be read. */
  position = 0
  /** As the last answer had it: there is nothing beyond for this reader. */
  end = -1
  readonly values = new Set<string>()
  isStopped = false
  readonly #name: string
  /** Producers whose aborted transaction is being read. */
  readonly #aborting = new Set<number>()

  constructor(name: string, client: Client, ledger: Ledger, topic: string, partition: number, isCommitted: boolean) {
    this.client = client
    this.#ledger = ledger
    this.topic = topic
    this.partition = partition
    this.isCommitted = isCommitted
    this.#name = name
  }

  async run(): Promise<void> {
    while (!this.isStopped && !this.client.world.isOver) {
      const place = await this.client.placeOf(this.topic, this.partition)
      if (place === undefined) return
      try {
        const isFine = this.#take(await fetchOne(this.client, place, place.leader, this.position, this.isCommitted))
        if (isFine) continue
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
      this.client.forget(this.topic, this.partition)
      await this.client.backOff()
    }
  }

  #take(answer: FetchedPartition): boolean {
    if (answer === undefined) return false
    const { errorCode, highWatermark, lastStableOffset, logStartOffset, records, abortedTransactions } = answer
    if (errorCode === errors.OFFSET_OUT_OF_RANGE.code) return this.#outOfRange(logStartOffset)
    if (errorCode !== 0) return false
    if (lastStableOffset > highWatermark) {
      this.client.world.fail(
        `${this.#name}: last stable offset ${lastStableOffset} past high watermark ${highWatermark}`,
      )
    }
    const aborted = [...(abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
    for (const chunk of records ?? []) this.#readBatches(chunk, aborted, highWatermark)
    this.end = this.isCommitted ? lastStableOffset : highWatermark
    return true
  }

  /** What was below the high watermark once is there for ever, but for what was deleted at the beginning. */
  #outOfRange(logStartOffset: number): boolean {
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
      if (batch.baseOffset > this.position) {
        this.client.world.fail(`${this.#name}: nothing from ${this.position} to ${batch.baseOffset}`)
      }
      if (batch.nextOffset > highWatermark) {
        this.client.world.fail(`${this.#name}: got ${batch.lastOffset}, high watermark is ${highWatermark}`)
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

  toString(): string {
    return `${this.#name} at ${this.position} of ${this.end}`
  }
}
