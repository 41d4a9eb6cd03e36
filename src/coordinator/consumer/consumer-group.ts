import { errors } from '../../protocol/errors.ts'
import { CONSUMER_PROTOCOL_TYPE } from '../classic/subscription.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { CommitCheck, CommitIdentity } from '../group.ts'
import type { EpochAssignment } from '../modern/assignment.ts'
import { MemberState } from '../modern/member.ts'
import { ModernGroup, type SubscriptionCount, type TopicChange } from '../modern/modern-group.ts'
import { type UndoLog, UndoMap, UndoValue } from '../runtime/undo-log.ts'
import { type ConsumerMember, epochOfPartition, regexOf } from './member.ts'
import { groupTombstones, type ResolvedRegex } from './records.ts'

/** Members of the new protocol must say their epoch, and earlier versions have no place for it. */
const FIRST_COMMIT_VERSION = 9
const REGEX_GONE: SubscriptionCount = { byName: 0, byRegex: -1 }
const REGEX_NEW: SubscriptionCount = { byName: 0, byRegex: 1 }

/** A group of the consumer protocol (KIP-848); some of its members may still speak the classic one. */
export class ConsumerGroup extends ModernGroup<ConsumerMember> {
  readonly type = 'consumer'
  readonly protocolType = CONSUMER_PROTOCOL_TYPE
  /** Member ids by group.instance.id. */
  readonly #staticMembers: UndoMap<string, string>
  /** Who has a partition, or may still have it: the member epoch, by topic id and partition. */
  readonly #partitionEpochs: UndoMap<string, UndoMap<number, number>>
  /** How many members are subscribed to each regular expression. */
  readonly #regexCounts: UndoMap<string, number>
  readonly #resolvedRegexes: UndoMap<string, ResolvedRegex>
  readonly #classicCount: UndoValue<number>
  readonly #hasPartitionMetadata: UndoValue<boolean>

  constructor(id: string, undo: UndoLog) {
    super(id, undo)
    this.#staticMembers = new UndoMap(undo)
    this.#partitionEpochs = new UndoMap(undo)
    this.#regexCounts = new UndoMap(undo)
    this.#resolvedRegexes = new UndoMap(undo)
    this.#classicCount = new UndoValue(undo, 0)
    this.#hasPartitionMetadata = new UndoValue(undo, false)
  }

  /** How many members speak the classic protocol. */
  get classicCount(): number {
    return this.#classicCount.get()
  }

  /** Releases before 4.1 kept the topics themselves, in a record that is to be deleted. */
  get hasPartitionMetadata(): boolean {
    return this.#hasPartitionMetadata.get()
  }

  setHasPartitionMetadata(has: boolean): void {
    this.#hasPartitionMetadata.set(has)
  }

