import type { Time } from '../../platform/time.ts'
import { errors, type KafkaError } from '../../protocol/errors.ts'
import type { JoinGroupResponseInput } from '../../protocol/messages/join-group.ts'
import type { SyncGroupResponseInput } from '../../protocol/messages/sync-group.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import { type CoordinatorRecord, tombstone } from '../coordinator-record.ts'
import type { CommitCheck, CommitIdentity, Group } from '../group.ts'
import { groupMetadata } from '../group-records.ts'
import { inHashOrder } from '../hash-order.ts'
import { ClassicMember, EMPTY_ASSIGNMENT, type JoinWaiter, type MemberProtocol } from './member.ts'
import { CONSUMER_PROTOCOL_TYPE, subscribedTopicsOf } from './subscription.ts'

/**
 * ```
 * state                from                                          when
 * Empty                PreparingRebalance                            the last member has gone
 * PreparingRebalance   Empty, Stable, CompletingRebalance            a member joins, leaves or has new protocols
 * CompletingRebalance  PreparingRebalance                            all have joined, or their time is up
 * Stable               CompletingRebalance                           the leader's assignment is in the log
 * ```
 * Apache Kafka's Dead is a group that is not there any more: deleted, or coordinated elsewhere.
 */
export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

const previousStates: { readonly [S in ClassicState]: readonly ClassicState[] } = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Empty', 'Stable', 'CompletingRebalance'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
}

/** A group as the log has it. */
export interface ClassicGroupSnapshot {
  readonly protocolType: string | undefined
  readonly protocolName: string | undefined
  readonly generationId: number
  readonly leaderId: string | undefined
  readonly stateTimestampMs: number | undefined
  readonly members: readonly ClassicMember[]
}

/**
 * A group of the classic rebalance protocol. Its members change in memory; the outcome of a rebalance is one record,
 * written when the leader has sent the assignment. What is in between is lost with the coordinator, and the members,
 * which then hear NOT_COORDINATOR, join again.
 */
export class ClassicGroup implements Group {
  readonly type = 'classic'
  readonly id: string
  readonly #time: Time
  #state: ClassicState = 'Empty'
  previousState: ClassicState | undefined
  #stateTimestampMs: number | undefined
  #protocolType: string | undefined
  protocolName: string | undefined
  generationId = 0
  leaderId: string | undefined
  readonly #members = new Map<string, ClassicMember>()
  /** Member ids by group.instance.id. */
  readonly #staticMembers = new Map<string, string>()
  /** Ids handed out with MEMBER_ID_REQUIRED whose owners have not come back yet. */
  readonly #pendingJoins = new Set<string>()
  /** Members whose SyncGroup of this generation has not come yet. */
  readonly pendingSyncs = new Set<string>()
  /** How many members support each protocol. */
  readonly #protocolCounts = new Map<string, number>()
  #awaitingJoinCount = 0
  /** undefined where the subscriptions cannot be read. */
  #subscribedTopics: ReadonlySet<string> | undefined
  /** Somebody new came while the first rebalance waits for more: it waits longer. */
  newMemberAdded = false

  constructor(id: string, time: Time) {
    this.id = id
    this.#time = time
    this.#stateTimestampMs = time.nowMs()
  }

  /** The group that a record describes. */
  static restore(id: string, time: Time, snapshot: ClassicGroupSnapshot): ClassicGroup {
    const group = new ClassicGroup(id, time)
    group.#state = snapshot.members.length === 0 ? 'Empty' : 'Stable'
    group.#stateTimestampMs = snapshot.stateTimestampMs
    group.#protocolType = snapshot.protocolType
    group.protocolName = snapshot.protocolName
    group.generationId = snapshot.generationId
    group.leaderId = snapshot.leaderId
    for (const member of snapshot.members) group.#insert(member)
    group.#subscribedTopics = group.#computeSubscribedTopics()
    return group
  }

  get state(): ClassicState {
    return this.#state
  }

  get stateName(): string {
    return this.#state
  }

  get protocolType(): string {
    return this.#protocolType ?? ''
  }

  get protocolTypeOrNull(): string | null {
    return this.#protocolType ?? null
  }

  get protocolNameOrNull(): string | null {
    return this.protocolName ?? null
  }

  get stateTimestampMs(): number | undefined {
    return this.#stateTimestampMs
  }

  get isEmpty(): boolean {
    return this.#state === 'Empty'
  }

  get size(): number {
    return this.#members.size
  }

  get awaitingJoinCount(): number {
    return this.#awaitingJoinCount
  }

