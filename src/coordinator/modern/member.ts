/** How far a member is with what it was assigned. The numbers are those of the records. */
export const MemberState = {
  /** It has all of its part of the assignment of its epoch. */
  stable: 0,
  /** It has to give up partitions before it can go on to the next epoch. */
  unrevoked: 1,
  /** It waits for partitions that others have to give up. */
  unreleased: 2,
  /** Written by a later release. */
  unknown: 127,
} as const
export type MemberState = (typeof MemberState)[keyof typeof MemberState]

/** The epochs in requests that mean something else. */
export const JOIN_EPOCH = 0
export const LEAVE_EPOCH = -1
/** A static member goes for a while. */
export const STATIC_LEAVE_EPOCH = -2

/** How far a member is. */
export interface ReconcilableMember {
  readonly memberEpoch: number
  readonly state: MemberState
}

/** What members of consumer and share groups have in common. Replaced, never changed in place. */
export interface ModernMember extends ReconcilableMember {
  readonly id: string
  readonly previousMemberEpoch: number
  /** group.instance.id of a static member. */
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** By name. */
  readonly subscribedTopics: ReadonlySet<string>
}

export function memberState(value: number): MemberState {
  return value === 0 || value === 1 || value === 2 ? value : MemberState.unknown
}

/** Whether the member has what the assignment of `assignmentEpoch` gives it. */
export function isReconciledTo(member: ReconcilableMember, assignmentEpoch: number): boolean {
  return member.state === MemberState.stable && member.memberEpoch === assignmentEpoch
}
