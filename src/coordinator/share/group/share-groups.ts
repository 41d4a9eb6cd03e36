import type { Logger } from '../../../platform/logger.ts'
import type { Time } from '../../../platform/time.ts'
import { errors } from '../../../protocol/errors.ts'
import type { ShareGroupDescribeResponse } from '../../../protocol/messages/share-group-describe.ts'
import type {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponseInput,
} from '../../../protocol/messages/share-group-heartbeat.ts'
import { CoordinatorError } from '../../coordinator-error.ts'
import type { CoordinatorRecord } from '../../coordinator-record.ts'
import type { ClientContext, ShareGroupConfig } from '../../group-config.ts'
import type { GroupStore } from '../../group-store.ts'
import { type Assignment, NO_PARTITIONS, sameAssignment, sameSet, toTopicPartitions } from '../../modern/assignment.ts'
import { mayAssign, REFRESH_INTERVAL_MS } from '../../modern/epoch-group.ts'
import type { GroupMetadataView } from '../../modern/group-metadata-view.ts'
import { isReconciledTo, JOIN_EPOCH, LEAVE_EPOCH, MemberState } from '../../modern/member.ts'
import type { SubscriptionCount } from '../../modern/modern-group.ts'
import { type AssignableMember, changedTargets } from '../../modern/target-assignment.ts'
import { undescribed } from '../../modern/undescribed.ts'
import { NOTHING, type Result } from '../../runtime/result.ts'
import type { Timers } from '../../runtime/timers.ts'
import { unrecorded } from '../../runtime/undo-log.ts'
import { newShareMember, type ShareMember, sameMetadata, sameProgress } from './member.ts'
import {
  assignmentRecord,
  epochRecord,
  memberRecord,
  memberTombstones,
  targetEpochRecord,
  targetRecord,
} from './records.ts'
import { replayShareRecord } from './replay.ts'
import { requireShareGroup, ShareGroup } from './share-group.ts'
import { ShareStates } from './share-states.ts'
import { simpleAssignor } from './simple-assignor.ts'
import { type PartitionsByTopic, partitionsOf } from './state-partitions.ts'

export type DescribedShareGroup = ShareGroupDescribeResponse['groups'][number]

/** What a heartbeat answers, and the partitions whose share state has to be made. */
export interface ShareHeartbeat {
  readonly response: ShareGroupHeartbeatResponseInput
  readonly groupEpoch: number
  readonly missing: PartitionsByTopic
}

export interface ShareGroupsContext {
  readonly groups: GroupStore
  readonly topics: GroupMetadataView
  readonly config: ShareGroupConfig
  readonly timers: Timers
  readonly time: Time
  readonly logger: Logger
}

/** Where the records of a timer cannot be written, it fires again after so long. */
const RETRY_MS = 500
const ASSIGNOR_NAME = 'simple'
const NONE_MISSING: PartitionsByTopic = new Map()

/** What a member says, and what comes of it. */
interface Update {
  readonly group: ShareGroup
  readonly old: ShareMember
  readonly current: ShareMember
  readonly subscriptions: Map<string, SubscriptionCount>
  readonly records: CoordinatorRecord[]
}

/** The share groups (KIP-932) of one partition of __consumer_offsets. */
export class ShareGroupOperations {
  readonly states: ShareStates
  readonly #context: ShareGroupsContext

  constructor(context: ShareGroupsContext) {
    this.#context = context
    this.states = new ShareStates(context)
  }

