import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { CommitCheck, CommitIdentity, Group, GroupType } from '../group.ts'
import { type UndoLog, UndoMap, UndoValue } from '../runtime/undo-log.ts'
import { isReconciledTo, type ReconcilableMember } from './member.ts'

/** A group without a target assignment, as opposed to one whose assignment is gone, which has -1. */
const FIRST_EPOCH = 1
/** Topics are looked at again when they change; this is for a change that was missed. */
export const REFRESH_INTERVAL_MS = 2 ** 31 - 1
const NEVER = { deadlineMs: 0, groupEpoch: 0 }

/** What a group knows of a member, whatever its kind. Replaced, never changed in place. */
export interface EpochMember extends ReconcilableMember {
  readonly id: string
}

/**
 * A group whose assignment is made here (KIP-848, KIP-932, KIP-1071): its epoch grows with what it is made of, the epoch of
 * the target assignment follows that, and the epochs of the members follow the assignment. `T`: what a member is to have.
 * Changed by replay only.
 */
export abstract class EpochGroup<M extends EpochMember, T> implements Group {
  abstract readonly type: GroupType
  abstract readonly protocolType: string
  readonly id: string
  protected readonly undo: UndoLog
  readonly #nothing: T
  readonly #epoch: UndoValue<number>
  readonly #metadataHash: UndoValue<bigint>
  readonly #assignmentEpoch: UndoValue<number>
  readonly #assignmentTimestampMs: UndoValue<number>
  readonly #members: UndoMap<string, M>
  readonly #targets: UndoMap<string, T>
  #refresh = NEVER

  /** `nothing`: the target of a member that has none. */
  constructor(id: string, undo: UndoLog, nothing: T) {
    this.id = id
    this.undo = undo
    this.#nothing = nothing
    this.#epoch = new UndoValue(undo, FIRST_EPOCH)
    this.#metadataHash = new UndoValue(undo, 0n)
    this.#assignmentEpoch = new UndoValue(undo, FIRST_EPOCH)
    this.#assignmentTimestampMs = new UndoValue(undo, 0)
    this.#members = new UndoMap(undo)
    this.#targets = new UndoMap(undo)
  }

  get epoch(): number {
    return this.#epoch.get()
  }

  /** The hash of the topics that the group reads, at this epoch. */
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

  target(memberId: string): T {
    return this.#targets.get(memberId) ?? this.#nothing
  }

  hasTarget(memberId: string): boolean {
    return this.#targets.has(memberId)
  }

  targets(): MapIterator<[string, T]> {
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

  setTarget(memberId: string, target: T | undefined): void {
    if (target === undefined) this.#targets.delete(memberId)
    else this.#targets.set(memberId, target)
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
  protected abstract memberChanged(old: M | undefined, current: M | undefined): void

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

  /** Whether a change of the topic may change the assignment. */
  abstract dependsOn(topic: string): boolean
  abstract isSubscribedTo(topic: string): boolean
  abstract validateOffsetCommit(identity: CommitIdentity): CommitCheck | undefined
  abstract validateOffsetFetch(memberId: string | null, memberEpoch: number): void
  abstract validateOffsetDelete(): void
  abstract validateDelete(): void
  abstract tombstones(): CoordinatorRecord[]
}

/** Whether an assignment may be made again now: not more often than every `intervalMs`. */
export function mayAssign(
  { assignmentTimestampMs }: { readonly assignmentTimestampMs: number },
  intervalMs: number,
  nowMs: number,
): boolean {
  return assignmentTimestampMs === 0 || intervalMs === 0 || nowMs >= assignmentTimestampMs + intervalMs
}
