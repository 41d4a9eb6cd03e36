import { LogError } from '../../log/append-error.ts'
import type { Logger } from '../../platform/logger.ts'
import { errorOfCode, errors, type KafkaError } from '../../protocol/errors.ts'
import type { FetchResponse } from '../../protocol/messages/fetch.ts'
import { appendAnswer, isStorageError, truncateToEpoch } from './append-answer.ts'
import type { Delays } from './delays.ts'
import type { FetchSession, SessionRequest } from './fetch-session.ts'
import type { FollowedPartition } from './followed-partition.ts'
import type { LeaderOffsets } from './leader-offsets.ts'

type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number]

/** A leader, or this broker, may not have heard of a change yet: such an error is soon over, or lasts. */
const PASSING: ReadonlySet<KafkaError> = new Set([
  errors.NOT_LEADER_OR_FOLLOWER,
  errors.UNKNOWN_LEADER_EPOCH,
  errors.UNKNOWN_TOPIC_OR_PARTITION,
  errors.UNKNOWN_TOPIC_ID,
  errors.INCONSISTENT_TOPIC_ID,
])
const FIRST_BACKOFF_MS = 50

const NO_RECORDS = Buffer.alloc(0)

export interface AnswerTakerOptions {
  readonly session: FetchSession
  readonly delays: Delays
  readonly logger: Logger
  readonly offsets: LeaderOffsets
  /** replica.fetch.backoff.ms */
  readonly backoffMs: () => number
  /** Told of records that were fetched. */
  readonly onBytes: (followed: FollowedPartition, sizeBytes: number) => void
}

/** What becomes of the answers of a leader. */
export class AnswerTaker {
  readonly #options: AnswerTakerOptions

  constructor(options: AnswerTakerOptions) {
    this.#options = options
  }

  /** Makes a partition ready to be fetched: nothing is on its way to the disk, and its last epoch has records. */
  async settle(followed: FollowedPartition): Promise<void> {
    try {
      const { log } = followed.partition
      const isSettled = await log.truncateTo(Number.MAX_SAFE_INTEGER, () => followed.isCurrent)
      if (isSettled && followed.status === 'starting') followed.status = 'fetching'
    } catch (error) {
      this.#broke(followed, error)
    }
  }

  /** What is wrong with an answer as a whole; undefined for nothing. */
  problemOf({ partitions }: SessionRequest, { responses }: FetchResponse): string | undefined {
    const { session } = this.#options
    let count = 0
    for (const topic of responses) {
      for (const { partitionIndex } of topic.partitions) {
        count += 1
        if (session.find(topic.topicId, partitionIndex) !== undefined) continue
        return `for partition ${partitionIndex} of topic ${topic.topicId}, which it was not asked for`
      }
    }
    if (!session.isFull || count === partitions.length) return undefined
    return `for ${count} partitions where it was asked for ${partitions.length}`
  }

  /** Resolves when everything is in the logs, or known not to get there. */
  async take({ responses }: FetchResponse): Promise<void> {
    const { session } = this.#options
    const outOfRange: FollowedPartition[] = []
    const pending: Promise<void>[] = []
    for (const topic of responses) {
      for (const answer of topic.partitions) {
        const followed = session.find(topic.topicId, answer.partitionIndex)
        if (followed === undefined) continue
        session.mark(followed)
        if (!this.#isAbout(followed)) continue
        if (answer.errorCode === errors.OFFSET_OUT_OF_RANGE.code) outOfRange.push(followed)
        else if (answer.errorCode !== errors.NONE.code) this.#refused(followed, errorOfCode(answer.errorCode))
        else if (answer.divergingEpoch.epoch >= 0) pending.push(this.#truncate(followed, answer.divergingEpoch))
        else if (answer.records === null || answer.records[0] === undefined || answer.records[0].length === 0) {
          this.#followed(followed, answer, 0)
        } else pending.push(this.#append(followed, answer))
      }
    }
    if (pending.length > 0) await Promise.all(pending)
    if (outOfRange.length > 0) await this.#relocate(outOfRange)
  }

  /** Whether the partition is still where it was when the leader was asked. */
  #isAbout(followed: FollowedPartition): boolean {
    const asked = this.#options.session.asked(followed)
    return followed.isReady && followed.isCurrent && asked?.offset === followed.partition.log.logEndOffset
  }

  async #append(followed: FollowedPartition, answer: PartitionAnswer): Promise<void> {
    try {
      const records = answer.records?.[0] ?? NO_RECORDS
      const sizeBytes = await appendAnswer(followed, records)
      this.#options.onBytes(followed, records.length)
      this.#options.session.putLast(followed)
      if (sizeBytes === 0) this.#fail(followed, `nothing of ${records.length} bytes of records is to be appended`)
      else this.#followed(followed, answer, sizeBytes)
    } catch (error) {
      this.#broke(followed, error)
    }
  }

  #followed(followed: FollowedPartition, answer: PartitionAnswer, sizeBytes: number): void {
    if (!followed.isCurrent) return
    const { partition, leaderEpoch } = followed
    const { highWatermark, logStartOffset } = answer
    followed.failures = 0
    followed.lag = Math.max(0, highWatermark - partition.log.logEndOffset)
    try {
      partition.followed({ leaderEpoch, highWatermark, logStartOffset, sizeBytes })
    } catch (error) {
      this.#broke(followed, error)
    }
  }

