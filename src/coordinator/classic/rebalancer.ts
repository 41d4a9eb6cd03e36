import type { Logger } from '../../platform/logger.ts'
import type { Random } from '../../platform/random.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { GroupCoordinatorConfig } from '../group-config.ts'
import type { GroupStore } from '../group-store.ts'
import { NOTHING, type Result } from '../runtime/result.ts'
import type { Timers } from '../runtime/timers.ts'
import type { ClassicGroup } from './classic-group.ts'
import { type ClassicMember, EMPTY_ASSIGNMENT } from './member.ts'
import { groupRecord } from './records.ts'

/** What the parts of the classic protocol work with. */
export interface ClassicContext {
  readonly groups: GroupStore
  readonly timers: Timers
  readonly config: GroupCoordinatorConfig
  readonly random: Random
  readonly logger: Logger
}

/** The course of a rebalance: who is waited for, for how long, and what happens to those who do not come. */
export class Rebalancer {
  readonly #context: ClassicContext

  constructor(context: ClassicContext) {
    this.#context = context
  }

  /** Something about the members has changed: a rebalance begins, or the one under way may be complete now. */
  prepareOrComplete(group: ClassicGroup, reason: string): Result<void> {
    return group.canRebalance ? this.prepare(group, reason) : this.completeIfAllJoined(group)
  }

  /** A rebalance begins. The first one of a group waits a little, so that members started together need only one. */
  prepare(group: ClassicGroup, reason: string): Result<void> {
    const { timers, logger, config } = this.#context
    if (group.is('CompletingRebalance')) {
      group.clearAssignments()
      this.propagateAssignment(group, errors.REBALANCE_IN_PROGRESS)
    }
    group.pendingSyncs.clear()
    timers.cancel(syncKey(group.id))
    const isFirst = group.is('Empty')
    if (isFirst) {
      const delayMs = config.initialRebalanceDelayMs
      const remainingMs = Math.max(group.rebalanceTimeoutMs - delayMs, 0)
      timers.schedule(joinKey(group.id), delayMs, () => this.#completeFirst(group.id, delayMs, remainingMs))
    }
    group.moveTo('PreparingRebalance')
    logger.debug(`group ${group.id}: rebalance after generation ${group.generationId}: ${reason}`)
    return isFirst ? NOTHING : this.#completeOrWait(group)
  }

  completeIfAllJoined(group: ClassicGroup): Result<void> {
    if (!group.is('PreparingRebalance') || group.previousState === 'Empty' || !group.hasAllJoined) return NOTHING
    return this.complete(group)
  }

  #completeOrWait(group: ClassicGroup): Result<void> {
    if (group.hasAllJoined) return this.complete(group)
    this.#waitForJoins(group)
    return NOTHING
  }

