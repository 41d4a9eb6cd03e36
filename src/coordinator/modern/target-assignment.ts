import { type Assignment, NO_PARTITIONS, sameAssignment } from './assignment.ts'

/** A member as an assignor sees it. */
export interface AssignableMember {
  readonly instanceId: string | null
  readonly rackId: string | null
  /** Of topics that exist. */
  readonly topicIds: ReadonlySet<string>
  /** What it was to have up to now. */
  readonly assignment: Assignment
}

export interface AssignableGroup {
  readonly members: ReadonlyMap<string, AssignableMember>
  /** All members are subscribed to the same topics. */
  readonly isHomogeneous: boolean
  /** undefined where there is no such topic. */
  partitionCount(topicId: string): number | undefined
}

/** Decides who is to have what. */
export interface PartitionAssignor {
  /** As requests and settings name it. */
  readonly name: string
  /** What each member is to have; a member that is left out has nothing. */
  assign(group: AssignableGroup): Map<string, Assignment>
}

/** What changes from `old` to `next` for the members of the group; those without an old target are always in. */
export function changedTargets(
  members: Iterable<string>,
  old: { target(memberId: string): Assignment; hasTarget(memberId: string): boolean },
  next: ReadonlyMap<string, Assignment>,
): [memberId: string, assignment: Assignment][] {
  const changed: [string, Assignment][] = []
  for (const memberId of members) {
    const assignment = next.get(memberId) ?? NO_PARTITIONS
    if (old.hasTarget(memberId) && sameAssignment(assignment, old.target(memberId))) continue
    changed.push([memberId, assignment])
  }
  return changed
}
