import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { CommitCheck, CommitIdentity, Group, GroupType } from '../group.ts'
import { type UndoLog, UndoMap, UndoValue } from '../runtime/undo-log.ts'
import { type Assignment, NO_PARTITIONS } from './assignment.ts'
import { isReconciledTo, type ModernMember } from './member.ts'

/** How many members are subscribed to a topic by its name, and how many regular expressions of the group match it. */
export interface SubscriptionCount {
  readonly byName: number
  readonly byRegex: number
}

/** A group without a target assignment, as opposed to one whose assignment is gone, which has -1. */
const FIRST_EPOCH = 1
/** Topics are looked at again when they change; this is for a change that was missed. */
export const REFRESH_INTERVAL_MS = 2 ** 31 - 1
const NEVER = { deadlineMs: 0, groupEpoch: 0 }

/**
 * A group whose assignment is made here (KIP-848, KIP-932): its epoch grows with what it is made of, the epoch of the
 * target assignment follows that, and the epochs of the members follow the assignment. Changed by replay only.
 */
export abstract class ModernGroup<M extends ModernMember> implements Group {
  abstract readonly type: GroupType
  abstract readonly protocolType: string
  readonly id: string
  protected readonly undo: UndoLog
  readonly #epoch: UndoValue<number>
  readonly #metadataHash: UndoValue<bigint>
  readonly #assignmentEpoch: UndoValue<number>
  readonly #assignmentTimestampMs: UndoValue<number>
  readonly #members: UndoMap<string, M>
  readonly #subscribedTopics: UndoMap<string, SubscriptionCount>
  readonly #targets: UndoMap<string, Assignment>
  #refresh = NEVER

  constructor(id: string, undo: UndoLog) {
    this.id = id
    this.undo = undo
    this.#epoch = new UndoValue(undo, FIRST_EPOCH)
    this.#metadataHash = new UndoValue(undo, 0n)
    this.#assignmentEpoch = new UndoValue(undo, FIRST_EPOCH)
    this.#assignmentTimestampMs = new UndoValue(undo, 0)
    this.#members = new UndoMap(undo)
    this.#subscribedTopics = new UndoMap(undo)
    this.#targets = new UndoMap(undo)
  }

  get epoch(): number {
    return this.#epoch.get()
  }

  /** The hash of the subscribed topics at this epoch. */
  get metadataHash(): bigint {
    return this.#metadataHash.get()
  }

  /** -1 where the assignment was deleted. */
  get assignmentEpoch(): number {
    return this.#assignmentEpoch.get()
  }

  /** When the target assignment was made; 0 where that is not known. */
  get assignmentTimestampMs(): number {
    return this.#assignmentTimestampMs.get()
  }

  get size(): number {
    return this.#members.size
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  get stateName(): string {
    if (this.isEmpty) return 'Empty'
    if (this.epoch > this.assignmentEpoch) return 'Assigning'
    for (const member of this.#members.values()) {
      if (!isReconciledTo(member, this.assignmentEpoch)) return 'Reconciling'
    }
    return 'Stable'
  }

  has(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  member(memberId: string): M | undefined {
    return this.#members.get(memberId)
  }

  members(): MapIterator<M> {
    return this.#members.values()
  }

  subscribedTopics(): MapIterator<[string, SubscriptionCount]> {
    return this.#subscribedTopics.entries()
  }

  isSubscribedTo(topic: string): boolean {
    return this.#subscribedTopics.has(topic)
  }

  target(memberId: string): Assignment {
    return this.#targets.get(memberId) ?? NO_PARTITIONS
  }

  hasTarget(memberId: string): boolean {
    return this.#targets.has(memberId)
  }

  targets(): MapIterator<[string, Assignment]> {
    return this.#targets.entries()
  }

  setEpoch(epoch: number, metadataHash: bigint): void {
    this.#epoch.set(epoch)
    this.#metadataHash.set(metadataHash)
  }

  setAssignmentEpoch(epoch: number, timestampMs: number): void {
    this.#assignmentEpoch.set(epoch)
    this.#assignmentTimestampMs.set(timestampMs)
  }

  setTarget(memberId: string, assignment: Assignment | undefined): void {
    if (assignment === undefined) this.#targets.delete(memberId)
    else this.#targets.set(memberId, assignment)
  }

  /** Puts a member in, or in the place of its older self. */
  putMember(member: M): void {
    const old = this.#members.set(member.id, member)
    this.memberChanged(old, member)
  }

  removeMember(memberId: string): void {
    const old = this.#members.delete(memberId)
    if (old !== undefined) this.memberChanged(old, undefined)
  }

  /** Keeps what is derived from the members in step. */
  protected memberChanged(old: M | undefined, current: M | undefined): void {
    if (old?.subscribedTopics === current?.subscribedTopics) return
    this.countTopics(old?.subscribedTopics ?? [], { byName: -1, byRegex: 0 })
    this.countTopics(current?.subscribedTopics ?? [], { byName: 1, byRegex: 0 })
  }

  protected countTopics(topics: Iterable<string>, change: SubscriptionCount): void {
    for (const topic of topics) addCount(this.#subscribedTopics, topic, change)
  }

  /** The subscriptions as they would be with `change` applied to a copy. */
  subscriptionsWith(changes: readonly TopicChange[]): Map<string, SubscriptionCount> {
    const counts = new Map(this.#subscribedTopics.entries())
    for (const { topics, change } of changes) for (const topic of topics) addCount(counts, topic, change)
    return counts
  }

  /** The topics may have changed: at the next heartbeat they are looked at again. */
  requestRefresh(): void {
    this.#refresh = NEVER
  }

  /** The topics were looked at for `groupEpoch`; they need not be before `deadlineMs`. */
  setRefreshed(deadlineMs: number, groupEpoch: number): void {
    this.#refresh = { deadlineMs, groupEpoch }
  }

  /** Also where the epoch that they were looked at for was never committed. */
  needsRefresh(nowMs: number): boolean {
    return nowMs >= this.#refresh.deadlineMs || this.epoch < this.#refresh.groupEpoch
  }

  retentionStartMs(commitTimestampMs: number): number | undefined {
    return commitTimestampMs
  }

  abstract validateOffsetCommit(identity: CommitIdentity): CommitCheck | undefined
  abstract validateOffsetFetch(memberId: string | null, memberEpoch: number): void
  abstract validateOffsetDelete(): void
  abstract validateDelete(): void
  abstract tombstones(): CoordinatorRecord[]
}

/** Topics that are subscribed to, or not any more. */
export interface TopicChange {
  readonly topics: Iterable<string>
  readonly change: SubscriptionCount
}

interface Counts {
  get(topic: string): SubscriptionCount | undefined
  set(topic: string, count: SubscriptionCount): unknown
  delete(topic: string): unknown
}

function addCount(counts: Counts, topic: string, change: SubscriptionCount): void {
  const old = counts.get(topic)
  const byName = (old?.byName ?? 0) + change.byName
  const byRegex = (old?.byRegex ?? 0) + change.byRegex
  if (byName <= 0 && byRegex <= 0) counts.delete(topic)
  else counts.set(topic, { byName, byRegex })
}

/** Whether an assignment may be made again now: not more often than every `intervalMs`. */
export function mayAssign(group: ModernGroup<ModernMember>, intervalMs: number, nowMs: number): boolean {
  const { assignmentTimestampMs } = group
  return assignmentTimestampMs === 0 || intervalMs === 0 || nowMs >= assignmentTimestampMs + intervalMs
}