  #waitForJoins(group: ClassicGroup): void {
    this.#context.timers.schedule(joinKey(group.id), group.rebalanceTimeoutMs, () => {
      const current = this.#context.groups.classic(group.id)
      return current === undefined ? NOTHING : this.complete(current)
    })
  }

  /** As long as new members keep coming the first rebalance waits on, up to the rebalance timeout. */
  #completeFirst(groupId: string, delayMs: number, remainingMs: number): Result<void> {
    const { groups, config, timers } = this.#context
    const group = groups.classic(groupId)
    if (group === undefined) return NOTHING
    if (!group.newMemberAdded || remainingMs === 0) return this.complete(group)
    group.newMemberAdded = false
    const nextDelayMs = Math.min(config.initialRebalanceDelayMs, remainingMs)
    const nextRemainingMs = Math.max(remainingMs - delayMs, 0)
    timers.schedule(joinKey(groupId), nextDelayMs, () => this.#completeFirst(groupId, nextDelayMs, nextRemainingMs))
    return NOTHING
  }

  /** The join phase ends: dynamic members who have not joined are out, and the others form the next generation. */
  complete(group: ClassicGroup): Result<void> {
    const { timers } = this.#context
    // A timer may outlive the group that set it, where the group was deleted and made again.
    if (!group.is('PreparingRebalance')) return NOTHING
    timers.cancel(joinKey(group.id))
    this.#dropMissing(group)
    if (!group.electJoinedLeader() && group.size > 0) {
      this.#waitForJoins(group)
      return NOTHING
    }
    group.beginGeneration()
    if (group.is('Empty')) return { records: [groupRecord(group, new Map())], response: undefined, replay: false }
    for (const member of group.members()) this.#answerJoin(group, member)
    const { generationId } = group
    timers.schedule(syncKey(group.id), group.rebalanceTimeoutMs, () => this.#expireSyncs(group.id, generationId))
    return NOTHING
  }

  #dropMissing(group: ClassicGroup): void {
    for (const member of [...group.members()]) {
      if (member.joinWaiter !== undefined || member.isStatic) continue
      group.remove(member.id)
      this.#context.timers.cancel(heartbeatKey(group.id, member.id))
    }
  }

  #answerJoin(group: ClassicGroup, member: ClassicMember): void {
    group.answerJoin(member, joinedResponse(group, member.id))
    this.awaitHeartbeat(group, member)
    member.isNew = false
    group.pendingSyncs.add(member.id)
  }

  /** Members who have joined but not synced in time are out. */
  #expireSyncs(groupId: string, generationId: number): Result<void> {
    const group = this.#context.groups.classic(groupId)
    if (group === undefined || group.generationId !== generationId || group.pendingSyncs.size === 0) return NOTHING
    if (!group.is('CompletingRebalance') && !group.is('Stable')) return NOTHING
    const missing = [...group.pendingSyncs]
    for (const memberId of missing) {
      group.remove(memberId)
      this.#context.timers.cancel(heartbeatKey(groupId, memberId))
    }
    return this.prepare(group, `no SyncGroup came from ${missing.join(', ')}`)
  }

  /** A SyncGroup has come; when all have, nobody is waited for. */
  noteSync(group: ClassicGroup, memberId: string): void {
    group.pendingSyncs.delete(memberId)
    if (group.pendingSyncs.size === 0) this.#context.timers.cancel(syncKey(group.id))
  }

  /** Answers the SyncGroups that wait: with the members' assignments, or with `error`. */
  propagateAssignment(group: ClassicGroup, error: KafkaError): void {
    const isError = error.code !== errors.NONE.code
    for (const member of group.members()) {
      const wasWaiting = group.answerSync(member, {
        protocolType: isError ? null : group.protocolTypeOrNull,
        protocolName: isError ? null : group.protocolNameOrNull,
        assignment: member.assignment,
        errorCode: error.code,
      })
      if (wasWaiting) this.awaitHeartbeat(group, member)
    }
  }

  /** The member is out unless it is heard of within its session timeout, or `timeoutMs`. */
  awaitHeartbeat(group: ClassicGroup, member: ClassicMember, timeoutMs: number = member.sessionTimeoutMs): void {
    this.awaitSignOfLife(group.id, member.id, timeoutMs)
  }

  awaitSignOfLife(groupId: string, memberId: string, timeoutMs: number): void {
    this.#context.timers.schedule(heartbeatKey(groupId, memberId), timeoutMs, () =>
      this.#expireHeartbeat(groupId, memberId),
    )
  }

  stopHeartbeat(groupId: string, memberId: string): void {
    this.#context.timers.cancel(heartbeatKey(groupId, memberId))
  }

  #expireHeartbeat(groupId: string, memberId: string): Result<void> {
    const group = this.#context.groups.classic(groupId)
    if (group === undefined) return NOTHING
    if (group.isPending(memberId)) {
      group.remove(memberId)
      return group.is('PreparingRebalance') && group.hasAllJoined ? this.complete(group) : NOTHING
    }
    const member = group.member(memberId)
    if (member === undefined || member.hasSatisfiedHeartbeat) return NOTHING
    this.#context.logger.info(`group ${groupId}: member ${memberId} was silent for too long and is out`)
    return this.#removeMember(group, member)
  }

  #removeMember(group: ClassicGroup, member: ClassicMember): Result<void> {
    group.answerJoin(member, { memberId: '', errorCode: errors.UNKNOWN_MEMBER_ID.code })
    group.remove(member.id)
    if (group.is('Stable') || group.is('CompletingRebalance')) {
      return this.prepareOrComplete(group, `member ${member.id} was silent for too long`)
    }
    return group.is('PreparingRebalance') && group.hasAllJoined ? this.complete(group) : NOTHING
  }
}

/** The answer to a member of the current generation; the leader gets everybody's metadata, to assign by. */
export function joinedResponse(group: ClassicGroup, memberId: string, members = groupMembersFor(group, memberId)) {
  return {
    members,
    memberId,
    generationId: group.generationId,
    protocolName: group.protocolNameOrNull,
    protocolType: group.protocolTypeOrNull,
    leader: group.leaderId ?? '',
    skipAssignment: false,
    errorCode: errors.NONE.code,
  }
}

function groupMembersFor(group: ClassicGroup, memberId: string) {
  if (!group.isLeader(memberId)) return []
  return [...group.members()].map((member) => ({
    memberId: member.id,
    groupInstanceId: member.instanceId,
    metadata: member.metadataFor(group.protocolName ?? '') ?? EMPTY_ASSIGNMENT,
  }))
}

function heartbeatKey(groupId: string, memberId: string): string {
  return `heartbeat ${groupId} ${memberId}`
}

function joinKey(groupId: string): string {
  return `join ${groupId}`
}

function syncKey(groupId: string): string {
  return `sync ${groupId}`
}