  /** False for a record of another kind. */
  replay(record: CoordinatorRecord): boolean {
    return replayShareRecord(this.#context.groups, record, this.#context.time.nowMs())
  }

  /** Nobody was heard while the groups were loaded: all have their time from now on. */
  onLoaded(): void {
    for (const group of this.#context.groups.all()) {
      if (!(group instanceof ShareGroup)) continue
      for (const { id } of group.members()) this.#awaitHeartbeat(group.id, id)
    }
  }

  /** Throws CoordinatorError. */
  heartbeat(client: ClientContext, request: ShareGroupHeartbeatRequest): Result<ShareHeartbeat> {
    const { groupId, memberId, memberEpoch } = request
    if (memberEpoch !== LEAVE_EPOCH) return this.#stay(client, request)
    const group = requireShareGroup(this.#context.groups, groupId)
    const records = this.#fence(group, group.requireMember(memberId))
    return { records, response: { response: { memberId, memberEpoch }, groupEpoch: 0, missing: NONE_MISSING } }
  }

  #stay(client: ClientContext, request: ShareGroupHeartbeatRequest): Result<ShareHeartbeat> {
    const { groupId, memberId, memberEpoch } = request
    const { config } = this.#context
    const mayJoin = memberEpoch === JOIN_EPOCH
    const group = this.#groupFor(groupId, mayJoin)
    if (group.size >= config.maxGroupSize && !group.has(memberId)) {
      const message = `The share group has reached its maximum capacity of ${config.maxGroupSize} members.`
      throw new CoordinatorError(errors.GROUP_MAX_SIZE_REACHED, message)
    }
    const old = mayJoin ? (group.member(memberId) ?? newShareMember(memberId)) : group.requireMember(memberId)
    checkEpoch(old, memberEpoch)
    const current = withRequest(old, client, request)
    const subscriptions = group.subscriptionsWith([
      { topics: group.member(memberId)?.subscribedTopics ?? [], change: { byName: -1, byRegex: 0 } },
      { topics: current.subscribedTopics, change: { byName: 1, byRegex: 0 } },
    ])
    const update: Update = { group, old, current, subscriptions, records: [] }
    const { epoch, isBumped } = this.#subscribe(update)
    const { targetEpoch, target } = this.#assign(update, epoch)
    const member = this.#reconcile(update, targetEpoch, target, isBumped)
    this.#awaitHeartbeat(groupId, memberId)
    const isTold = mayJoin || request.subscribedTopicNames !== null || !sameAssignment(old.assigned, member.assigned)
    const response = {
      memberId,
      memberEpoch: member.memberEpoch,
      heartbeatIntervalMs: config.paceOf(groupId).heartbeatIntervalMs,
      assignment: isTold ? { topicPartitions: toTopicPartitions(member.assigned) } : null,
    }
    const missing = this.states.missing(group, subscriptions.keys(), config.initializeRetryIntervalMs)
    if (missing.size > 0) update.records.push(this.states.initializing(group, missing))
    return {
      records: update.records,
      response: { response, groupEpoch: epoch, missing: partitionsOf(missing) },
    }
  }

  #groupFor(groupId: string, mayJoin: boolean): ShareGroup {
    const { groups } = this.#context
    if (mayJoin && groups.get(groupId) === undefined) return new ShareGroup(groupId, unrecorded())
    return requireShareGroup(groups, groupId)
  }

