import { errors } from '../../../protocol/errors.ts'
import { CoordinatorError } from '../../coordinator-error.ts'
import type { CoordinatorRecord } from '../../coordinator-record.ts'
import type { GroupStore } from '../../group-store.ts'
import { ModernGroup } from '../../modern/modern-group.ts'
import { type UndoLog, UndoValue } from '../../runtime/undo-log.ts'
import type { ShareMember } from './member.ts'
import { groupTombstones } from './records.ts'
import { NO_STATE, type StatePartitions } from './state-partitions.ts'

/** A group whose members share partitions (KIP-932). It has no committed offsets: its state is the share coordinator's. */
export class ShareGroup extends ModernGroup<ShareMember> {
  readonly type = 'share'
  readonly protocolType = 'share'
  readonly #states: UndoValue<StatePartitions>

  constructor(id: string, undo: UndoLog) {
    super(id, undo)
    this.#states = new UndoValue(undo, NO_STATE)
  }

  override get stateName(): string {
    return this.isEmpty ? 'Empty' : 'Stable'
  }

  /** Which of its partitions have share state. */
  get states(): StatePartitions {
    return this.#states.get()
  }

  set states(states: StatePartitions) {
    this.#states.set(states)
  }

  /** Throws UNKNOWN_MEMBER_ID. */
  requireMember(memberId: string): ShareMember {
    const member = this.member(memberId)
    if (member !== undefined) return member
    throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID, `Member ${memberId} is not a member of group ${this.id}.`)
  }

  /** Partitions with state that no member is to have: the assignment is behind. */
  get hasUnassigned(): boolean {
    if (this.isEmpty) return false
    const assigned = new Map<string, Set<number>>()
    for (const [, target] of this.targets()) {
      for (const [topicId, partitions] of target) {
        const known = assigned.get(topicId)
        if (known === undefined) assigned.set(topicId, new Set(partitions))
        else for (const partition of partitions) known.add(partition)
      }
    }
    for (const [topicId, { name, partitions }] of this.states.initialized) {
      if (!this.isSubscribedTo(name)) continue
      const known = assigned.get(topicId)
      if (known?.size !== partitions.size || [...partitions].some((partition) => !known.has(partition))) return true
    }
    return false
  }

  override retentionStartMs(): undefined {
    return undefined
  }

  override validateOffsetCommit(): never {
    throw notSupported(this.id)
  }

  /** There are none to tell of. */
  override validateOffsetFetch(): void {}

  override validateOffsetDelete(): never {
    throw notSupported(this.id)
  }

  override validateDelete(): void {
    if (!this.isEmpty) throw new CoordinatorError(errors.NON_EMPTY_GROUP)
  }

  override tombstones(): CoordinatorRecord[] {
    return groupTombstones(this.id)
  }
}

/** Throws GROUP_ID_NOT_FOUND for a group that is not there, or of another kind. */
export function requireShareGroup(groups: GroupStore, groupId: string): ShareGroup {
  const group = groups.require(groupId)
  if (group instanceof ShareGroup) return group
  throw new CoordinatorError(errors.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a share group.`)
}

function notSupported(groupId: string): CoordinatorError {
  return new CoordinatorError(errors.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`)
}
