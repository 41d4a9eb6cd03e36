import { errors } from '../../protocol/errors.ts'
import { CoordinatorError } from '../coordinator-error.ts'
import type { EpochAssignment } from '../modern/assignment.ts'
import { MemberState } from '../modern/member.ts'
import type { TaskAssignment, Tasks } from './assignor/types.ts'
import type { StreamsMember } from './member.ts'
import type { TaskOwners } from './task-owners.ts'
import { isEmpty, NO_TASKS, type TaskIds, touches } from './tasks.ts'

/** What a member says that it has. */
export interface OwnedTasks {
  readonly active: readonly TaskIds[]
  readonly standby: readonly TaskIds[]
  readonly warmup: readonly TaskIds[]
}

/** What a member is to have. */
export interface Target {
  readonly epoch: number
  readonly tasks: TaskAssignment
}

type Plain = ReadonlyMap<string, Set<number>>
type WithEpochs = ReadonlyMap<string, Map<number, number>>

/** What becomes of tasks of one role. */
interface Split<T> {
  readonly kept: T
  readonly revoked: T
  readonly added: T
  /** Of the target, somebody else has to give up more. */
  readonly isWaiting: boolean
}

/**
 * The member one step nearer to its target: first it gives up what it must not have, then it goes to the target's epoch and
 * gets what nobody else has any more. `owned`: what it says it has, undefined where it does not say. Throws
 * FENCED_MEMBER_EPOCH for a member that a later release left in a state unknown here.
 */
export function reconcile(
  member: StreamsMember,
  target: Target,
  owners: TaskOwners,
  owned: OwnedTasks | undefined,
): StreamsMember {
  switch (member.state) {
    case MemberState.stable:
      return member.memberEpoch === target.epoch ? member : next(member, member.memberEpoch, target, owners, owned)
    case MemberState.unrevoked:
      if (owned === undefined || hasAny(owned, member.pendingRevocation)) return member
      return next(member, member.memberEpoch + 1, target, owners, owned)
    case MemberState.unreleased:
      return next(member, member.memberEpoch, target, owners, owned)
    case MemberState.unknown:
      if (owned === undefined || hasSome(owned)) {
        const message =
          'The streams group member is in a unknown state. The member must abandon all its tasks and rejoin.'
        throw new CoordinatorError(errors.FENCED_MEMBER_EPOCH, message)
      }
      return next(member, target.epoch, target, owners, owned)
  }
}

function hasAny(owned: OwnedTasks, tasks: { active: Tasks | EpochAssignment; standby: Tasks; warmup: Tasks }): boolean {
  return (
    touches(owned.active, tasks.active) || touches(owned.standby, tasks.standby) || touches(owned.warmup, tasks.warmup)
  )
}

function hasSome({ active, standby, warmup }: OwnedTasks): boolean {
  return active.length > 0 || standby.length > 0 || warmup.length > 0
}

/** `epoch`: of the member while it still has to give up tasks. */
function next(
  member: StreamsMember,
  epoch: number,
  target: Target,
  owners: TaskOwners,
  owned: OwnedTasks | undefined,
): StreamsMember {
  const { processId, assigned } = member
  const { active, standby, warmup } = target.tasks
  const isTaken = (id: string, partition: number) =>
    owners.active(id, partition) !== undefined || owners.hasCopy(id, partition, processId)
  const isInProcess = (id: string, partition: number) =>
    owners.active(id, partition) === processId || owners.hasCopy(id, partition, processId)
  const [a, s, w] = [
    splitActive(assigned.active, active, target.epoch, isTaken),
    split(assigned.standby, standby, isInProcess),
    split(assigned.warmup, warmup, isInProcess),
  ]
  const revoked = { active: a.revoked, standby: s.revoked, warmup: w.revoked }
  const moved = { ...member, previousMemberEpoch: member.memberEpoch }
  if (!isEmpty(revoked) && (owned === undefined || hasAny(owned, revoked))) {
    const kept = { active: a.kept, standby: s.kept, warmup: w.kept }
    return { ...moved, memberEpoch: epoch, state: MemberState.unrevoked, assigned: kept, pendingRevocation: revoked }
  }
  return {
    ...moved,
    memberEpoch: target.epoch,
    state: a.isWaiting || s.isWaiting || w.isWaiting ? MemberState.unreleased : MemberState.stable,
    assigned: {
      active: mergedEpochs(a.kept, a.added),
      standby: merged(s.kept, s.added),
      warmup: merged(w.kept, w.added),
    },
    pendingRevocation: NO_TASKS,
  }
}

type IsTaken = (subtopologyId: string, partition: number) => boolean

function split(current: Tasks, target: Tasks, isTaken: IsTaken): Split<Plain> {
  const kept = new Map<string, Set<number>>()
  const revoked = new Map<string, Set<number>>()
  const added = new Map<string, Set<number>>()
  let isWaiting = false
  for (const [id, partitions] of current) {
    for (const partition of partitions) addTo(target.get(id)?.has(partition) ? kept : revoked, id, partition)
  }
  for (const [id, partitions] of target) {
    for (const partition of partitions) {
      if (current.get(id)?.has(partition)) continue
      if (isTaken(id, partition)) isWaiting = true
      else addTo(added, id, partition)
    }
  }
  return { kept, revoked, added, isWaiting }
}

/** Active tasks keep the epoch at which the member got them; new ones have the target's. */
function splitActive(
  current: EpochAssignment,
  target: Tasks,
  targetEpoch: number,
  isTaken: IsTaken,
): Split<WithEpochs> {
  const plain = new Map(Array.from(current, ([id, epochs]) => [id, new Set(epochs.keys())]))
  const { kept, revoked, added, isWaiting } = split(plain, target, isTaken)
  const withEpochs = (tasks: Plain): WithEpochs =>
    new Map(
      Array.from(tasks, ([id, partitions]) => [
        id,
        new Map(Array.from(partitions, (partition) => [partition, current.get(id)?.get(partition) ?? targetEpoch])),
      ]),
    )
  return { kept: withEpochs(kept), revoked: withEpochs(revoked), added: withEpochs(added), isWaiting }
}

function addTo(tasks: Map<string, Set<number>>, id: string, partition: number): void {
  const partitions = tasks.get(id)
  if (partitions === undefined) tasks.set(id, new Set([partition]))
  else partitions.add(partition)
}

function merged(a: Plain, b: Plain): Tasks {
  const result = new Map<string, Set<number>>(a)
  for (const [id, partitions] of b) result.set(id, new Set([...(a.get(id) ?? []), ...partitions]))
  return result
}

function mergedEpochs(a: WithEpochs, b: WithEpochs): EpochAssignment {
  const result = new Map<string, Map<number, number>>(a)
  for (const [id, epochs] of b) result.set(id, new Map([...(a.get(id) ?? []), ...epochs]))
  return result
}