  #subscribe({ group, old, current, subscriptions, records }: Update): { epoch: number; isBumped: boolean } {
    const { topics, time } = this.#context
    if (!group.has(current.id) || !sameMetadata(old, current)) records.push(memberRecord(group.id, current))
    const isBehind = group.assignmentEpoch >= group.epoch && group.hasUnassigned
    let isBumped = old.subscribedTopics !== current.subscribedTopics || isBehind
    let { epoch } = group
    if (!isBumped && !group.needsRefresh(time.nowMs())) return { epoch, isBumped }
    const hash = topics.hashOf(subscriptions.keys())
    isBumped ||= hash !== group.metadataHash
    if (isBumped) records.push(epochRecord(group.id, ++epoch, hash))
    group.setRefreshed(time.nowMs() + REFRESH_INTERVAL_MS, epoch)
    return { epoch, isBumped }
  }

  #assign(update: Update, epoch: number): { targetEpoch: number; target: Assignment } {
    const { group, current, subscriptions, records } = update
    const { config, topics, time } = this.#context
    const nowMs = time.nowMs()
    if (group.assignmentEpoch >= epoch || !mayAssign(group, config.paceOf(group.id).assignmentIntervalMs, nowMs)) {
      return { targetEpoch: group.assignmentEpoch, target: group.target(current.id) }
    }
    const members = this.#assignableMembers(group, current)
    const { initialized } = group.states
    const assignor = simpleAssignor(
      (topicId, partition) => initialized.get(topicId)?.partitions.has(partition) ?? false,
    )
    const assigned = assignor.assign({
      members,
      isHomogeneous: [...subscriptions.values()].every(({ byName }) => byName === members.size),
      partitionCount: (topicId) => topics.partitionCount(topicId),
    })
    for (const [memberId, assignment] of changedTargets(members.keys(), group, assigned)) {
      records.push(targetRecord(group.id, memberId, assignment))
    }
    records.push(targetEpochRecord(group.id, epoch, nowMs))
    return { targetEpoch: epoch, target: assigned.get(current.id) ?? NO_PARTITIONS }
  }

  #assignableMembers(group: ShareGroup, current: ShareMember): Map<string, AssignableMember> {
    const members = new Map<string, AssignableMember>()
    const add = ({ id, rackId, subscribedTopics }: ShareMember) => {
      const topicIds = this.#context.topics.idsOf(subscribedTopics)
      members.set(id, { instanceId: null, rackId, topicIds, assignment: group.target(id) })
    }
    for (const member of group.members()) add(member.id === current.id ? current : member)
    if (!group.has(current.id)) add(current)
    return members
  }

  #reconcile(update: Update, targetEpoch: number, target: Assignment, isBumped: boolean): ShareMember {
    const { group, current, records } = update
    if (!isBumped && isReconciledTo(current, targetEpoch)) return current
    const subscribed = this.#context.topics.idsOf(current.subscribedTopics)
    const assigned = new Map([...target].filter(([topicId]) => subscribed.has(topicId)))
    const next: ShareMember = {
      ...current,
      state: MemberState.stable,
      assigned,
      memberEpoch: targetEpoch,
      previousMemberEpoch: targetEpoch === current.memberEpoch ? current.previousMemberEpoch : current.memberEpoch,
    }
    if (sameProgress(next, current)) return current
    records.push(assignmentRecord(group.id, next))
    return next
  }

  describe(groupIds: readonly string[]): DescribedShareGroup[] {
    return groupIds.map((groupId) => {
      try {
        return this.#describe(requireShareGroup(this.#context.groups, groupId))
      } catch (reason) {
        if (!(reason instanceof CoordinatorError)) throw reason
        return undescribedShareGroup(groupId, reason.error.code, reason.message)
      }
    })
  }

  #describe(group: ShareGroup): DescribedShareGroup {
    const { topics } = this.#context
    return {
      ...undescribedShareGroup(group.id, errors.NONE.code, null),
      groupState: group.stateName,
      groupEpoch: group.epoch,
      assignmentEpoch: group.assignmentEpoch,
      assignorName: ASSIGNOR_NAME,
      members: Array.from(group.members(), (member) => ({
        memberId: member.id,
        rackId: member.rackId,
        memberEpoch: member.memberEpoch,
        clientId: member.clientId,
        clientHost: member.clientHost,
        subscribedTopicNames: [...member.subscribedTopics],
        assignment: {
          topicPartitions: toTopicPartitions(member.assigned).flatMap(({ topicId, partitions }) => {
            const topicName = topics.byId(topicId)?.name
            return topicName === undefined ? [] : [{ topicId, topicName, partitions }]
          }),
        },
      })),
    }
  }

  #awaitHeartbeat(groupId: string, memberId: string): void {
    const { timers, groups, config, logger } = this.#context
    const timeoutMs = config.paceOf(groupId).sessionTimeoutMs
    const expire = (): Result<void> => {
      const group = groups.get(groupId)
      const member = group instanceof ShareGroup ? group.member(memberId) : undefined
      if (!(group instanceof ShareGroup) || member === undefined) return NOTHING
      logger.info(`share group ${groupId}: member ${memberId} is out: no heartbeat within ${timeoutMs} ms`)
      return { records: this.#fence(group, member), response: undefined }
    }
    timers.schedule(timerKey(groupId, memberId), timeoutMs, expire, RETRY_MS)
  }

  /** The records that take the member out. Its session goes on, for the case that they cannot be written. */
  #fence(group: ShareGroup, member: ShareMember): CoordinatorRecord[] {
    const rest = group.subscriptionsWith([{ topics: member.subscribedTopics, change: { byName: -1, byRegex: 0 } }])
    const hash = this.#context.topics.hashOf(rest.keys())
    return [...memberTombstones(group.id, member.id), epochRecord(group.id, group.epoch + 1, hash)]
  }
}

/** A group of which nothing is told but the error. */
export function undescribedShareGroup(
  groupId: string,
  errorCode: number,
  errorMessage: string | null,
): DescribedShareGroup {
  return { ...undescribed(groupId, errorCode, errorMessage), assignorName: '' }
}

function timerKey(groupId: string, memberId: string): string {
  return `share session ${groupId} ${memberId}`
}

/** Throws FENCED_MEMBER_EPOCH. */
function checkEpoch({ memberEpoch, previousMemberEpoch }: ShareMember, epoch: number): void {
  if (epoch === JOIN_EPOCH || epoch === memberEpoch) return
  if (epoch > memberEpoch) {
    const message = `The share group member has a greater member epoch (${epoch}) than the one known by the group coordinator (${memberEpoch}). The member must abandon all its partitions and rejoin.`
    throw new CoordinatorError(errors.FENCED_MEMBER_EPOCH, message)
  }
  if (epoch === previousMemberEpoch) return
  const message = `The share group member has a smaller member epoch (${epoch}) than the one known by the group coordinator (${memberEpoch}), and it does not match the previous member epoch (${previousMemberEpoch}). The member must abandon all its partitions and rejoin.`
  throw new CoordinatorError(errors.FENCED_MEMBER_EPOCH, message)
}

/** Members say what has changed. */
function withRequest(member: ShareMember, client: ClientContext, request: ShareGroupHeartbeatRequest): ShareMember {
  const topics = request.subscribedTopicNames === null ? undefined : new Set(request.subscribedTopicNames)
  const isSame = topics === undefined || sameSet(topics, member.subscribedTopics)
  return {
    ...member,
    rackId: request.rackId ?? member.rackId,
    subscribedTopics: isSame ? member.subscribedTopics : topics,
    clientId: client.clientId,
    clientHost: client.clientHost,
  }
}
