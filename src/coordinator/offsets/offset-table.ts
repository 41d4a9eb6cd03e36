import { type UndoLog, UndoMap } from '../runtime/undo-log.ts'

/** What a group has committed for one partition. */
export interface CommittedOffset {
  readonly offset: number
  /** -1 for none. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** Asked for by clients from before retention was the broker's; -1 for none. */
  readonly expireTimestampMs: number
  /** All zeros where the commit did not know it. */
  readonly topicId: string
  /** Grows with every replayed commit: tells which of two came later. */
  readonly sequence: number
}

type PartitionOffsets = UndoMap<number, CommittedOffset>
export type TopicOffsets = UndoMap<string, PartitionOffsets>

/** Offsets by group, topic and partition. No empty map stays behind. */
export class OffsetTable {
  readonly #undo: UndoLog
  readonly #groups: UndoMap<string, TopicOffsets>

  constructor(undo: UndoLog) {
    this.#undo = undo
    this.#groups = new UndoMap(undo)
  }

  get(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(groupId)?.get(topic)?.get(partition)
  }

  /** undefined where the group has committed nothing. */
  ofGroup(groupId: string): TopicOffsets | undefined {
    return this.#groups.get(groupId)
  }

  groups(): Iterable<[string, TopicOffsets]> {
    return this.#groups.entries()
  }

  set(groupId: string, topic: string, partition: number, offset: CommittedOffset): void {
    let topics = this.#groups.get(groupId)
    if (topics === undefined) {
      topics = new UndoMap(this.#undo)
      this.#groups.set(groupId, topics)
    }
    let partitions = topics.get(topic)
    if (partitions === undefined) {
      partitions = new UndoMap(this.#undo)
      topics.set(topic, partitions)
    }
    partitions.set(partition, offset)
  }

  delete(groupId: string, topic: string, partition: number): void {
    const topics = this.#groups.get(groupId)
    const partitions = topics?.get(topic)
    if (topics === undefined || partitions === undefined) return
    partitions.delete(partition)
    if (partitions.size === 0) topics.delete(topic)
    if (topics.size === 0) this.#groups.delete(groupId)
  }
}
