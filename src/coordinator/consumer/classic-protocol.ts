import { randomUuid } from '../../platform/random.ts'
import { errors } from '../../protocol/errors.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../../protocol/messages/heartbeat.ts'
import type { JoinGroupRequest } from '../../protocol/messages/join-group.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../../protocol/messages/leave-group.ts'
import type { SyncGroupRequest } from '../../protocol/messages/sync-group.ts'
import { DecodeError } from '../../protocol/wire.ts'
import { type JoinWaiter, protocolsOf, type SyncWaiter } from '../classic/member.ts'
import { CONSUMER_PROTOCOL_TYPE } from '../classic/subscription.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { ClientContext } from '../group-config.ts'
import { MemberState } from '../modern/member.ts'
import { answer, NOTHING, type Result } from '../runtime/result.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerContext } from './context.ts'
import { readSubscription, readVersion, type Subscription, writeAssignment } from './embedded-protocol.ts'
import type { Fencing } from './fencing.ts'
import type { ConsumerMember } from './member.ts'
import { memberFor, requireRoom, requireStatic } from './membership.ts'
import type { Migration } from './migration.ts'
import type { SessionTimers } from './session-timers.ts'
import { lastTarget, type MemberUpdate, type Update } from './update.ts'

/** From this version on a dynamic member gets its id first, and joins with it (KIP-394). */
const FIRST_VERSION_WITH_KNOWN_ID = 4

interface Joining {
  readonly group: ConsumerGroup
  readonly client: ClientContext
  readonly request: JoinGroupRequest
  readonly memberId: string
  readonly isNew: boolean
  readonly subscription: Subscription
}

/**
 * Members of a consumer group that still speak the classic protocol (KIP-848): what they join with and are assigned are the
 * same as for others, in the words of JoinGroup, SyncGroup, Heartbeat and LeaveGroup. Generations are member epochs; a
 * member is told to join again when there is something to revoke or to be had.
 */
export class ClassicProtocol {
  readonly #context: ConsumerContext
  readonly #update: MemberUpdate
  readonly #timers: SessionTimers
  readonly #fencing: Fencing
  readonly #migration: Migration

  constructor(
    context: ConsumerContext,
    update: MemberUpdate,
    timers: SessionTimers,
    fencing: Fencing,
    migration: Migration,
  ) {
    this.#context = context
    this.#update = update
    this.#timers = timers
    this.#fencing = fencing
    this.#migration = migration
  }

  /** The group has members. Throws CoordinatorError. */
  join(group: ConsumerGroup, client: ClientContext, request: JoinGroupRequest, respond: JoinWaiter): Result<void> {
    const { config, random, topics } = this.#context
    if (config.consumer.migrationPolicy === 'disabled') {
      throw new CoordinatorError(errors.INCONSISTENT_GROUP_PROTOCOL)
    }
    const isNew = request.memberId === ''
    const memberId = isNew ? randomUuid(random) : request.memberId
    requireRoom(group, memberId, config.consumer.maxGroupSize)
    const names = request.protocols.map(({ name }) => name)
    if (!group.supportsClassic(request.protocolType, names)) {
      throw new CoordinatorError(errors.INCONSISTENT_GROUP_PROTOCOL)
    }
    if (isNew && request.groupInstanceId === null && client.apiVersion >= FIRST_VERSION_WITH_KNOWN_ID) {
      respond({ memberId, errorCode: errors.MEMBER_ID_REQUIRED.code })
      return NOTHING
    }
    const subscription = readOrRefuse(() => readSubscription(request.protocols[0]!.metadata, topics))
    return this.#join({ group, client, request, memberId, isNew, subscription }, respond)
  }

