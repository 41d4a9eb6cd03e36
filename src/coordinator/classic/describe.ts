import { errors } from '../../protocol/errors.ts'
import type { DescribeGroupsResponse } from '../../protocol/messages/describe-groups.ts'
import type { ClassicGroup } from './classic-group.ts'
import { EMPTY_ASSIGNMENT } from './member.ts'

export type DescribedGroup = DescribeGroupsResponse['groups'][number]

/** The value of `authorizedOperations` for "not asked for". */
const OPERATIONS_UNKNOWN = -(2 ** 31)

/** A group of which nothing is told but `errorCode`. */
export function undescribedGroup(groupId: string, errorCode: number = errors.NONE.code): DescribedGroup {
  return {
    groupId,
    errorCode,
    errorMessage: null,
    groupState: '',
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: OPERATIONS_UNKNOWN,
  }
}

/** Protocol and metadata are told of a stable group only: before, they may still change. */
export function describeClassicGroup(group: ClassicGroup): DescribedGroup {
  const protocol = group.is('Stable') ? group.protocolName : undefined
  return {
    ...undescribedGroup(group.id),
    groupState: group.stateName,
    protocolType: group.protocolType,
    protocolData: protocol ?? '',
    members: [...group.members()].map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: (protocol === undefined ? undefined : member.metadataFor(protocol)) ?? EMPTY_ASSIGNMENT,
      memberAssignment: member.assignment,
    })),
  }
}
