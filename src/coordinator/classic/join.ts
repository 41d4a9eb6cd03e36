import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { JoinGroupRequest } from '../../protocol/messages/join-group.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { type ClientContext, NEW_MEMBER_JOIN_TIMEOUT_MS } from '../group-config.ts'
import { NOTHING, type Result } from '../runtime/result.ts'
import type { ClassicGroup } from './classic-group.ts'
import { ClassicMember, type JoinWaiter, protocolsOf } from './member.ts'
import { type ClassicContext, joinedResponse, type Rebalancer } from './rebalancer.ts'
import { groupRecord, newGroupRecord } from './records.ts'

/** From this version on a dynamic member gets its id first, and joins with it (KIP-394). */
const FIRST_VERSION_WITH_KNOWN_ID = 4
/** From this version on a leader can be told that the assignment stands (KIP-814). */
const FIRST_VERSION_WITH_SKIP = 9

/** A JoinGroup under way. */
interface Joining {
  readonly context: ClientContext
  readonly request: JoinGroupRequest
  readonly group: ClassicGroup
  /** Called once, when the rebalance is complete or at once. */
  readonly respond: JoinWaiter
}

/** JoinGroup for classic groups. */
export class JoinOperation {
  readonly #context: ClassicContext
  readonly #rebalancer: Rebalancer

  constructor(context: ClassicContext, rebalancer: Rebalancer) {
    this.#context = context
    this.#rebalancer = rebalancer
  }

  join(context: ClientContext, request: JoinGroupRequest, respond: JoinWaiter): Result<void> {
    const { groups } = this.#context
    const isNewMember = request.memberId === ''
    const existing = groups.get(request.groupId)
    // A group without members may change its kind.
    const isReplaced = existing?.isEmpty === true && (existing.type === 'consumer' || existing.type === 'streams')
    if ((existing === undefined || isReplaced) && !isNewMember) {
      return refuse(respond, errors.UNKNOWN_MEMBER_ID, request.memberId)
    }
    const tombstones = isReplaced ? existing.tombstones() : []
    if (isReplaced) groups.delete(request.groupId)
    const group = groups.classicOrNew(request.groupId)
    if (group === undefined) return refuse(respond, errors.INCONSISTENT_GROUP_PROTOCOL, '')
    const result = this.#joinGroup({ context, request, group, respond }, isNewMember)
    if (existing !== undefined && !isReplaced) return result
    // The group is in the log from its first member on, though nobody is in it before the first rebalance ends.
    const records = result === NOTHING ? [newGroupRecord(group)] : result.records
    return { ...result, records: [...tombstones, ...records], replay: false }
  }

