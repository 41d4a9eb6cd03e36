import { type Assignment, NO_PARTITIONS, sameAssignment } from '../../modern/assignment.ts'
import { MemberState, type ModernMember } from '../../modern/member.ts'

/** A member of a share group. Replaced, never changed in place. */
export interface ShareMember extends ModernMember {
  readonly assigned: Assignment
}

export function newShareMember(id: string): ShareMember {
  return {
    id,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: MemberState.stable,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    subscribedTopics: new Set(),
    assigned: NO_PARTITIONS,
  }
}

/** Whether the records of both say the same of what the member is. */
export function sameMetadata(a: ShareMember, b: ShareMember): boolean {
  return (
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.subscribedTopics === b.subscribedTopics
  )
}

/** Whether the records of both say the same of what the member has. */
export function sameProgress(a: ShareMember, b: ShareMember): boolean {
  return (
    a.memberEpoch === b.memberEpoch &&
    a.previousMemberEpoch === b.previousMemberEpoch &&
    a.state === b.state &&
    sameAssignment(a.assigned, b.assigned)
  )
}
