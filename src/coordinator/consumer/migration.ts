import { errors } from '../../protocol/errors.ts'
import { DecodeError } from '../../protocol/wire.ts'
import { ClassicGroup } from '../classic/classic-group.ts'
import { ClassicMember, EMPTY_ASSIGNMENT } from '../classic/member.ts'
import type { Rebalancer } from '../classic/rebalancer.ts'
import { groupRecord } from '../classic/records.ts'
import { CONSUMER_PROTOCOL_TYPE } from '../classic/subscription.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import { atEpoch } from '../modern/assignment.ts'
import { NOTHING, type Result } from '../runtime/result.ts'
import { unrecorded } from '../runtime/undo-log.ts'
import { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerContext } from './context.ts'
import { readAssignment, readSubscription, readVersion, writeAssignment } from './embedded-protocol.ts'
import { type ConsumerMember, newConsumerMember } from './member.ts'
import { assignmentRecord, epochRecord, memberRecord, targetEpochRecord, targetRecord } from './records.ts'
import { applyConsumerRecord } from './replay.ts'
import type { SessionTimers } from './session-timers.ts'

/** A static member that comes back with the classic protocol, and who it was. */
export interface Replacement {
  readonly replaced: ConsumerMember
  readonly joining: ConsumerMember
}

/**
 * Groups that change their protocol while they have members: to the new one when the first member of it joins, back when the
 * last one leaves. See group.consumer.migration.policy.
 */
export class Migration {
  readonly #context: ConsumerContext
  readonly #rebalancer: Rebalancer
  readonly #timers: SessionTimers

  constructor(context: ConsumerContext, rebalancer: Rebalancer, timers: SessionTimers) {
    this.#context = context
    this.#rebalancer = rebalancer
    this.#timers = timers
  }

  /**
   * The classic group as a consumer group, which it is by the records that are added to `records`. Its members keep what they
   * have; who waits for a rebalance is told to join again. Throws GROUP_ID_NOT_FOUND where this cannot be.
   */
  upgrade(classic: ClassicGroup, records: CoordinatorRecord[]): ConsumerGroup {
    const { migrationPolicy, maxGroupSize } = this.#context.config.consumer
    const refuse = (why: string) =>
      new CoordinatorError(
        errors.GROUP_ID_NOT_FOUND,
        `Cannot upgrade classic group ${classic.id} to consumer group because ${why}.`,
      )
    if (migrationPolicy !== 'upgrade' && migrationPolicy !== 'bidirectional') {
      throw refuse('online upgrade is disabled')
    }
    if (classic.protocolType !== CONSUMER_PROTOCOL_TYPE) {
      throw refuse('the group does not use the consumer embedded protocol')
    }
    if (classic.size > maxGroupSize) throw refuse('the group size exceeds the consumer group maximum size')
    const upgraded = this.#upgradeRecords(classic, refuse)
    classic.answerAll(errors.REBALANCE_IN_PROGRESS)
    records.push(...classic.tombstones(), ...upgraded)
    const group = new ConsumerGroup(classic.id, unrecorded())
    for (const record of upgraded) applyConsumerRecord(group, record)
    for (const { id, sessionTimeoutMs } of classic.members()) {
      this.#rebalancer.stopHeartbeat(classic.id, id)
      this.#timers.awaitHeartbeat(classic.id, id, sessionTimeoutMs)
    }
    this.#context.logger.info(`group ${classic.id} now speaks the consumer protocol`)
    return group
  }

  #upgradeRecords(classic: ClassicGroup, refuse: (why: string) => CoordinatorError): CoordinatorRecord[] {
    const { id: groupId, generationId } = classic
    const { topics } = this.#context
    try {
      const members = Array.from(classic.members(), (member) => this.#upgradeMember(classic, member, refuse))
      const names = new Set(members.flatMap(({ member }) => [...member.subscribedTopics]))
      return [
        ...members.map(({ member }) => memberRecord(groupId, member)),
        epochRecord(groupId, generationId, topics.hashOf(names)),
        ...members.map(({ member, target }) => targetRecord(groupId, member.id, target)),
        targetEpochRecord(groupId, generationId, 0),
        ...members.map(({ member }) => assignmentRecord(groupId, member)),
      ]
    } catch (reason) {
      if (reason instanceof DecodeError) throw refuse('the embedded consumer protocol is malformed')
      throw reason
    }
  }

