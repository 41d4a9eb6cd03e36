import type { CoordinatorRecord } from '../coordinator-record.ts'
import { inHashOrder } from '../hash-order.ts'
import { type Assignment, NO_PARTITIONS, sameSet, type TopicPartitions } from '../modern/assignment.ts'
import { rangeAssignor } from '../modern/assignors/range.ts'
import { uniformAssignor } from '../modern/assignors/uniform.ts'
import { mayAssign, REFRESH_INTERVAL_MS } from '../modern/epoch-group.ts'
import { isReconciledTo, MemberState } from '../modern/member.ts'
import { type AssignableMember, changedTargets, type PartitionAssignor } from '../modern/target-assignment.ts'
import { type ConsumerGroup, isHomogeneous } from './consumer-group.ts'
import type { ConsumerContext } from './context.ts'
import { type ConsumerMember, regexOf, sameMetadata, sameProgress } from './member.ts'
import { reconcile } from './reconcile.ts'
import {
  assignmentRecord,
  epochRecord,
  memberRecord,
  partitionMetadataTombstone,
  targetEpochRecord,
  targetRecord,
} from './records.ts'
import { type Regexes, regexCountsAfter } from './regexes.ts'
import type { SessionTimers } from './session-timers.ts'

const assignors: ReadonlyMap<string, PartitionAssignor> = new Map(
  [uniformAssignor, rangeAssignor].map((assignor) => [assignor.name, assignor]),
)

/** A member that has said something, and what comes of it. */
export interface Update {
  readonly group: ConsumerGroup
  /** As it was: new, of the group, or the static member in whose place it comes. */
  readonly old: ConsumerMember
  /** As it says it is now. */
  readonly current: ConsumerMember
  readonly records: CoordinatorRecord[]
}

/** What a member is to have, as of which epoch. */
export interface Target {
  readonly epoch: number
  readonly assignment: Assignment
}

/** The steps from what a member says to what it gets: its metadata, the group's epoch, the target, its part of that. */
export class MemberUpdate {
  readonly #context: ConsumerContext
  readonly #regexes: Regexes
  readonly #timers: SessionTimers

  constructor(context: ConsumerContext, regexes: Regexes, timers: SessionTimers) {
    this.#context = context
    this.#regexes = regexes
    this.#timers = timers
  }

