import { randomUuid } from '../../platform/random.ts'
import { errors } from '../../protocol/errors.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../../protocol/messages/consumer-group-heartbeat.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { ClientContext } from '../group-config.ts'
import { atEpoch, NO_EPOCHS, sameEpochs, sameSet, toTopicPartitions } from '../modern/assignment.ts'
import { JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH } from '../modern/member.ts'
import { answer, type Result } from '../runtime/result.ts'
import { unrecorded } from '../runtime/undo-log.ts'
import { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerContext } from './context.ts'
import type { Fencing } from './fencing.ts'
import type { ConsumerMember } from './member.ts'
import { memberFor, requireRoom, requireStatic } from './membership.ts'
import type { Migration } from './migration.ts'
import { assignmentRecord } from './records.ts'
import type { SessionTimers } from './session-timers.ts'
import type { MemberUpdate } from './update.ts'

type Request = ConsumerGroupHeartbeatRequest
type Response = ConsumerGroupHeartbeatResponseInput

/** ConsumerGroupHeartbeat (KIP-848): by it members join, say what they want and have, are told what to have, and leave. */
export class ConsumerHeartbeats {
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

  /** The request has been validated as far as that needs no group. Throws CoordinatorError. */
  heartbeat(client: ClientContext, request: Request): Result<Response> {
    const isLeaving = request.memberEpoch === LEAVE_EPOCH || request.memberEpoch === STATIC_LEAVE_EPOCH
    return isLeaving ? this.#leave(request) : this.#stay(client, request)
  }

  #stay(client: ClientContext, request: Request): Result<Response> {
    const { groupId, instanceId, memberEpoch: epoch, topicPartitions: owned } = request
    const { config, random } = this.#context
    const mayJoin = epoch === JOIN_EPOCH
    const records: CoordinatorRecord[] = []
    const group = this.#groupFor(groupId, mayJoin, records)
    requireRoom(group, request.memberId, config.consumer.maxGroupSize)
    const memberId = request.memberId === '' ? randomUuid(random) : request.memberId
    const old = memberFor(group, { memberId, instanceId, epoch, owned, mayJoin }, records)
    const update = { group, old, current: withRequest(old, client, request), records }
    const { epoch: groupEpoch, hasChanged } = this.#update.subscribe(update, false)
    const target = this.#update.assign(update, groupEpoch)
    const member = this.#update.reconcile(update, target, hasChanged, owned)
    this.#timers.awaitHeartbeat(groupId, memberId)
    const isTold = mayJoin || isFull(request) || !sameEpochs(old.assigned, member.assigned)
    const response = {
      memberId,
      memberEpoch: member.memberEpoch,
      heartbeatIntervalMs: config.consumer.paceOf(groupId).heartbeatIntervalMs,
      assignment: isTold ? { topicPartitions: toTopicPartitions(member.assigned) } : null,
    }
    return { records, response }
  }

  /** A group that is not there yet, or not one of consumers, becomes one by the records. Throws GROUP_ID_NOT_FOUND. */
  #groupFor(groupId: string, mayJoin: boolean, records: CoordinatorRecord[]): ConsumerGroup {
    const { groups } = this.#context
    const existing = groups.get(groupId)
    if (existing instanceof ConsumerGroup) return existing
    if (existing === undefined) {
      if (mayJoin) return unborn(groupId)
      throw new CoordinatorError(errors.GROUP_ID_NOT_FOUND, `Consumer group ${groupId} not found.`)
    }
    const classic = mayJoin ? groups.classic(groupId) : undefined
    if (classic === undefined) {
      throw new CoordinatorError(errors.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`)
    }
    if (!classic.isEmpty) return this.#migration.upgrade(classic, records)
    records.push(...classic.tombstones())
    return unborn(groupId)
  }

  #leave({ groupId, memberId, instanceId, memberEpoch }: Request): Result<Response> {
    const group = this.#context.groups.requireConsumer(groupId)
    const response = { memberId, memberEpoch }
    if (instanceId === null) return this.#fencing.fence(group, [group.requireMember(memberId)], response)
    const member = requireStatic(group.staticMember(instanceId), instanceId, memberId)
    if (memberEpoch !== STATIC_LEAVE_EPOCH) return this.#fencing.fence(group, [member], response)
    // It keeps its place until its session ends, or it comes back under another id, to which all of this is new.
    const absent: ConsumerMember = {
      ...member,
      memberEpoch: STATIC_LEAVE_EPOCH,
      pendingRevocation: NO_EPOCHS,
      assigned: atEpoch(member.assigned, 0),
    }
    return { ...answer({ memberId: member.id, memberEpoch }), records: [assignmentRecord(groupId, absent)] }
  }
}

/** A group that nobody sees before its records are replayed. */
function unborn(groupId: string): ConsumerGroup {
  return new ConsumerGroup(groupId, unrecorded())
}

/** Members say what has changed, and all of it when they join or are not sure that they were heard. */
function withRequest(member: ConsumerMember, client: ClientContext, request: Request): ConsumerMember {
  const topics = request.subscribedTopicNames === null ? undefined : new Set(request.subscribedTopicNames)
  const isSameTopics = topics === undefined || sameSet(topics, member.subscribedTopics)
  return {
    ...member,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : request.rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    subscribedTopics: isSameTopics ? member.subscribedTopics : topics,
    subscribedRegex: request.subscribedTopicRegex ?? member.subscribedRegex,
    clientId: client.clientId,
    clientHost: client.clientHost,
    classic: null,
  }
}

/** Whether the member has said everything: then it is told everything. */
function isFull({ rebalanceTimeoutMs, subscribedTopicNames, subscribedTopicRegex, topicPartitions }: Request): boolean {
  const isSubscribing = subscribedTopicNames !== null || subscribedTopicRegex !== null
  return rebalanceTimeoutMs !== -1 && isSubscribing && topicPartitions !== null
}