  #upgradeMember(classic: ClassicGroup, old: ClassicMember, refuse: (why: string) => CoordinatorError) {
    const target = readAssignment(old.assignment, this.#context.topics)
    if (target === undefined) {
      throw refuse(
        'an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor ' +
          'before re-attempting the upgrade',
      )
    }
    const { generationId } = classic
    // A group that has members but no protocol yet is in its first rebalance.
    const metadata = old.metadataFor(classic.protocolName ?? '') ?? old.protocols[0]?.metadata ?? EMPTY_ASSIGNMENT
    const subscription = readSubscription(metadata, this.#context.topics)
    const member: ConsumerMember = {
      ...newConsumerMember(old.id),
      memberEpoch: generationId,
      previousMemberEpoch: generationId,
      instanceId: old.instanceId,
      rackId: subscription.rackId,
      rebalanceTimeoutMs: old.rebalanceTimeoutMs,
      clientId: old.clientId,
      clientHost: old.clientHost,
      subscribedTopics: new Set(subscription.topics),
      assigned: atEpoch(target, generationId),
      classic: { sessionTimeoutMs: old.sessionTimeoutMs, protocols: old.protocols },
    }
    return { member, target }
  }

  /** Whether the group becomes a classic one when these leave: all others are classic, and there are some. */
  canDowngradeWithout(group: ConsumerGroup, leaving: ReadonlySet<ConsumerMember>): boolean {
    const staying = group.size - leaving.size
    return group.isClassicWithout(leaving) && staying > 0 && this.#mayDowngradeTo(staying)
  }

  /** Whether the group becomes a classic one when a classic member comes in the place of this one, the last of its kind. */
  canDowngradeReplacing(group: ConsumerGroup, replaced: ConsumerMember): boolean {
    if (replaced.classic !== null || !group.isClassicWithout(new Set([replaced]))) return false
    return this.#mayDowngradeTo(group.size)
  }

  #mayDowngradeTo(size: number): boolean {
    const { consumer, maxGroupSize } = this.#context.config
    const isAllowed = consumer.migrationPolicy === 'downgrade' || consumer.migrationPolicy === 'bidirectional'
    return isAllowed && size <= maxGroupSize
  }

  /** The members leave, and the others rebalance by the classic protocol. */
  downgradeWithout(group: ConsumerGroup, leaving: ReadonlySet<ConsumerMember>): Result<void> {
    for (const { id } of leaving) this.#timers.stopAll(group.id, id)
    const staying = Array.from(group.members()).filter((member) => !leaving.has(member))
    const classic = this.#classicOf(group, staying, (member) => member.id)
    const records = [...group.tombstones(), groupRecord(classic, classic.assignments())]
    return this.#downgrade(group, classic, records, 'a member of the consumer protocol has left')
  }

  /** `records` say already that one member has replaced the other. */
  downgradeReplacing(
    group: ConsumerGroup,
    { replaced, joining }: Replacement,
    rebalances: boolean,
    records: CoordinatorRecord[],
  ): Result<void> {
    const staying = Array.from(group.members()).filter((member) => member.id !== replaced.id)
    this.#timers.stopAll(group.id, replaced.id)
    const targetId = (member: ConsumerMember) => (member === joining ? replaced.id : member.id)
    const classic = this.#classicOf(group, [...staying, joining], targetId)
    records.push(...group.tombstones([replaced.id, joining.id]), groupRecord(classic, classic.assignments()))
    const why = rebalances ? 'the group came back to the classic protocol with another assignment due' : undefined
    return this.#downgrade(group, classic, records, why)
  }

  #downgrade(
    group: ConsumerGroup,
    classic: ClassicGroup,
    records: readonly CoordinatorRecord[],
    reasonToRebalance: string | undefined,
  ): Result<void> {
    this.#context.groups.put(classic)
    for (const member of classic.members()) {
      this.#timers.stopAll(group.id, member.id)
      this.#rebalancer.awaitHeartbeat(classic, member)
    }
    const result = reasonToRebalance === undefined ? NOTHING : this.#rebalancer.prepare(classic, reasonToRebalance)
    this.#context.logger.info(`group ${group.id} now speaks the classic protocol`)
    return { records: [...records, ...result.records], response: undefined, replay: false }
  }

  /** Throws GROUP_ID_NOT_FOUND where the members' subscriptions cannot be read. */
  #classicOf(
    group: ConsumerGroup,
    members: readonly ConsumerMember[],
    targetIdOf: (member: ConsumerMember) => string,
  ): ClassicGroup {
    const { time, topics } = this.#context
    const snapshot = {
      protocolType: CONSUMER_PROTOCOL_TYPE,
      protocolName: undefined,
      generationId: group.epoch,
      leaderId: members[0]?.id,
      stateTimestampMs: time.nowMs(),
    }
    const classicMembers = members.map((member) => classicMemberOf(member))
    const voting = ClassicGroup.restore(group.id, time, { ...snapshot, members: classicMembers })
    const protocolName = voting.selectProtocol()
    try {
      for (const [i, member] of classicMembers.entries()) {
        const version = readVersion(member.metadataFor(protocolName) ?? EMPTY_ASSIGNMENT)
        member.assignment = writeAssignment(group.target(targetIdOf(members[i]!)), version, topics)
      }
    } catch (reason) {
      if (!(reason instanceof DecodeError)) throw reason
      const message = `Cannot downgrade the classic group ${group.id}: ${reason.message}.`
      throw new CoordinatorError(errors.GROUP_ID_NOT_FOUND, message)
    }
    return ClassicGroup.restore(group.id, time, { ...snapshot, protocolName, members: classicMembers })
  }
}

function classicMemberOf(member: ConsumerMember): ClassicMember {
  const { id, instanceId, clientId, clientHost, rebalanceTimeoutMs, classic } = member
  const identity = { id, instanceId, clientId, clientHost, protocolType: CONSUMER_PROTOCOL_TYPE }
  return new ClassicMember(identity, rebalanceTimeoutMs, classic!.sessionTimeoutMs, classic!.protocols)
}