  #joinGroup(joining: Joining, isNewMember: boolean): Result<void> {
    const { group, request, respond } = joining
    if (!this.#hasRoomFor(group, request.memberId)) {
      group.remove(request.memberId)
      return refuse(respond, errors.GROUP_MAX_SIZE_REACHED, '')
    }
    if (!group.supports(request.protocolType, request.protocols)) {
      return refuse(respond, errors.INCONSISTENT_GROUP_PROTOCOL, request.memberId)
    }
    return isNewMember ? this.#joinNew(joining) : this.#joinKnown(joining)
  }

  #hasRoomFor(group: ClassicGroup, memberId: string): boolean {
    const { maxGroupSize } = this.#context.config
    if (group.is('Empty')) return true
    const member = group.member(memberId)
    if (group.is('PreparingRebalance')) {
      return member?.joinWaiter !== undefined || group.awaitingJoinCount < maxGroupSize
    }
    return member !== undefined || group.size < maxGroupSize
  }

  #joinNew(joining: Joining): Result<void> {
    const { context, request, group } = joining
    const { groupInstanceId } = request
    const memberId = `${groupInstanceId ?? context.clientId}-${this.#randomId()}`
    if (groupInstanceId !== null) {
      const oldId = group.staticMemberId(groupInstanceId)
      return oldId === undefined ? this.#add(joining, memberId) : this.#replaceStatic(joining, oldId, memberId)
    }
    if (context.apiVersion < FIRST_VERSION_WITH_KNOWN_ID) return this.#add(joining, memberId)
    group.addPending(memberId)
    this.#rebalancer.awaitSignOfLife(group.id, memberId, request.sessionTimeoutMs)
    return refuse(joining.respond, errors.MEMBER_ID_REQUIRED, memberId)
  }

  #joinKnown(joining: Joining): Result<void> {
    const { request, group, respond } = joining
    const { memberId, groupInstanceId } = request
    if (group.isPending(memberId)) {
      // An id that was handed out to a dynamic member; a static one never waits for its id.
      if (groupInstanceId !== null) return refuse(respond, errors.UNKNOWN_SERVER_ERROR, '')
      return this.#add(joining, memberId)
    }
    try {
      group.validateMember(memberId, groupInstanceId)
    } catch (reason) {
      if (!(reason instanceof CoordinatorError)) throw reason
      respond({ memberId, protocolType: null, protocolName: null, errorCode: reason.error.code })
      return NOTHING
    }
    return this.#rejoin(joining, group.member(memberId)!)
  }

  #rejoin(joining: Joining, member: ClassicMember): Result<void> {
    const { request, group, respond } = joining
    if (group.is('Empty')) return refuse(respond, errors.UNKNOWN_MEMBER_ID, member.id)
    const isUnchanged = member.matches(request.protocols)
    // A member that lost our answer gets it again. A leader that joins a stable group asks for a rebalance.
    const answersAgain =
      isUnchanged && (group.is('CompletingRebalance') || (group.is('Stable') && !group.isLeader(member.id)))
    if (answersAgain) {
      respond(joinedResponse(group, member.id))
      return NOTHING
    }
    group.update(member, protocolsOf(request), request.rebalanceTimeoutMs, request.sessionTimeoutMs, respond)
    return this.#rebalancer.prepareOrComplete(group, `member ${member.id} joins again: ${reasonOf(request)}`)
  }

  #add(joining: Joining, memberId: string): Result<void> {
    const { context, request, group, respond } = joining
    const identity = {
      id: memberId,
      instanceId: request.groupInstanceId,
      clientId: context.clientId,
      clientHost: context.clientHost,
      protocolType: request.protocolType,
    }
    const member = new ClassicMember(
      identity,
      request.rebalanceTimeoutMs,
      request.sessionTimeoutMs,
      protocolsOf(request),
    )
    member.isNew = true
    if (group.is('PreparingRebalance') && group.previousState === 'Empty') group.newMemberAdded = true
    group.add(member, respond)
    this.#rebalancer.awaitHeartbeat(group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
    return this.#rebalancer.prepareOrComplete(group, `member ${memberId} is new: ${reasonOf(request)}`)
  }

  /** A static member has restarted: it takes the place it had, and if nothing else changes the others need not know. */
  #replaceStatic(joining: Joining, oldId: string, newId: string): Result<void> {
    const { request, group, respond } = joining
    const leaderBefore = group.leaderId ?? ''
    const member = group.replaceStaticMember(request.groupInstanceId!, oldId, newId)
    this.#rebalancer.awaitHeartbeat(group, member)
    const { protocols, rebalanceTimeoutMs, sessionTimeoutMs } = member
    group.update(member, protocolsOf(request), request.rebalanceTimeoutMs, request.sessionTimeoutMs, respond)
    const reason = `static member ${request.groupInstanceId} is back as ${newId}: ${reasonOf(request)}`
    if (group.is('CompletingRebalance')) return this.#rebalancer.prepare(group, reason)
    if (!group.is('Stable')) return this.#rebalancer.completeIfAllJoined(group)
    if (group.selectProtocol() !== group.protocolName) return this.#rebalancer.prepareOrComplete(group, reason)
    const revert = () => {
      group.update(member, protocols, rebalanceTimeoutMs, sessionTimeoutMs, undefined)
      const old = group.replaceStaticMember(request.groupInstanceId!, newId, oldId)
      this.#rebalancer.awaitHeartbeat(group, old)
    }
    return {
      records: [groupRecord(group, group.assignments())],
      response: undefined,
      replay: false,
      settled: (error) => this.#staticReplaced(joining, member, leaderBefore, error, revert),
    }
  }

  #staticReplaced(
    { context, group, respond }: Joining,
    member: ClassicMember,
    leaderBefore: string,
    error: KafkaError | undefined,
    revert: () => void,
  ): void {
    if (error !== undefined) {
      if (group.member(member.id) === member) revert()
      respond({ ...joinedResponse(group, '', []), leader: leaderBefore, errorCode: error.code })
    } else if (context.apiVersion >= FIRST_VERSION_WITH_SKIP) {
      const response = joinedResponse(group, member.id)
      group.answerJoin(member, { ...response, skipAssignment: group.isLeader(member.id) })
    } else {
      // An older client that is told it leads would assign anew; it is told of the leader that was.
      group.answerJoin(member, { ...joinedResponse(group, member.id, []), leader: leaderBefore })
    }
  }

  /** Like Java's UUID.randomUUID. */
  #randomId(): string {
    const bytes = this.#context.random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
}

function refuse(respond: JoinWaiter, error: KafkaError, memberId: string): Result<void> {
  respond({ memberId, errorCode: error.code })
  return NOTHING
}

function reasonOf(request: JoinGroupRequest): string {
  return request.reason || 'not provided'
}