  async #truncate(followed: FollowedPartition, diverging: { epoch: number; endOffset: number }): Promise<void> {
    const { log } = followed.partition
    const { logEndOffset, latestEpoch, highWatermark } = log
    try {
      if (!(await truncateToEpoch(followed, diverging))) return
    } catch (error) {
      this.#broke(followed, error)
      return
    }
    const what = `epoch ${diverging.epoch} ends at offset ${diverging.endOffset}`
    if (log.logEndOffset === logEndOffset && log.latestEpoch === latestEpoch) {
      this.#fail(followed, `the leader's ${what}, which changes nothing here`)
      return
    }
    const to = `${followed} is truncated from offset ${logEndOffset} to ${log.logEndOffset}: the leader's ${what}`
    if (log.logEndOffset < highWatermark) this.#options.logger.warn(`${to}; its high watermark was ${highWatermark}`)
    else this.#options.logger.info(to)
  }

  /** The leader has nothing at the end of these logs: it begins later, or an unclean election has left it with less. */
  async #relocate(partitions: readonly FollowedPartition[]): Promise<void> {
    const ends = await this.#options.offsets.ask('latest', partitions)
    const behind: FollowedPartition[] = []
    for (const [index, followed] of partitions.entries()) {
      const { error, offset } = ends[index]!
      if (!this.#isAbout(followed)) continue
      if (error !== errors.NONE) this.#refused(followed, error)
      else if (offset < followed.partition.log.logEndOffset) await this.#cut(followed, offset)
      else behind.push(followed)
    }
    if (behind.length === 0) return
    const starts = await this.#options.offsets.ask('earliest', behind)
    for (const [index, followed] of behind.entries()) {
      const { error, offset } = starts[index]!
      if (!this.#isAbout(followed)) continue
      if (error !== errors.NONE) this.#refused(followed, error)
      else if (offset > followed.partition.log.logEndOffset) await this.#startAt(followed, offset)
      else this.#fail(followed, `offset ${followed.partition.log.logEndOffset} is out of the leader's range`)
    }
  }

  async #cut(followed: FollowedPartition, offset: number): Promise<void> {
    const { log } = followed.partition
    const what = `${followed} is truncated from offset ${log.logEndOffset} to ${offset}, the end of its leader's log`
    this.#options.logger.warn(what)
    await this.#change(followed, () => log.truncateTo(offset, () => followed.isCurrent))
  }

  async #startAt(followed: FollowedPartition, offset: number): Promise<void> {
    const { log } = followed.partition
    const what = `${followed} starts anew at offset ${offset}: its leader's log begins after offset ${log.logEndOffset}`
    this.#options.logger.warn(what)
    await this.#change(followed, () => log.truncateFullyAndStartAt(offset, () => followed.isCurrent))
  }

  async #change(followed: FollowedPartition, act: () => Promise<boolean>): Promise<void> {
    try {
      await act()
    } catch (error) {
      this.#broke(followed, error)
    }
  }

  #refused(followed: FollowedPartition, error: KafkaError): void {
    if (error === errors.FENCED_LEADER_EPOCH) {
      this.#options.logger.debug(`${followed} waits for a leader epoch after ${followed.leaderEpoch}`)
      followed.status = 'failed'
    } else if (PASSING.has(error))
      this.#delay(followed, Math.min(this.#options.backoffMs(), backoffMs(followed.failures)))
    else this.#fail(followed, error.name)
  }

  /** Something of this broker's went wrong with the partition. */
  #broke(followed: FollowedPartition, error: unknown): void {
    if (!(error instanceof LogError)) throw error
    if (!followed.isCurrent) return
    // What a leader sent in pieces may be whole the next time.
    if (!isStorageError(error)) {
      this.#fail(followed, error.message)
      return
    }
    // Else the leader would count on this replica until its lag is noticed, and nothing could be committed meanwhile.
    if (followed.partition.log.offline === undefined) followed.partition.log.fail(error.message)
    this.#options.logger.error(`${followed} is not followed any more: ${error.message}`)
    followed.status = 'failed'
  }

  #fail(followed: FollowedPartition, message: string): void {
    if (followed.failures === 0) this.#options.logger.error(`Following ${followed} failed: ${message}`)
    this.#delay(followed, this.#options.backoffMs())
  }

  #delay(followed: FollowedPartition, delayMs: number): void {
    if (!followed.isCurrent) return
    followed.failures += 1
    this.#options.delays.add(followed, delayMs)
    this.#options.session.mark(followed)
  }
}

function backoffMs(failures: number): number {
  return FIRST_BACKOFF_MS * 2 ** Math.min(failures, 16)
}
