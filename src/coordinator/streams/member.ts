import type { StreamsGroupCurrentMemberAssignmentValue } from '../../protocol/coordinator-records/streams-group-current-member-assignment.ts'
import type { StreamsGroupMemberMetadataValue } from '../../protocol/coordinator-records/streams-group-member-metadata.ts'
import type { EpochAssignment } from '../modern/assignment.ts'
import type { EpochMember } from '../modern/epoch-group.ts'
import { LEAVE_EPOCH, MemberState } from '../modern/member.ts'
import { type CurrentTasks, NO_TASKS, sameTasks, toTasks } from './tasks.ts'

/** Where a member can be asked for what its stores hold. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** A member of a streams group: one thread of an application. Replaced, never changed in place. */
export interface StreamsMember extends EpochMember {
  readonly previousMemberEpoch: number
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** How long it may take to give up tasks. */
  readonly rebalanceTimeoutMs: number
  /** Of the topology that it came with. */
  readonly topologyEpoch: number
  /** Threads of one process share its memory and disk. */
  readonly processId: string
  readonly userEndpoint: Endpoint | null
  readonly clientTags: ReadonlyMap<string, string>
  readonly assigned: CurrentTasks
  readonly pendingRevocation: CurrentTasks
}

type CurrentValue = StreamsGroupCurrentMemberAssignmentValue
type TaskIdsWithEpochs = CurrentValue['activeTasks'][number]

/** Records of streams groups have numbers of their own for states: those of consumer groups begin at 0. */
const RECORDED_STATES: ReadonlyMap<MemberState, number> = new Map([
  [MemberState.stable, 1],
  [MemberState.unrevoked, 2],
  [MemberState.unreleased, 3],
  [MemberState.unknown, 127],
])

export function toRecord(state: MemberState): number {
  return RECORDED_STATES.get(state)!
}

function fromRecord(number: number): MemberState {
  for (const [state, recorded] of RECORDED_STATES) if (recorded === number) return state
  return MemberState.unknown
}

export function newStreamsMember(id: string): StreamsMember {
  return {
    id,
    memberEpoch: 0,
    previousMemberEpoch: 0,
    state: MemberState.stable,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    rebalanceTimeoutMs: -1,
    topologyEpoch: -1,
    processId: '',
    userEndpoint: null,
    clientTags: new Map(),
    assigned: NO_TASKS,
    pendingRevocation: NO_TASKS,
  }
}

export function withMetadata(member: StreamsMember, value: StreamsGroupMemberMetadataValue): StreamsMember {
  return { ...member, ...value, clientTags: new Map(value.clientTags.map(({ key, value }) => [key, value])) }
}

export function withAssignment(member: StreamsMember, value: CurrentValue): StreamsMember {
  const { memberEpoch, previousMemberEpoch, state } = value
  return {
    ...member,
    memberEpoch,
    previousMemberEpoch,
    state: fromRecord(state),
    assigned: {
      active: toEpochs(value.activeTasks, memberEpoch),
      standby: toTasks(value.standbyTasks),
      warmup: toTasks(value.warmupTasks),
    },
    pendingRevocation: {
      active: toEpochs(value.activeTasksPendingRevocation, memberEpoch),
      standby: toTasks(value.standbyTasksPendingRevocation),
      warmup: toTasks(value.warmupTasksPendingRevocation),
    },
  }
}

export function withoutAssignment(member: StreamsMember): StreamsMember {
  return {
    ...member,
    memberEpoch: LEAVE_EPOCH,
    previousMemberEpoch: LEAVE_EPOCH,
    assigned: NO_TASKS,
    pendingRevocation: NO_TASKS,
  }
}

/** Records of earlier releases do not say when the member got its tasks: at its epoch at the latest. */
function toEpochs(ids: readonly TaskIdsWithEpochs[], memberEpoch: number): EpochAssignment {
  return new Map(
    ids.map(({ subtopologyId, partitions, assignmentEpochs }) => {
      const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : undefined
      return [subtopologyId, new Map(partitions.map((partition, i) => [partition, epochs?.[i] ?? memberEpoch]))]
    }),
  )
}

/** Whether the records of both say the same of what the member is. */
export function sameMetadata(a: StreamsMember, b: StreamsMember): boolean {
  return (
    a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.topologyEpoch === b.topologyEpoch &&
    a.processId === b.processId &&
    a.userEndpoint?.host === b.userEndpoint?.host &&
    a.userEndpoint?.port === b.userEndpoint?.port &&
    sameMap(a.clientTags, b.clientTags)
  )
}

export function sameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}

/** Whether the records of both say the same of what the member has. */
export function sameProgress(a: StreamsMember, b: StreamsMember): boolean {
  return (
    a.memberEpoch === b.memberEpoch &&
    a.previousMemberEpoch === b.previousMemberEpoch &&
    a.state === b.state &&
    sameTasks(a.assigned, b.assigned) &&
    sameTasks(a.pendingRevocation, b.pendingRevocation)
  )
}

/** The epoch at which the member got an active task that it has or still has to give up; undefined for none of these. */
export function epochOfTask(member: StreamsMember, subtopologyId: string, partition: number): number | undefined {
  const { assigned, pendingRevocation } = member
  return (
    assigned.active.get(subtopologyId)?.get(partition) ?? pendingRevocation.active.get(subtopologyId)?.get(partition)
  )
}
