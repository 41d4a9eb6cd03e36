import { errors } from '../../protocol/errors.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../../protocol/messages/heartbeat.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../../protocol/messages/leave-group.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { answer, NOTHING, type Result } from '../runtime/result.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { ClassicContext, Rebalancer } from './rebalancer.ts'

type LeavingMember = LeaveGroupRequest['members'][number]

/** Heartbeat and LeaveGroup for classic groups: staying and going. */
export class Membership {
  readonly #context: ClassicContext
  readonly #rebalancer: Rebalancer

  constructor(context: ClassicContext, rebalancer: Rebalancer) {
    this.#context = context
    this.#rebalancer = rebalancer
  }

  /** Throws CoordinatorError. */
  heartbeat(request: HeartbeatRequest): Result<HeartbeatResponseInput> {
    const group = this.#require(request.groupId)
    group.validateMember(request.memberId, request.groupInstanceId)
    if (request.generationId !== group.generationId) throw new CoordinatorError(errors.ILLEGAL_GENERATION)
    if (group.is('Empty')) throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID)
    this.#rebalancer.awaitHeartbeat(group, group.member(request.memberId)!)
    const error = group.is('PreparingRebalance') ? errors.REBALANCE_IN_PROGRESS : errors.NONE
    return answer({ errorCode: error.code })
  }

  /** Throws CoordinatorError UNKNOWN_MEMBER_ID where there is no such group. */
  leave(request: LeaveGroupRequest): Result<LeaveGroupResponseInput> {
    const group = this.#require(request.groupId)
    const members = request.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      errorCode: this.#leaveOne(group, member),
    }))
    const left = members.filter((member) => member.errorCode === errors.NONE.code)
    const after = left.length === 0 ? NOTHING : this.#afterLeave(group, left.length)
    return { ...after, response: { members } }
  }

  #require(groupId: string): ClassicGroup {
    const group = this.#context.groups.classic(groupId)
    if (group === undefined) throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID)
    return group
  }

  #leaveOne(group: ClassicGroup, { memberId, groupInstanceId }: LeavingMember): number {
    if (memberId === '') {
      // An administrator removes a static member by its instance id (KIP-345).
      const staticId = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId)
      if (staticId === undefined) return errors.UNKNOWN_MEMBER_ID.code
      this.#remove(group, staticId)
      return errors.NONE.code
    }
    if (!group.isPending(memberId)) {
      try {
        group.validateMember(memberId, groupInstanceId)
      } catch (reason) {
        if (reason instanceof CoordinatorError) return reason.error.code
        throw reason
      }
    }
    this.#remove(group, memberId)
    return errors.NONE.code
  }

  #remove(group: ClassicGroup, memberId: string): void {
    this.#rebalancer.stopHeartbeat(group.id, memberId)
    const member = group.member(memberId)
    if (member !== undefined) {
      group.answerJoin(member, { memberId: '', errorCode: errors.UNKNOWN_MEMBER_ID.code })
      group.answerSync(member, { errorCode: errors.UNKNOWN_MEMBER_ID.code })
    }
    group.remove(memberId)
  }

  #afterLeave(group: ClassicGroup, count: number): Result<void> {
    if (group.is('Stable') || group.is('CompletingRebalance')) {
      return this.#rebalancer.prepareOrComplete(group, `${count} members have left`)
    }
    return group.is('PreparingRebalance') ? this.#rebalancer.completeIfAllJoined(group) : NOTHING
  }
}
