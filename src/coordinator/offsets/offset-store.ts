import type { OffsetCommitKey, OffsetCommitValue } from '../../protocol/coordinator-records/offset-commit.ts'
import type { RecordOrigin } from '../runtime/shard.ts'
import { type UndoLog, UndoMap } from '../runtime/undo-log.ts'
import { type CommittedOffset, OffsetTable, type TopicOffsets } from './offset-table.ts'

/**
 * The committed offsets of one partition of __consumer_offsets, and those that wait for the end of their transaction.
 * Changed by replay only.
 */
export class OffsetStore {
  readonly #committed: OffsetTable
  /** By producer id. */
  readonly #pending: UndoMap<number, OffsetTable>
  readonly #undo: UndoLog
  #sequence = 0

  constructor(undo: UndoLog) {
    this.#undo = undo
    this.#committed = new OffsetTable(undo)
    this.#pending = new UndoMap(undo)
  }

  get(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#committed.get(groupId, topic, partition)
  }

  ofGroup(groupId: string): TopicOffsets | undefined {
    return this.#committed.ofGroup(groupId)
  }

  groups(): Iterable<[string, TopicOffsets]> {
    return this.#committed.groups()
  }

  /** Whether a transaction that is open has an offset for the partition. */
  isPending(groupId: string, topic: string, partition: number): boolean {
    for (const table of this.#pending.values()) {
      if (table.get(groupId, topic, partition) !== undefined) return true
    }
    return false
  }

  /** The offsets of `groupId` in each open transaction. */
  *pendingOfGroup(groupId: string): Generator<TopicOffsets, void, undefined> {
    for (const table of this.#pending.values()) {
      const topics = table.ofGroup(groupId)
      if (topics !== undefined) yield topics
    }
  }

  /** As `groups`, of each open transaction. */
  *pendingGroups(): Generator<[string, TopicOffsets], void, undefined> {
    for (const table of this.#pending.values()) yield* table.groups()
  }

  replayCommit(key: OffsetCommitKey, value: OffsetCommitValue, { producerId }: RecordOrigin): void {
    const offset: CommittedOffset = {
      offset: value.offset,
      leaderEpoch: value.leaderEpoch,
      metadata: value.metadata,
      commitTimestampMs: value.commitTimestamp,
      expireTimestampMs: value.expireTimestamp,
      topicId: value.topicId,
      sequence: this.#sequence++,
    }
    this.#tableOf(producerId).set(key.group, key.topic, key.partition, offset)
  }

  replayTombstone(key: OffsetCommitKey): void {
    this.#committed.delete(key.group, key.topic, key.partition)
    for (const table of this.#pending.values()) table.delete(key.group, key.topic, key.partition)
  }

  replayTransactionEnd(producerId: number, committed: boolean): void {
    const table = this.#pending.get(producerId)
    if (table === undefined) return
    this.#pending.delete(producerId)
    if (!committed) return
    for (const [groupId, topics] of table.groups()) {
      for (const [topic, partitions] of topics.entries()) {
        for (const [partition, offset] of partitions.entries()) this.#materialize(groupId, topic, partition, offset)
      }
    }
  }

  #materialize(groupId: string, topic: string, partition: number, offset: CommittedOffset): void {
    const current = this.#committed.get(groupId, topic, partition)
    // A commit outside of the transaction that came after the one inside stands.
    if (current !== undefined && current.sequence > offset.sequence) return
    this.#committed.set(groupId, topic, partition, offset)
  }

  #tableOf(producerId: number): OffsetTable {
    if (producerId < 0) return this.#committed
    let table = this.#pending.get(producerId)
    if (table === undefined) {
      table = new OffsetTable(this.#undo)
      this.#pending.set(producerId, table)
    }
    return table
  }
}