  #join(joining: Joining, respond: JoinWaiter): Result<void> {
    const { group, request, memberId, isNew, subscription } = joining
    const records: CoordinatorRecord[] = []
    const instanceId = request.groupInstanceId
    const mayJoin = instanceId === null || isNew
    const caller = { memberId, instanceId, epoch: undefined, owned: null, mayJoin }
    const old = memberFor(group, caller, records)
    const replaced = group.staticMember(instanceId)
    const downgrades = replaced !== undefined && this.#migration.canDowngradeReplacing(group, replaced)
    const update = { group, old, current: withJoin(old, joining), records }
    const { epoch, isBumped } = this.#update.subscribe(update, true)
    if (downgrades) return this.#joinAndDowngrade(joining, update, replaced, epoch, isBumped, respond)
    const target = this.#update.assign(update, epoch)
    const member = this.#update.reconcile(update, target, isBumped, subscription.owned)
    const settled = () => {
      this.#timers.stopAwaitingJoin(group.id, memberId)
      this.#timers.awaitHeartbeat(group.id, memberId, request.sessionTimeoutMs)
      this.#timers.awaitSync(group.id, memberId, request.rebalanceTimeoutMs)
      respond(joinedResponse(member))
    }
    return { records, response: undefined, settled: ifWritten(settled) }
  }

  #joinAndDowngrade(
    { group, subscription }: Joining,
    update: Update,
    replaced: ConsumerMember,
    epoch: number,
    isBumped: boolean,
    respond: JoinWaiter,
  ): Result<void> {
    const rebalances = group.assignmentEpoch < epoch
    const target = { epoch: group.assignmentEpoch, assignment: lastTarget(group, update.current) }
    const joining = rebalances ? update.current : this.#update.reconcile(update, target, isBumped, subscription.owned)
    const result = this.#migration.downgradeReplacing(group, { replaced, joining }, rebalances, update.records)
    return { ...result, settled: ifWritten(() => respond(joinedResponse(joining))) }
  }

  /** Throws CoordinatorError. */
  sync(group: ConsumerGroup, request: SyncGroupRequest, respond: SyncWaiter): Result<void> {
    const { groupId, protocolType, protocolName } = request
    const member = this.#requireClassic(group, request)
    const isOtherType = protocolType !== null && protocolType !== CONSUMER_PROTOCOL_TYPE
    const isOtherName = protocolName !== null && protocolName !== protocolNameOf(member)
    if (isOtherType || isOtherName) throw new CoordinatorError(errors.INCONSISTENT_GROUP_PROTOCOL)
    // A member that has to revoke first has joined again for that already.
    if (group.assignmentEpoch > member.memberEpoch && member.state !== MemberState.unrevoked) {
      this.#timers.awaitJoin(groupId, member.id, member.rebalanceTimeoutMs)
      throw new CoordinatorError(errors.REBALANCE_IN_PROGRESS)
    }
    const version = readOrRefuse(() => readVersion(member.classic!.protocols[0]!.metadata))
    const assignment = writeAssignment(member.assigned, version, this.#context.topics)
    const settled = () => {
      this.#timers.stopAwaitingSync(groupId, member.id)
      this.#timers.awaitHeartbeat(groupId, member.id, member.classic!.sessionTimeoutMs)
      respond({ protocolType, protocolName, assignment })
    }
    return { records: [], response: undefined, settled: ifWritten(settled) }
  }

  /** Throws CoordinatorError. */
  heartbeat(group: ConsumerGroup, request: HeartbeatRequest): Result<HeartbeatResponseInput> {
    const member = this.#requireClassic(group, request)
    this.#timers.awaitHeartbeat(group.id, member.id, member.classic!.sessionTimeoutMs)
    const shouldJoin =
      member.memberEpoch < group.assignmentEpoch ||
      member.state === MemberState.unrevoked ||
      (member.state === MemberState.unreleased && !group.isWaiting(member))
    if (shouldJoin) this.#timers.awaitJoin(group.id, member.id, member.rebalanceTimeoutMs)
    return answer({ errorCode: shouldJoin ? errors.REBALANCE_IN_PROGRESS.code : errors.NONE.code })
  }

  /** Also takes members of the new protocol out, which is how an administrator removes them. */
  leave(group: ConsumerGroup, request: LeaveGroupRequest): Result<LeaveGroupResponseInput> {
    const leaving: ConsumerMember[] = []
    const members = request.members.map(({ memberId, groupInstanceId }) => {
      const member = { memberId, groupInstanceId }
      try {
        leaving.push(leavingMember(group, memberId, groupInstanceId))
        return { ...member, errorCode: errors.NONE.code }
      } catch (reason) {
        if (!(reason instanceof CoordinatorError)) throw reason
        return { ...member, errorCode: reason.error.code }
      }
    })
    return this.#fencing.fence(group, leaving, { members })
  }

  /** The member that sent the request, if it is one of the classic protocol and of this generation. */
  #requireClassic(
    group: ConsumerGroup,
    request: { readonly memberId: string; readonly groupInstanceId: string | null; readonly generationId: number },
  ): ConsumerMember {
    const { memberId, groupInstanceId } = request
    const member =
      groupInstanceId === null
        ? group.requireMember(memberId)
        : requireStatic(group.staticMember(groupInstanceId), groupInstanceId, memberId)
    if (member.classic === null) throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID)
    if (member.memberEpoch !== request.generationId) throw new CoordinatorError(errors.ILLEGAL_GENERATION)
    return member
  }
}

/** Throws CoordinatorError. An administrator names static members by their instance id only (KIP-345). */
function leavingMember(group: ConsumerGroup, memberId: string, instanceId: string | null): ConsumerMember {
  if (instanceId === null) return group.requireMember(memberId)
  const member = group.staticMember(instanceId)
  return requireStatic(member, instanceId, memberId === '' ? (member?.id ?? '') : memberId)
}

function withJoin(member: ConsumerMember, { client, request, subscription }: Joining): ConsumerMember {
  return {
    ...member,
    instanceId: request.groupInstanceId ?? member.instanceId,
    rackId: subscription.rackId ?? member.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : request.rebalanceTimeoutMs,
    subscribedTopics: new Set(subscription.topics),
    subscribedRegex: '',
    clientId: client.clientId,
    clientHost: client.clientHost,
    classic: { sessionTimeoutMs: request.sessionTimeoutMs, protocols: protocolsOf(request) },
  }
}

/** Where the records are not written, the promise of the operation tells why. */
function ifWritten(then: () => void): (error: unknown) => void {
  return (error) => {
    if (error === undefined) then()
  }
}

function protocolNameOf(member: ConsumerMember): string {
  return member.classic!.protocols[0]!.name
}

/** Everybody is a follower: nobody but the coordinator assigns. */
function joinedResponse(member: ConsumerMember) {
  return {
    memberId: member.id,
    generationId: member.memberEpoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName: protocolNameOf(member),
  }
}

/** A client whose own protocol cannot be read gets what Apache Kafka answers to it. */
function readOrRefuse<T>(read: () => T): T {
  try {
    return read()
  } catch (reason) {
    if (reason instanceof DecodeError) throw new CoordinatorError(errors.UNKNOWN_SERVER_ERROR)
    throw reason
  }
}
