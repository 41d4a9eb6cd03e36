import { errors } from '../../protocol/errors.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { CoordinatorRecord } from '../coordinator-record.ts'
import type { CommitCheck, CommitIdentity } from '../group.ts'
import { EpochGroup } from '../modern/epoch-group.ts'
import { type UndoLog, UndoValue } from '../runtime/undo-log.ts'
import type { TaskAssignment } from './assignor/types.ts'
import { epochOfTask, type StreamsMember } from './member.ts'
import { type AssignmentConfigs, type GroupEpoch, groupTombstones } from './records.ts'
import { TaskOwners } from './task-owners.ts'
import { NO_TARGET } from './tasks.ts'
import { readersOf, requiredTopics } from './topology/streams-topology.ts'
import type { ConfiguredTopology, StreamsTopology } from './topology/types.ts'

/** Members of the new protocols must say their epoch, and earlier versions have no place for it. */
const FIRST_COMMIT_VERSION = 9
const NO_CONFIGS: AssignmentConfigs = new Map()

/** A topology, and what follows from it alone. */
interface GroupTopology {
  readonly value: StreamsTopology
  /** The topics it is about, whether they exist or not. */
  readonly topics: ReadonlySet<string>
  /** By source topic, the id of the subtopology that reads it. */
  readonly readers: ReadonlyMap<string, string>
}

/** A group of the threads of a Streams application (KIP-1071). */
export class StreamsGroup extends EpochGroup<StreamsMember, TaskAssignment> {
  readonly type = 'streams'
  readonly protocolType = 'streams'
  readonly owners: TaskOwners
  readonly #topology: UndoValue<GroupTopology | undefined>
  readonly #configured: UndoValue<ConfiguredTopology | undefined>
  readonly #validatedTopologyEpoch: UndoValue<number>
  readonly #assignmentConfigs: UndoValue<AssignmentConfigs>
  #shutdownRequestedBy: string | undefined
  #endpointEpoch = 0

  constructor(id: string, undo: UndoLog) {
    super(id, undo, NO_TARGET)
    this.owners = new TaskOwners(undo)
    this.#topology = new UndoValue<GroupTopology | undefined>(undo, undefined)
    this.#configured = new UndoValue<ConfiguredTopology | undefined>(undo, undefined)
    this.#validatedTopologyEpoch = new UndoValue(undo, 0)
    this.#assignmentConfigs = new UndoValue(undo, NO_CONFIGS)
  }

  override get stateName(): string {
    if (this.isEmpty) return 'Empty'
    return this.topology?.epoch === this.validatedTopologyEpoch ? super.stateName : 'NotReady'
  }

  /** What the first member came with; undefined where the records do not say. */
  get topology(): StreamsTopology | undefined {
    return this.#topology.get()?.value
  }

  setTopology(value: StreamsTopology | undefined): void {
    const topology = value && { value, topics: requiredTopics(value), readers: readersOf(value) }
    this.#topology.set(topology)
  }

  /** The topology with the topics that there are; undefined after a load until somebody needs it. */
  get configured(): ConfiguredTopology | undefined {
    return this.#configured.get()
  }

  setConfigured(configured: ConfiguredTopology): void {
    this.#configured.set(configured)
  }

  /** The epoch of the topology that fits the topics there are; -1 for none. */
  get validatedTopologyEpoch(): number {
    return this.#validatedTopologyEpoch.get()
  }

  /** What the assignor was told last. */
  get assignmentConfigs(): AssignmentConfigs {
    return this.#assignmentConfigs.get()
  }

  setGroupEpoch({ epoch, metadataHash, validatedTopologyEpoch, assignmentConfigs }: GroupEpoch): void {
    this.setEpoch(epoch, metadataHash)
    this.#validatedTopologyEpoch.set(validatedTopologyEpoch)
    this.#assignmentConfigs.set(assignmentConfigs)
  }

  /** The member that wants the whole application to end; lost with the coordinator, as in Apache Kafka. */
  get shutdownRequestedBy(): string | undefined {
    return this.#shutdownRequestedBy
  }

  /** The first who asks is named to all. */
  requestShutdown(memberId: string): void {
    this.#shutdownRequestedBy ??= memberId
  }

  /** Grows when what is to be found at an endpoint has changed; starts anew with the coordinator. */
  get endpointEpoch(): number {
    return this.#endpointEpoch
  }

  endpointsChanged(): void {
    this.#endpointEpoch++
  }

  /** Throws UNKNOWN_MEMBER_ID. */
  requireMember(memberId: string): StreamsMember {
    const member = this.member(memberId)
    if (member !== undefined) return member
    throw new CoordinatorError(errors.UNKNOWN_MEMBER_ID, `Member ${memberId} is not a member of group ${this.id}.`)
  }

  protected override memberChanged(old: StreamsMember | undefined, current: StreamsMember | undefined): void {
    if (old !== undefined) this.owners.release(old)
    if (current !== undefined) this.owners.take(current)
    if (this.isEmpty) this.#shutdownRequestedBy = undefined
  }

  override dependsOn(topic: string): boolean {
    return this.#topology.get()?.topics.has(topic) ?? false
  }

  override isSubscribedTo(topic: string): boolean {
    return !this.isEmpty && (this.#topology.get()?.readers.has(topic) ?? false)
  }

  override validateOffsetCommit(identity: CommitIdentity): CommitCheck | undefined {
    const { memberId, groupInstanceId, generationId, isTransactional, apiVersion = 0 } = identity
    // An administrator, or a consumer that is no member, commits for a group without members.
    if (generationId < 0 && this.isEmpty) return undefined
    if (isTransactional && generationId === -1 && memberId === '' && groupInstanceId === null) return undefined
    const member = this.requireMember(memberId)
    if (!isTransactional && apiVersion < FIRST_COMMIT_VERSION) throw new CoordinatorError(errors.UNSUPPORTED_VERSION)
    if (generationId === member.memberEpoch) return undefined
    const topology = this.#topology.get()
    if (generationId > member.memberEpoch || topology === undefined) throw stale()
    // An epoch that has passed is good enough for tasks that the member had then already (KIP-1251).
    return (_, partition, topic) => {
      const subtopologyId = topology.readers.get(topic)
      const epoch = subtopologyId === undefined ? undefined : epochOfTask(member, subtopologyId, partition)
      if (epoch === undefined || generationId < epoch) throw stale()
    }
  }

  override validateOffsetFetch(memberId: string | null, memberEpoch: number): void {
    // An administrator.
    if (memberId === null && memberEpoch < 0) return
    if (this.requireMember(memberId ?? '').memberEpoch !== memberEpoch) throw stale()
  }

  override validateOffsetDelete(): void {}

  override validateDelete(): void {
    if (!this.isEmpty) throw new CoordinatorError(errors.NON_EMPTY_GROUP)
  }

  override tombstones(): CoordinatorRecord[] {
    return groupTombstones(
      this.id,
      Array.from(this.members(), ({ id }) => id),
    )
  }
}

function stale(): CoordinatorError {
  return new CoordinatorError(errors.STALE_MEMBER_EPOCH)
}