  /**
   * Writes down what has changed about the member, and bumps the group's epoch where members or topics have changed.
   * `bumpsForAnyRegex`: also for a regular expression of which the topics are not known yet. Throws CoordinatorError.
   */
  subscribe(update: Update, bumpsForAnyRegex: boolean): { epoch: number; hasChanged: boolean; isBumped: boolean } {
    const { group, old, current, records } = update
    if (!sameMetadata(old, current)) records.push(memberRecord(group.id, current))
    const hasNamesChanged = !sameSet(old.subscribedTopics, current.subscribedTopics)
    const regex = this.#regexes.update(group, old, current, records)
    const hasChanged = hasNamesChanged || regex !== 'none'
    const isBumped = bumpsForAnyRegex ? hasChanged : hasNamesChanged || regex === 'resolved'
    if (!isBumped && !group.needsRefresh(this.#context.time.nowMs()))
      return { epoch: group.epoch, hasChanged, isBumped }
    return { epoch: this.#refresh(update, isBumped), hasChanged, isBumped }
  }

  /** Looks at the topics; answers the group's epoch, which is a new one where they have changed. */
  #refresh({ group, old, current, records }: Update, isBumped: boolean): number {
    const { topics, time, logger } = this.#context
    const hash = topics.hashOf(group.subscriptionsAfter(old, current).keys())
    let { epoch } = group
    if (isBumped || hash !== group.metadataHash) {
      epoch++
      logger.debug(`group ${group.id}: epoch ${epoch}`)
      records.push(epochRecord(group.id, epoch, hash))
    }
    group.setRefreshed(time.nowMs() + REFRESH_INTERVAL_MS, epoch)
    if (group.hasPartitionMetadata) records.push(partitionMetadataTombstone(group.id))
    return epoch
  }

  /** The target of the member: a new one where the group has gone on and it is time. */
  assign(update: Update, epoch: number): Target {
    const { group, current } = update
    const { config, time } = this.#context
    const nowMs = time.nowMs()
    const isUpToDate = group.assignmentEpoch >= epoch
    if (isUpToDate || !mayAssign(group, config.consumer.paceOf(group.id).assignmentIntervalMs, nowMs)) {
      return { epoch: group.assignmentEpoch, assignment: lastTarget(group, current) }
    }
    return { epoch, assignment: this.#assignAll(update, epoch) }
  }

  #assignAll(update: Update, epoch: number): Assignment {
    const { group, old, current, records } = update
    const { config, topics, time } = this.#context
    const name = group.preferredAssignor(config.consumer.assignors[0]!, current)
    const members = this.#assignableMembers(group, current)
    const isEven = isHomogeneous(
      regexCountsAfter(group, regexOf(old), regexOf(current)),
      group.subscriptionsAfter(old, current),
      members.size,
    )
    const assigned = assignors.get(name)!.assign({
      members,
      isHomogeneous: isEven,
      partitionCount: (topicId) => topics.partitionCount(topicId),
    })
    for (const [memberId, assignment] of changedTargets(members.keys(), group, assigned)) {
      records.push(targetRecord(group.id, memberId, assignment))
    }
    records.push(targetEpochRecord(group.id, epoch, time.nowMs()))
    return assigned.get(current.id) ?? NO_PARTITIONS
  }

  /** The members as they will be: `current` in, and a static member that it replaces out. */
  #assignableMembers(group: ConsumerGroup, current: ConsumerMember): Map<string, AssignableMember> {
    const replacedId = group.staticMember(current.instanceId)?.id
    const members = new Map<string, AssignableMember>()
    const add = (member: ConsumerMember, assignment: Assignment) => {
      const topicIds = this.#context.topics.idsOf(group.topicsOf(member))
      members.set(member.id, { instanceId: member.instanceId, rackId: member.rackId, topicIds, assignment })
    }
    for (const member of group.members()) {
      if (member.id === current.id) add(current, lastTarget(group, current))
      else if (member.id !== replacedId) add(member, group.target(member.id))
    }
    if (!group.has(current.id)) add(current, lastTarget(group, current))
    return new Map(inHashOrder(members.keys()).map((memberId) => [memberId, members.get(memberId)!]))
  }

  /** The member as far as it can come towards its target now. Throws FENCED_MEMBER_EPOCH. */
  reconcile(
    { group, current, records }: Update,
    target: Target,
    hasSubscriptionChanged: boolean,
    owned: readonly TopicPartitions[] | null,
  ): ConsumerMember {
    if (!hasSubscriptionChanged && isReconciledTo(current, target.epoch)) return current
    const next = reconcile(current, {
      targetEpoch: target.epoch,
      target: target.assignment,
      subscribedTopicIds: this.#context.topics.idsOf(group.topicsOf(current)),
      hasSubscriptionChanged,
      owned,
      isTaken: (topicId, partition) => group.partitionEpoch(topicId, partition) !== undefined,
    })
    if (sameProgress(next, current)) return next
    records.push(assignmentRecord(group.id, next))
    // Members of the classic protocol have other timers, for joining and for the assignment.
    if (next.classic === null) {
      if (next.state === MemberState.unrevoked) this.#timers.awaitRevocation(group.id, next)
      else this.#timers.stopAwaitingRevocation(group.id, next.id)
    }
    return next
  }
}

/** What the member was to have up to now, or the static member that it replaces. */
export function lastTarget(group: ConsumerGroup, member: ConsumerMember): Assignment {
  if (member.instanceId === null) return group.target(member.id)
  const replaced = group.staticMember(member.instanceId)
  return replaced === undefined ? NO_PARTITIONS : group.target(replaced.id)
}
