import { parseDurationMs } from '../../config/validators.ts'
import type { SharePersister } from '../../coordinator/share/share-persister.ts'
import { type SharePartitionKey, sharePartitionName } from '../../coordinator/share/share-records.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Time } from '../../platform/time.ts'
import { errors } from '../../protocol/errors.ts'
import type { Partition } from '../../replication/partition.ts'
import type { ReplicaManager } from '../../replication/replica-manager.ts'
import type { AcquiredRecords } from './acquire.ts'
import { ShareError } from './share-error.ts'
import { type Acknowledgement, SharePartition } from './share-partition.ts'
import type { ShareSettings } from './share-settings.ts'

export interface SharePartitionsOptions {
  readonly replicas: ReplicaManager
  readonly image: MetadataImage
  readonly persister: SharePersister
  readonly settings: ShareSettings
  readonly time: Time
}

/** After these the share partition here is stale: the next fetch begins with the state that is stored. */
const STALE = new Set([errors.NOT_LEADER_OR_FOLLOWER, errors.GROUP_ID_NOT_FOUND, errors.UNKNOWN_TOPIC_OR_PARTITION])
const BY_DURATION = 'by_duration:'

/** A share partition at work, and the partition of this broker that it reads. */
export interface WorkingPartition {
  readonly name: string
  readonly share: SharePartition
  readonly partition: Partition
}

/** The share partitions that groups are at work on here; made when first asked for. */
export class SharePartitions {
  readonly #options: SharePartitionsOptions
  readonly #byName = new Map<string, WorkingPartition>()
  /** Who waits for something to hand out, by share partition. */
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(options: SharePartitionsOptions) {
    this.#options = options
  }

  /** Throws ShareError where this broker does not lead the partition. */
  getOrMake(key: SharePartitionKey): WorkingPartition {
    const partition = this.#led(key)
    const name = sharePartitionName(key)
    const known = this.#byName.get(name)
    if (known !== undefined && known.partition === partition && known.share.leaderEpoch === partition.leaderEpoch) {
      return known
    }
    if (known !== undefined) this.#remove(known)
    const made: WorkingPartition = { name, partition, share: this.#make(key, name, partition) }
    this.#byName.set(name, made)
    return made
  }

  #led({ topicId, partition: index }: SharePartitionKey): Partition {
    const { image, replicas } = this.#options
    const topic = image.topics.byId(topicId)
    const partition = topic && replicas.get(topic.name, index)
    if (topic?.partitions.get(index) === undefined) throw new ShareError(errors.UNKNOWN_TOPIC_OR_PARTITION)
    if (partition === undefined || !partition.isLeader) throw new ShareError(errors.NOT_LEADER_OR_FOLLOWER)
    if (partition.log.offline !== undefined) throw new ShareError(errors.KAFKA_STORAGE_ERROR)
    return partition
  }

  #isLedElsewhere({ topicId, partition: index }: SharePartitionKey): boolean {
    const { image, replicas } = this.#options
    const topic = image.topics.byId(topicId)
    return topic?.partitions.has(index) === true && replicas.get(topic.name, index)?.isLeader !== true
  }

  #make(key: SharePartitionKey, name: string, partition: Partition): SharePartition {
    const { persister, settings, time } = this.#options
    return new SharePartition({
      key,
      leaderEpoch: partition.leaderEpoch,
      persister,
      limits: () => settings.limits(key.groupId),
      initialOffset: () => initialOffset(partition, settings.offsetReset(key.groupId), time.nowMs()),
      time,
      onChange: () => this.wake(name),
    })
  }

  /** Forgets a share partition that failed to load, or whose state was taken over. */
  failed(working: WorkingPartition, reason: unknown): void {
    if (!(reason instanceof ShareError)) throw reason
    if (STALE.has(reason.error) || !working.share.isActive) this.#remove(working)
  }

  #remove(working: WorkingPartition): void {
    if (this.#byName.get(working.name) === working) this.#byName.delete(working.name)
    working.share.fence()
    this.wake(working.name)
  }

  /** Nobody of the group is here any more. */
  forgetGroup(groupId: string): void {
    this.forget((key) => key.groupId === groupId)
  }

  /** Those of which `isGone` says so come to an end: members are told of it, and locks end. */
  forget(isGone: (key: SharePartitionKey) => boolean): void {
    for (const working of [...this.#byName.values()]) if (isGone(working.share.key)) this.#remove(working)
  }

  /** Rejects with ShareError. */
  async acknowledge(key: SharePartitionKey, memberId: string, what: readonly Acknowledgement[]): Promise<void> {
    await this.#use(key, (share) => share.acknowledge(memberId, what))
  }

  /** What was acquired does not reach the member. */
  giveBack(key: SharePartitionKey, memberId: string, acquired: readonly AcquiredRecords[]): void {
    this.#byName.get(sharePartitionName(key))?.share.giveBack(memberId, acquired)
  }

  /** Rejects with ShareError. */
  async release(key: SharePartitionKey, memberId: string): Promise<void> {
    await this.#use(key, (share) => share.release(memberId))
  }

  async #use(key: SharePartitionKey, run: (share: SharePartition) => Promise<void>): Promise<void> {
    const working = this.#byName.get(sharePartitionName(key))
    if (working === undefined) {
      throw new ShareError(
        this.#isLedElsewhere(key) ? errors.NOT_LEADER_OR_FOLLOWER : errors.UNKNOWN_TOPIC_OR_PARTITION,
      )
    }
    try {
      await run(working.share)
    } catch (reason) {
      this.failed(working, reason)
      throw reason
    } finally {
      this.wake(working.name)
    }
  }

  /** `wake` is called once something changes in one of them; answers what ends the watching. */
  watch(names: readonly string[], wake: () => void): () => void {
    for (const name of names) {
      const waiting = this.#waiting.get(name)
      if (waiting === undefined) this.#waiting.set(name, new Set([wake]))
      else waiting.add(wake)
    }
    return () => {
      for (const name of names) {
        const waiting = this.#waiting.get(name)
        waiting?.delete(wake)
        if (waiting?.size === 0) this.#waiting.delete(name)
      }
    }
  }

  wake(name: string): void {
    for (const wake of [...(this.#waiting.get(name) ?? [])]) wake()
  }
}

/** Where a group begins that has no offset yet. Throws ShareError OFFSET_NOT_AVAILABLE. */
function initialOffset(partition: Partition, reset: string, nowMs: number): number {
  const { log } = partition
  if (reset === 'earliest') return log.logStartOffset
  if (reset === 'latest' && partition.isEndUnknown) throw new ShareError(errors.OFFSET_NOT_AVAILABLE)
  if (reset === 'latest') return log.highWatermark
  const durationMs = parseDurationMs(reset.slice(BY_DURATION.length)) ?? 0
  const found = log.offsetForTimestamp(nowMs - durationMs)
  if (found !== undefined) return found.offset
  throw new ShareError(errors.OFFSET_NOT_AVAILABLE, `Offset for timestamp ${nowMs - durationMs} not found`)
}