  /** Throws UNKNOWN_MEMBER_ID. */
  requireMember(memberId: string): ConsumerMember {
    const member = this.member(memberId)
    if (member !== undefined) return member
    const message = `Member ${memberId} is not a member of group ${this.id}.`
    throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID, message)
  }

  staticMember(instanceId: string | null): ConsumerMember | undefined {
    const memberId = instanceId === null ? undefined : this.#staticMembers.get(instanceId)
    return memberId === undefined ? undefined : this.member(memberId)
  }

  /** The member epoch at which somebody has the partition; undefined where it is free. */
  partitionEpoch(topicId: string, partition: number): number | undefined {
    return this.#partitionEpochs.get(topicId)?.get(partition)
  }

  protected override memberChanged(old: ConsumerMember | undefined, current: ConsumerMember | undefined): void {
    super.memberChanged(old, current)
    if (old !== undefined) this.#releasePartitions(old)
    if (current !== undefined) this.#takePartitions(current)
    const [oldRegex, regex] = [regexOf(old), regexOf(current)]
    if (oldRegex !== regex) {
      if (oldRegex !== undefined) addTo(this.#regexCounts, oldRegex, -1)
      if (regex !== undefined) addTo(this.#regexCounts, regex, 1)
    }
    if (current?.instanceId != null) this.#staticMembers.set(current.instanceId, current.id)
    else if (old?.instanceId != null && current === undefined) this.#forgetStatic(old.instanceId, old.id)
    const wasClassic = old?.classic != null ? 1 : 0
    const isClassic = current?.classic != null ? 1 : 0
    this.#classicCount.set(this.#classicCount.get() + isClassic - wasClassic)
  }

  /** Unless another member has taken the instance id over. */
  #forgetStatic(instanceId: string, memberId: string): void {
    if (this.#staticMembers.get(instanceId) === memberId) this.#staticMembers.delete(instanceId)
  }

  #releasePartitions({ assigned, pendingRevocation, memberEpoch }: ConsumerMember): void {
    for (const [topicId, partition] of partitionsOf(assigned, pendingRevocation)) {
      const epochs = this.#partitionEpochs.get(topicId)
      // Where somebody else has got it at another epoch, it stays theirs.
      if (epochs === undefined || epochs.get(partition) !== memberEpoch) continue
      epochs.delete(partition)
      if (epochs.size === 0) this.#partitionEpochs.delete(topicId)
    }
  }

  #takePartitions({ id, assigned, pendingRevocation, memberEpoch }: ConsumerMember): void {
    for (const [topicId, partition] of partitionsOf(assigned, pendingRevocation)) {
      let epochs = this.#partitionEpochs.get(topicId)
      if (epochs === undefined) {
        epochs = new UndoMap(this.undo)
        this.#partitionEpochs.set(topicId, epochs)
      }
      const epoch = epochs.get(partition)
      if (epoch !== undefined && epoch >= memberEpoch) {
        throw new Error(`${this.id}: member ${id} gets ${topicId}-${partition}, which is owned at epoch ${epoch}`)
      }
      epochs.set(partition, memberEpoch)
    }
  }

  /** How many members are subscribed to the regular expression. */
  regexCount(regex: string): number {
    return this.#regexCounts.get(regex) ?? 0
  }

  regexes(): MapIterator<[string, number]> {
    return this.#regexCounts.entries()
  }

  get hasRegexes(): boolean {
    return this.#regexCounts.size > 0
  }

  resolvedRegex(regex: string): ResolvedRegex | undefined {
    return this.#resolvedRegexes.get(regex)
  }

  get resolvedRegexCount(): number {
    return this.#resolvedRegexes.size
  }

  /** All are looked at together: any tells when; undefined where none ever was. */
  get lastResolved(): ResolvedRegex | undefined {
    return this.#resolvedRegexes.values().next().value
  }

  setResolvedRegex(regex: string, resolved: ResolvedRegex | undefined): void {
    const old = this.#resolvedRegexes.delete(regex)
    if (old !== undefined) this.countTopics(old.topics, REGEX_GONE)
    if (resolved === undefined) return
    this.#resolvedRegexes.set(regex, resolved)
    this.countTopics(resolved.topics, REGEX_NEW)
  }

  /** What a member is subscribed to, by name and by regular expression as far as that is resolved. */
  topicsOf(member: ConsumerMember): ReadonlySet<string> {
    const regex = regexOf(member)
    const resolved = regex === undefined ? undefined : this.#resolvedRegexes.get(regex)
    if (resolved === undefined || resolved.topics.size === 0) return member.subscribedTopics
    if (member.subscribedTopics.size === 0) return resolved.topics
    return new Set([...member.subscribedTopics, ...resolved.topics])
  }

  /** The subscriptions as they would be with `current` in the place of `old`. */
  subscriptionsAfter(old: ConsumerMember | undefined, current: ConsumerMember): Map<string, SubscriptionCount> {
    const changes: TopicChange[] = [{ topics: current.subscribedTopics, change: { byName: 1, byRegex: 0 } }]
    if (old !== undefined) changes.push({ topics: old.subscribedTopics, change: { byName: -1, byRegex: 0 } })
    const oldRegex = regexOf(old)
    if (oldRegex !== undefined && oldRegex !== regexOf(current) && this.regexCount(oldRegex) === 1) {
      changes.push({ topics: this.resolvedRegex(oldRegex)?.topics ?? [], change: REGEX_GONE })
    }
    return this.subscriptionsWith(changes)
  }

  /** The subscriptions as they would be without `members` and `regexes`. */
  subscriptionsWithout(members: Iterable<ConsumerMember>, regexes: Iterable<string>): Map<string, SubscriptionCount> {
    const changes: TopicChange[] = []
    for (const { subscribedTopics } of members) {
      changes.push({ topics: subscribedTopics, change: { byName: -1, byRegex: 0 } })
    }
    for (const regex of regexes) changes.push({ topics: this.resolvedRegex(regex)?.topics ?? [], change: REGEX_GONE })
    return this.subscriptionsWith(changes)
  }

  /** What most members prefer, `fallback` where none says. `current`: a member as it will be, or the one in its place. */
  preferredAssignor(fallback: string, current?: ConsumerMember): string {
    const replacedId = this.staticMember(current?.instanceId ?? null)?.id
    const votes = new Map<string, number>()
    const vote = (name: string | null) => {
      if (name !== null) votes.set(name, (votes.get(name) ?? 0) + 1)
    }
    for (const member of this.members()) {
      if (member.id !== current?.id && member.id !== replacedId) vote(member.serverAssignor)
    }
    if (current !== undefined) vote(current.serverAssignor)
    let preferred = fallback
    let most = 0
    // Of as many votes, the one that Apache Kafka's tables list first: the later name.
    for (const [name, count] of [...votes].sort(([a], [b]) => (a < b ? 1 : -1))) {
      if (count > most) [preferred, most] = [name, count]
    }
    // What `current` alone prefers goes in at the head of its place in the table.
    const own = current?.serverAssignor ?? null
    return own !== null && most === 1 ? own : preferred
  }

  /** Whether a classic member with these protocols fits to those that are there. */
  supportsClassic(protocolType: string, names: readonly string[]): boolean {
    if (protocolType !== CONSUMER_PROTOCOL_TYPE) return false
    if (this.isEmpty) return names.length > 0
    return names.some((name) => {
      let count = 0
      for (const { classic } of this.members()) if (classic?.protocols.some((own) => own.name === name)) count++
      return count === this.classicCount
    })
  }

  /** Whether all members but these speak the classic protocol. */
  isClassicWithout(members: ReadonlySet<ConsumerMember>): boolean {
    let classicCount = this.classicCount
    for (const { classic } of members) if (classic !== null) classicCount--
    return classicCount === this.size - members.size
  }

  /** Whether a member waits for partitions that others still have. */
  isWaiting(member: ConsumerMember): boolean {
    if (member.state !== MemberState.unreleased) return false
    for (const [topicId, partitions] of this.target(member.id)) {
      for (const partition of partitions) {
        if (member.assigned.get(topicId)?.has(partition)) continue
        if (this.partitionEpoch(topicId, partition) !== undefined) return true
      }
    }
    return false
  }

  validateOffsetCommit(identity: CommitIdentity): CommitCheck | undefined {
    const { memberId, groupInstanceId, generationId, isTransactional, apiVersion = 0 } = identity
    // A consumer that assigns partitions by itself, or an administrator, commits for a group without members.
    if (generationId < 0 && this.isEmpty) return undefined
    if (isTransactional && generationId === -1 && memberId === '' && groupInstanceId === null) return undefined
    const member = this.requireMember(memberId)
    if (!isTransactional && member.classic === null && apiVersion < FIRST_COMMIT_VERSION) {
      throw new CoordinatorError(errors.UNSUPPORTED_VERSION)
    }
    if (generationId === member.memberEpoch) return undefined
    if (generationId > member.memberEpoch) throw staleEpoch(member)
    // An epoch that has passed is good enough for partitions that the member had then already (KIP-1251).
    return (topicId, partition) => {
      const epoch = epochOfPartition(member, topicId, partition)
      if (epoch === undefined || generationId < epoch) throw staleEpoch(member)
    }
  }

  validateOffsetFetch(memberId: string | null, memberEpoch: number): void {
    // An administrator.
    if (memberId === null && memberEpoch < 0) return
    const member = this.requireMember(memberId ?? '')
    if (member.memberEpoch !== memberEpoch) throw staleEpoch(member)
  }

  validateOffsetDelete(): void {}

  validateDelete(): void {
    if (!this.isEmpty) throw new CoordinatorError(errors.NON_EMPTY_GROUP)
  }

  /** `renamed`: a member whose place another id has taken since, as [old id, new id]. */
  tombstones(renamed?: readonly [string, string]): CoordinatorRecord[] {
    const memberIds = Array.from(this.members(), ({ id }) => (id === renamed?.[0] ? renamed[1] : id))
    return groupTombstones(this.id, memberIds, this.#resolvedRegexes.keys())
  }
}

function staleEpoch(member: ConsumerMember): CoordinatorError {
  return new CoordinatorError(member.classic === null ? errors.STALE_MEMBER_EPOCH : errors.ILLEGAL_GENERATION)
}

function* partitionsOf(...assignments: EpochAssignment[]): Generator<[topicId: string, partition: number]> {
  for (const assignment of assignments) {
    for (const [topicId, partitions] of assignment) {
      for (const partition of partitions.keys()) yield [topicId, partition]
    }
  }
}

function addTo(counts: UndoMap<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change
  if (count <= 0) counts.delete(key)
  else counts.set(key, count)
}

/**
 * Whether all members are subscribed to the same topics: all by name, or all by one regular expression.
 * `regexes`: how many members each has.
 */
export function isHomogeneous(
  regexes: ReadonlyMap<string, number>,
  topics: ReadonlyMap<string, SubscriptionCount>,
  memberCount: number,
): boolean {
  const counts = [...topics.values()]
  const [first] = regexes.values()
  if (first === undefined) return counts.every(({ byName }) => byName === memberCount)
  return first === memberCount && counts.every(({ byName, byRegex }) => byRegex === 1 && byName === 0)
}