  get canRebalance(): boolean {
    return previousStates.PreparingRebalance.includes(this.#state)
  }

  get hasAllJoined(): boolean {
    return this.#members.size === this.#awaitingJoinCount && this.#pendingJoins.size === 0
  }

  /** How long a rebalance waits: as long as its most patient member asks for. */
  get rebalanceTimeoutMs(): number {
    let longestMs = 0
    for (const member of this.#members.values()) longestMs = Math.max(longestMs, member.rebalanceTimeoutMs)
    return longestMs
  }

  is(state: ClassicState): boolean {
    return this.#state === state
  }

  moveTo(state: ClassicState): void {
    if (!previousStates[state].includes(this.#state)) {
      throw new Error(`group ${this.id} cannot go from ${this.#state} to ${state}`)
    }
    this.previousState = this.#state
    this.#state = state
    this.#stateTimestampMs = this.#time.nowMs()
  }

  has(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  member(memberId: string): ClassicMember | undefined {
    return this.#members.get(memberId)
  }

  members(): MapIterator<ClassicMember> {
    return this.#members.values()
  }

  staticMemberId(instanceId: string): string | undefined {
    return this.#staticMembers.get(instanceId)
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId
  }

  isPending(memberId: string): boolean {
    return this.#pendingJoins.has(memberId)
  }

  addPending(memberId: string): void {
    this.#pendingJoins.add(memberId)
  }

  /** Takes a member in; the first becomes leader, and decides the protocol type. */
  add(member: ClassicMember, joinWaiter: JoinWaiter): void {
    if (this.#members.size === 0) this.#protocolType = member.protocolType
    this.leaderId ??= member.id
    this.#insert(member)
    this.setJoinWaiter(member, joinWaiter)
    this.#pendingJoins.delete(member.id)
  }

  #insert(member: ClassicMember): void {
    if (member.instanceId !== null) this.#staticMembers.set(member.instanceId, member.id)
    this.#members.set(member.id, member)
    this.#countProtocols(member, 1)
  }

  /** Forgets a member or pending member; nobody is answered. Another one leads if it did. */
  remove(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member !== undefined) {
      this.#members.delete(memberId)
      this.#countProtocols(member, -1)
      this.setJoinWaiter(member, undefined)
      if (member.instanceId !== null) this.#staticMembers.delete(member.instanceId)
    }
    if (this.isLeader(memberId)) this.leaderId = this.#members.keys().next().value
    this.#pendingJoins.delete(memberId)
    this.pendingSyncs.delete(memberId)
  }

  /** Makes a member lead that has joined, if the leader has not. False where none has joined. */
  electJoinedLeader(): boolean {
    if (this.leaderId === undefined) return false
    if (this.#members.get(this.leaderId)?.joinWaiter !== undefined) return true
    for (const member of this.#members.values()) {
      if (member.joinWaiter === undefined) continue
      this.leaderId = member.id
      return true
    }
    return false
  }

  /** A static member came back under a new id (KIP-345): the old id is fenced, and what it had is the new one's. */
  replaceStaticMember(instanceId: string, oldId: string, newId: string): ClassicMember {
    const old = this.#members.get(oldId)
    if (old === undefined) throw new Error(`group ${this.id} has no member ${oldId} to replace`)
    this.#members.delete(oldId)
    this.answerJoin(old, {
      memberId: oldId,
      protocolName: null,
      protocolType: null,
      errorCode: errors.FENCED_INSTANCE_ID.code,
    })
    this.answerSync(old, { errorCode: errors.FENCED_INSTANCE_ID.code })
    const identity = { ...old, id: newId }
    const member = new ClassicMember(
      identity,
      old.rebalanceTimeoutMs,
      old.sessionTimeoutMs,
      old.protocols,
      old.assignment,
    )
    this.#members.set(newId, member)
    if (this.isLeader(oldId)) this.leaderId = newId
    this.#staticMembers.set(instanceId, newId)
    return member
  }

  /** What a JoinGroup of a known member changes. */
  update(
    member: ClassicMember,
    protocols: readonly MemberProtocol[],
    rebalanceTimeoutMs: number,
    sessionTimeoutMs: number,
    joinWaiter: JoinWaiter | undefined,
  ): void {
    this.#countProtocols(member, -1)
    member.protocols = protocols
    this.#countProtocols(member, 1)
    member.rebalanceTimeoutMs = rebalanceTimeoutMs
    member.sessionTimeoutMs = sessionTimeoutMs
    this.setJoinWaiter(member, joinWaiter)
  }

  setJoinWaiter(member: ClassicMember, waiter: JoinWaiter | undefined): void {
    if (member.joinWaiter !== undefined) this.#awaitingJoinCount--
    if (waiter !== undefined) this.#awaitingJoinCount++
    member.joinWaiter = waiter
  }

  answerJoin(member: ClassicMember, response: JoinGroupResponseInput): void {
    const waiter = member.joinWaiter
    if (waiter === undefined) return
    this.setJoinWaiter(member, undefined)
    waiter(response)
  }

  /** True if the member was waiting. */
  answerSync(member: ClassicMember, response: SyncGroupResponseInput): boolean {
    const waiter = member.syncWaiter
    if (waiter === undefined) return false
    member.syncWaiter = undefined
    waiter(response)
    return true
  }

  /** Everybody who waits is told `error`. */
  answerAll(error: KafkaError): void {
    for (const member of this.#members.values()) {
      this.answerJoin(member, { memberId: member.id, errorCode: error.code })
      this.answerSync(member, { errorCode: error.code })
    }
  }

  /** Throws unless `memberId` is a member, under `instanceId` if it claims one. */
  validateMember(memberId: string, instanceId: string | null): void {
    if (instanceId !== null) {
      const currentId = this.#staticMembers.get(instanceId)
      if (currentId === undefined) throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID)
      if (currentId !== memberId) throw new CoordinatorError(errors.FENCED_INSTANCE_ID)
    }
    if (!this.#members.has(memberId)) throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID)
  }

  /** Whether a member with these protocols fits to those that are there: one protocol must be common to all. */
  supports(protocolType: string, protocols: readonly { readonly name: string }[]): boolean {
    if (this.isEmpty) return protocolType !== '' && protocols.length > 0
    if (this.#protocolType !== protocolType) return false
    return protocols.some(({ name }) => (this.#protocolCounts.get(name) ?? 0) === this.#members.size)
  }

  /** The common protocol with the most votes. The group has members. */
  selectProtocol(): string {
    const candidates = new Set<string>()
    for (const [name, count] of this.#protocolCounts) if (count === this.#members.size) candidates.add(name)
    const votes = new Map<string, number>()
    let winner: string | undefined
    for (const member of this.#members.values()) {
      const vote = member.voteFor(candidates)
      if (vote === undefined) throw new Error(`group ${this.id}: no protocol is common to all members`)
      votes.set(vote, (votes.get(vote) ?? 0) + 1)
    }
    for (const name of inHashOrder(votes.keys())) {
      if (winner === undefined || votes.get(name)! > votes.get(winner)!) winner = name
    }
    if (winner === undefined) throw new Error(`group ${this.id} has no members to vote`)
    return winner
  }

  #countProtocols(member: ClassicMember, change: number): void {
    // A name that a member lists twice counts once, else the member would outvote itself.
    for (const name of new Set(member.protocols.map((protocol) => protocol.name))) {
      const count = (this.#protocolCounts.get(name) ?? 0) + change
      if (count === 0) this.#protocolCounts.delete(name)
      else this.#protocolCounts.set(name, count)
    }
  }

  /** All have joined who will: the next generation begins, without members if none has. */
  beginGeneration(): void {
    this.generationId++
    this.protocolName = this.#members.size > 0 ? this.selectProtocol() : undefined
    this.#subscribedTopics = this.#computeSubscribedTopics()
    this.moveTo(this.#members.size > 0 ? 'CompletingRebalance' : 'Empty')
    this.pendingSyncs.clear()
  }

  /** The assignments that a record for the group as it is now has. */
  assignments(): Map<string, Buffer> {
    return new Map([...this.#members.values()].map((member) => [member.id, member.assignment]))
  }

  clearAssignments(): void {
    for (const member of this.#members.values()) member.assignment = EMPTY_ASSIGNMENT
  }

  #computeSubscribedTopics(): ReadonlySet<string> | undefined {
    if (this.#protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined
    const topics = new Set<string>()
    if (this.#members.size === 0) return topics
    if (this.protocolName === undefined) return undefined
    for (const member of this.#members.values()) {
      const own = subscribedTopicsOf(member.metadataFor(this.protocolName) ?? EMPTY_ASSIGNMENT)
      if (own === undefined) return undefined
      for (const topic of own) topics.add(topic)
    }
    return topics
  }

  isSubscribedTo(topic: string): boolean {
    // Consumers whose subscriptions cannot be read may be subscribed to anything.
    return this.#subscribedTopics?.has(topic) ?? this.#protocolType === CONSUMER_PROTOCOL_TYPE
  }

  validateOffsetCommit(identity: CommitIdentity): CommitCheck | undefined {
    const { memberId, groupInstanceId, generationId, isTransactional } = identity
    // A consumer that assigns partitions by itself, or an administrator, commits for a group without members.
    if (generationId < 0 && this.isEmpty) return undefined
    if (generationId >= 0 || memberId !== '' || groupInstanceId !== null) {
      this.validateMember(memberId, groupInstanceId)
      if (generationId !== this.generationId) throw new CoordinatorError(errors.ILLEGAL_GENERATION)
    } else if (!isTransactional && !this.isEmpty) {
      throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID)
    }
    if (!isTransactional && this.is('CompletingRebalance')) throw new CoordinatorError(errors.REBALANCE_IN_PROGRESS)
    return undefined
  }

  validateOffsetFetch(): void {}

  validateOffsetDelete(): void {
    if (!this.isEmpty && this.#protocolType !== CONSUMER_PROTOCOL_TYPE) {
      throw new CoordinatorError(errors.NON_EMPTY_GROUP)
    }
  }

  validateDelete(): void {
    if (!this.isEmpty) throw new CoordinatorError(errors.NON_EMPTY_GROUP)
  }

  retentionStartMs(commitTimestampMs: number): number | undefined {
    if (this.#protocolType === undefined) return commitTimestampMs
    if (this.isEmpty) return this.#stateTimestampMs ?? commitTimestampMs
    return this.#subscribedTopics !== undefined && this.is('Stable') ? commitTimestampMs : undefined
  }

  tombstones(): CoordinatorRecord[] {
    return [tombstone(groupMetadata, { group: this.id })]
  }
}
